//! `convolution`: one convolutional layer.

use ndarray::Array2;
use tropix::backend::{Activation, Backend, Window};

use crate::harness::{against_the_reference, down, on_every_backend, random, reference, rows, sizes, wide};
use crate::images::for_windows;
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(a_layer_by_hand, groups_by_hand, layers_that_do_not_fit_are_refused, a_layer_is_affine_on_windows);
against_the_reference!(any_window_agrees, groups_agree, large_layers_agree);

fn a_layer_by_hand<B: Backend>(backend: &B) {
    // One channel of 2 x 3, stride 2 to the right, a row of zeros below: windows at (0, 0), (0, 1) = column 2 is past.
    let image = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])).unwrap();
    let window = Window { padding: [0, 0, 1, 1], stride: [1, 2], ..Window::new([1, 2, 3], [2, 2]) };
    let kernels = backend.upload(&rows(&[[1.0, 0.0, 0.0, 10.0], [0.0, -1.0, 0.0, 0.0]])).unwrap();
    let bias = backend.upload(&rows(&[[0.5, 2.5]])).unwrap();
    let plain = backend.convolution(&image, &kernels, None, &window, 1, Activation::Identity).unwrap();
    let want = rows(&[[51.0, 3.0, 4.0, 6.0, -2.0, 0.0, -5.0, 0.0]]);
    assert_same("without bias", &down(backend, &plain), &wide(&want));
    let layer = backend.convolution(&image, &kernels, Some(&bias), &window, 1, Activation::Relu).unwrap();
    let want = rows(&[[51.5, 3.5, 4.5, 6.5, 0.5, 2.5, 0.0, 2.5]]);
    assert_same("with bias and relu", &down(backend, &layer), &wide(&want));
}

fn groups_by_hand<B: Backend>(backend: &B) {
    let image = backend.upload(&rows(&[[1.0, 2.0, 10.0, 20.0]])).unwrap();
    let kernels = backend.upload(&rows(&[[2.0], [3.0], [-1.0], [1.0]])).unwrap();
    let layer = |groups, kernels| {
        let window = Window::new([2, 1, 2], [1, 1]);
        backend.convolution(&image, kernels, None, &window, groups, Activation::Relu).unwrap()
    };
    let want = rows(&[[2.0, 4.0, 3.0, 6.0, 0.0, 0.0, 10.0, 20.0]]);
    assert_same("two groups", &down(backend, &layer(2, &kernels)), &wide(&want));
    let dense = backend.upload(&rows(&[[2.0, 0.0], [3.0, 0.0], [0.0, -1.0], [0.0, 1.0]])).unwrap();
    assert_same("one group with zeros", &down(backend, &layer(1, &dense)), &wide(&want));
}

fn layers_that_do_not_fit_are_refused<B: Backend>(backend: &B) {
    let image = backend.upload(&random([2, 12], 0, "")).unwrap();
    let kernels = backend.upload(&random([4, 12], 0, "")).unwrap();
    let window = Window::new([3, 2, 2], [2, 2]);
    let refused = |window: &Window, groups| {
        let refusal = backend.convolution(&image, &kernels, None, window, groups, Activation::Identity);
        refusal.err().expect("a refusal").to_string()
    };
    assert_eq!(refused(&window, 2), "`groups`: 2 groups of 3 channels to 4");
    let wrong = "`convolution`: `weights` has shape [4, 12], expected 4 x 6";
    assert_eq!(refused(&Window { kernel: [2, 1], ..window }, 1), wrong);
}

/// `convolution(X) = unfold(X) W^T`, up to the order of its values.
fn a_layer_is_affine_on_windows<B: Backend>(backend: &B) {
    let window = Window { padding: [1; 4], stride: [2, 2], ..Window::new([3, 7, 9], [3, 3]) };
    let (images, kernels) = (random([4, window.length()], 3, "images"), random([5, 27], 3, "kernels"));
    let (images, kernels) = (backend.upload(&images).unwrap(), backend.upload(&kernels).unwrap());
    let layer = backend.convolution(&images, &kernels, None, &window, 1, Activation::Relu).unwrap();
    let windows = backend.unfold(&images, &window, None).unwrap();
    let affine = down(backend, &backend.affine(&windows, &kernels, None, Activation::Relu).unwrap());
    let [height, width] = window.positions().unwrap();
    let plane = height * width;
    let turned = Array2::from_shape_fn((4, 5 * plane), |(i, j)| affine[(i * plane + j % plane, j / plane)]);
    let bound = turned.mapv(|value| 1e-5 * (1.0 + value.abs()));
    assert_close("windows", &down(backend, &layer), &turned, &bound);
}

fn any_window_agrees<B: Backend>(backend: &B) {
    for_windows(|window, n, seed| {
        let outputs = usize::try_from(seed % 40).unwrap().min(most(&window));
        agree(backend, &window, n, outputs, 1, seed);
    });
}

fn groups_agree<B: Backend>(backend: &B) {
    for_windows(|window, n, seed| {
        let groups = usize::try_from(seed % 4 + 1).unwrap().min(most(&window));
        let outputs = groups * usize::try_from(seed % 5).unwrap().min(most(&window) / groups);
        let [channels, height, width] = window.image;
        let channels = channels.min(1024 / (height * width * groups)).max(1) * groups;
        if channels * height * width <= 1024 {
            agree(backend, &Window { image: [channels, height, width], ..window }, n, outputs, groups, seed);
        }
    });
    // Depthwise.
    agree(backend, &Window { padding: [1; 4], ..Window::new([40, 5, 5], [3, 3]) }, 3, 40, 40, 2);
}

/// Output channels with which images hold at most 1,024 values, as the smallest bindings do.
fn most(window: &Window) -> usize {
    let [height, width] = window.positions().unwrap();
    1024 / (height * width)
}

fn large_layers_agree<B: Backend>(backend: &B) {
    // More windows than a tile takes, a band of more channels, and an inner length of several blocks.
    agree(backend, &Window { stride: [1, 2], padding: [1; 4], ..Window::new([1, 32, 32], [3, 3]) }, 5, 2, 1, 1);
    agree(backend, &Window { padding: [2; 4], ..Window::new([40, 3, 3], [5, 5]) }, 3, 100, 1, 2);
    agree(backend, &Window::new([20, 3, 3], [3, 3]), 3, 900, 1, 3);
}

#[test]
fn images_of_many_tiles_agree() {
    agree(crate::harness::cpu(), &Window { padding: [1; 4], ..Window::new([2, 36, 31], [3, 3]) }, 2, 5, 1, 1);
}

fn agree<B: Backend>(backend: &B, window: &Window, n: usize, outputs: usize, groups: usize, seed: u64) {
    let inner = window.image[0] / groups * window.entries();
    let (images, kernels) = (random([n, window.length()], seed, "images"), random([outputs, inner], seed, "kernels"));
    let bias = random([1, outputs], seed, "bias");
    let exact = reference();
    let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    for (bias, activation) in [(None, Activation::Identity), (Some(&bias), Activation::Relu)] {
        let (x, w, b) = (upload(&images), upload(&kernels), bias.map(upload));
        let got = backend.convolution(&x, &w, b.as_ref(), window, groups, activation).unwrap();
        let (x, w, b) = (wide(&images), wide(&kernels), bias.map(wide));
        let want = exact.convolution(&x, &w, b.as_ref(), window, groups, activation).unwrap();
        let (x, w, b) = (sizes(&images), sizes(&kernels), bias.map(sizes));
        let size = exact.convolution(&x, &w, b.as_ref(), window, groups, Activation::Identity).unwrap();
        assert_close("convolution", &down(backend, &got), &want, &bound(inner + 2, &size));
    }
}
