//! Times the contraction and its folds on the host and on the first adapter, software or not, beyond the workloads of
//! `tropix bench`: layers of real networks, odd sizes, one row.
//!
//! `cargo bench --bench contraction [-- --quick] [-- --cpu] [-- NAME]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use tropix::Result;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions};
use tropix::bench::{BenchOptions, Operation, Workload, compare, workloads_table};
use tropix::prune::Timing;

const CASES: &[Workload] = &[
    case("affine, mnist layer", Operation::Affine, &[2000, 784, 512]),
    case("affine, hidden layer", Operation::Affine, &[10_000, 512, 512]),
    case("affine, logits", Operation::Affine, &[10_000, 512, 10]),
    case("affine, one sample", Operation::Affine, &[1, 784, 512]),
    case("affine, odd", Operation::Affine, &[1001, 333, 777]),
    case("affine, cube", Operation::Affine, &[1024, 1024, 1024]),
    case("affine, vgg head", Operation::Affine, &[512, 25088, 1024]),
    case("matmul, A^T B", Operation::MatmulTransposed, &[1024, 1024, 1024]),
    case("max-plus, W2a", Operation::MaxPlusMatmul, &[1024, 1024, 1024]),
    case("nearest, d = 3", Operation::Nearest, &[20_000, 3, 20_000]),
    case("nearest, d = 256", Operation::Nearest, &[5000, 256, 5000]),
    case("class_supports, ten", Operation::ClassSupports, &[20_000, 64, 2048]),
    case("activation_patterns", Operation::ActivationPatterns, &[20_000, 64, 2048]),
    case("affine, head, one", Operation::Affine, &[1, 25_088, 4096]),
    case("path_norms, head", Operation::PathNorms, &[4096, 25_088, 1]),
    case("path_norms, backward", Operation::PathNormsBackward, &[4096, 25_088, 1]),
    case("threshold_mask, head", Operation::ThresholdMask, &[4096, 25_088, 1]),
    case("tropical_eval, W1a", Operation::TropicalEval, &[65_536, 64, 4096]),
    case("tropical_eval, W1b", Operation::TropicalEval, &[1_000_000, 2, 512]),
    case("tropical_eval, d = 8", Operation::TropicalEval, &[65_536, 8, 1024]),
    case("support_function, half of W4", Operation::SupportFunction, &[100_000, 64, 2048]),
    case("support_function, one", Operation::SupportFunction, &[1, 64, 100_000]),
    case("row_scores, W5", Operation::RowScores, &[4096, 25_088, 1000]),
];

const fn case(id: &'static str, operation: Operation, shape: &'static [usize]) -> Workload {
    Workload { id, title: "", operation, shape }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|part| name.contains(part.as_str()))
    };
    let cpu = Cpu::new();
    let host_only = arguments.iter().any(|argument| argument == "--cpu");
    let open = || Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).ok();
    let gpu = if host_only { None } else { open() };
    println!("CPU: {}, {}, {} threads", cpu.device().name, cpu.device().backend, rayon::current_num_threads());
    let device = gpu.as_ref().map(Backend::device);
    match device {
        Some(device) if device.software => println!("GPU: {}, a SOFTWARE adapter on the same processor", device.name),
        Some(device) => println!("GPU: {}, {}", device.name, device.backend),
        None => println!("GPU: none"),
    }
    let cases: Vec<Workload> = CASES.iter().filter(|case| wanted(case.id)).copied().collect();
    let options = BenchOptions {
        runs: if quick { 5 } else { 11 },
        divisor: if quick { 8 } else { 1 },
        seed: 7,
        crossover: false,
        f16: false,
    };
    let reports = compare(&cpu, gpu.as_ref(), &cases, options, &mut Timing::default(), &())?;
    println!("{}", workloads_table(&reports, device));
    Ok(())
}
