//! Times the geometry on the host and on the first adapter, software or not: vertices, supports, Hausdorff distances.
//!
//! `cargo bench --bench geometry [-- --quick] [-- --cpu] [-- NAME]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use tropix::Result;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions};
use tropix::bench::{BenchOptions, Operation, Workload, compare, workloads_table};
use tropix::prune::Timing;

const CASES: &[Workload] = &[
    case("vertices, 12 in space", Operation::ZonotopeVertices, &[12, 3, 1]),
    case("vertices, 20 in space", Operation::ZonotopeVertices, &[20, 3, 1]),
    case("vertices, 200 in space", Operation::ZonotopeVertices, &[200, 3, 1]),
    case("vertices, 16 in dimension 4", Operation::ZonotopeVertices, &[16, 4, 1]),
    case("vertices, 10 in dimension 6", Operation::ZonotopeVertices, &[10, 6, 1]),
    case("vertices, 24 in dimension 6", Operation::ZonotopeVertices, &[24, 6, 1]),
    case("vertices, a million in the plane", Operation::ZonotopeVertices, &[1_000_000, 2, 1]),
    case("supports, difference", Operation::SupportDifference, &[100_000, 64, 2048]),
    case("patterns of directions", Operation::ActivationPatterns, &[100_000, 64, 2048]),
    case("Hausdorff, 100,000 independent", Operation::HausdorffIndependent, &[100_000, 16, 100_000]),
    case("Hausdorff, 100,000 near copies", Operation::HausdorffNear, &[100_000, 16, 100_000]),
    case("Hausdorff, d = 3", Operation::HausdorffIndependent, &[20_000, 3, 20_000]),
    case("Hausdorff, d = 256", Operation::HausdorffIndependent, &[20_000, 256, 20_000]),
    case("Hausdorff, near copies, d = 256", Operation::HausdorffNear, &[5000, 256, 5000]),
];

const fn case(id: &'static str, operation: Operation, shape: &'static [usize]) -> Workload {
    Workload { id, title: "", operation, shape }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|part| name.contains(part.as_str()))
    };
    let cpu = Cpu::new();
    let open = || Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).ok();
    let gpu = if has("--cpu") { None } else { open() };
    let device = gpu.as_ref().map(Backend::device);
    println!("CPU: {}, {}", cpu.device().name, cpu.device().backend);
    if let Some(device) = device {
        println!(
            "GPU: {}{}",
            device.name,
            if device.software { ", a SOFTWARE adapter on the same processor" } else { "" }
        );
    }
    let cases: Vec<Workload> = CASES.iter().filter(|case| wanted(case.id)).copied().collect();
    let (runs, divisor) = if has("--quick") { (3, 8) } else { (5, 1) };
    let options = BenchOptions { runs, divisor, seed: 7, f16: false, crossover: false };
    let reports = compare(&cpu, gpu.as_ref(), &cases, options, &mut Timing::default(), &())?;
    println!("{}", workloads_table(&reports, device));
    Ok(())
}
