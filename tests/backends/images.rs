//! Windows and images for the operations on them.

use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tropix::backend::Window;

/// Runs `check` on windows of all kinds that fit their image, with a number of images and a seed, the same ones in
/// every run.
pub(crate) fn for_windows(check: impl Fn(Window, usize, u64)) {
    // Images of at most 1,024 values, which the smallest bindings hold.
    let size = prop_oneof![1..6_usize, 6..14_usize];
    let image = (1..7_usize, size.clone(), size);
    let kernel = [1..6_usize, 1..6_usize];
    let steps = [1..4_usize, 1..4_usize, 1..3_usize, 1..3_usize];
    let padding = [0..3_usize, 0..3, 0..3, 0..3];
    let windows = (image, kernel, steps, padding, prop_oneof![Just(0_usize), Just(1), 2..9_usize], 0..u64::MAX);
    let windows = windows.prop_map(|((channels, height, width), kernel, steps, padding, images, seed)| {
        let mut window = Window {
            image: [channels, height, width],
            kernel,
            stride: [steps[0], steps[1]],
            padding,
            dilation: [steps[2], steps[3]],
        };
        for axis in 0..2 {
            let padded = window.image[1 + axis] + padding[axis] + padding[2 + axis];
            window.kernel[axis] = window.kernel[axis].min((padded - 1) / window.dilation[axis] + 1);
        }
        (window, images, seed)
    });
    let config = Config { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(11), ..Config::default() };
    let outcome = TestRunner::new(config).run(&windows, |(window, images, seed)| {
        check(window, images, seed);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
