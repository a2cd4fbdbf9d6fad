//! One workload of a peer, in the protocol of `worker.py`: a warm-up, then one run for each line on standard input.

use std::io::BufRead;
use std::time::Instant;

/// `tropix::bench::value` with seed 0.
fn values(operand: u64, count: usize) -> Vec<f32> {
    let value = |index: u64| {
        let mut z = ((operand << 40) + index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count as u64).map(value).collect()
}

/// Work that returns what computes its check value.
type Run = Box<dyn Fn() -> Box<dyn FnOnce() -> f64>>;

#[cfg(feature = "tropical-gemm")]
fn max_plus([n, d, m]: [usize; 3]) -> Run {
    use tropical_gemm::{TropicalMaxPlus, TropicalSemiring, tropical_matmul};
    let (a, b) = (values(1, n * d), values(2, d * m));
    Box::new(move || {
        let c = tropical_matmul::<TropicalMaxPlus<f32>>(&a, n, d, &b, m);
        Box::new(move || c.iter().map(|c| f64::from(c.value())).sum::<f64>() / c.len() as f64)
    })
}

#[cfg(feature = "burn")]
mod burned {
    use super::{Run, values};
    use burn::tensor::{Device, DeviceKind, Tensor, TensorData};

    /// Products of this many entries fit into one binding of any adapter.
    const CHUNK: usize = 1 << 24;

    fn device() -> Device {
        let software = std::env::var_os("PEER_SOFTWARE").is_some();
        Device::wgpu(if software { DeviceKind::Cpu } else { DeviceKind::DefaultDevice })
    }

    fn tensor(operand: u64, shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values(operand, shape[0] * shape[1]), shape), device)
    }

    fn numbers(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("a tensor of f32")
    }

    pub fn tropical([n, d, m]: [usize; 3]) -> Run {
        let device = device();
        let rows = (CHUNK / m).max(1);
        let points: Vec<Tensor<2>> = tensor(1, [n, d], &device).split(rows, 0);
        let exponents = tensor(2, [m, d], &device).transpose();
        let coefficients = tensor(3, [1, m], &device);
        Box::new(move || {
            let found: Vec<_> = points
                .iter()
                .map(|x| (x.clone().matmul(exponents.clone()) + coefficients.clone()).max_dim_with_indices(1))
                .collect();
            device.sync().expect("the work succeeds");
            Box::new(move || {
                let total = |tensor| numbers(tensor).iter().map(|v| f64::from(*v)).sum::<f64>();
                let sums = found.into_iter().map(|(value, at)| total(value) + total(at.float()) / m as f64);
                sums.sum::<f64>() / n as f64
            })
        })
    }

    pub fn support([n, d, m]: [usize; 3]) -> Run {
        let device = device();
        let rows = (CHUNK / m).max(1);
        let directions: Vec<Tensor<2>> = tensor(1, [n, d], &device).split(rows, 0);
        let generators = [2, 3].map(|operand| tensor(operand, [m, d], &device).transpose());
        Box::new(move || {
            let found: Vec<Tensor<2>> = directions
                .iter()
                .map(|u| {
                    let [first, second] =
                        generators.each_ref().map(|g| u.clone().matmul(g.clone()).clamp_min(0.0).sum_dim(1));
                    (first - second).abs()
                })
                .collect();
            device.sync().expect("the work succeeds");
            Box::new(move || found.into_iter().flat_map(numbers).fold(0.0, |max: f64, v| max.max(f64::from(v))))
        })
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, workload, peer, threads, sizes] = &arguments[..] else { panic!("workload, peer, threads, sizes") };
    let threads = threads.parse().expect("a number of threads");
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the first pool");
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().expect("a size")).collect();
    let shape: [usize; 3] = sizes.try_into().expect("three sizes");
    let run: Run = match (&workload[..2], peer.as_str()) {
        #[cfg(feature = "tropical-gemm")]
        ("W2", "tropical-gemm") => max_plus(shape),
        #[cfg(feature = "burn")]
        ("W1", "burn") => burned::tropical(shape),
        #[cfg(feature = "burn")]
        ("W4", "burn") => burned::support(shape),
        _ => panic!("{peer} has no {workload}"),
    };
    println!("{{\"check\": {}}}", run()());
    for _ in std::io::stdin().lock().lines() {
        let start = Instant::now();
        let check = run();
        let seconds = start.elapsed().as_secs_f64();
        println!("{{\"seconds\": {seconds}, \"check\": {}}}", check());
    }
}
