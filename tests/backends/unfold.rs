//! `unfold`: windows of images as rows.

use rand::RngExt;
use tropix::backend::{Backend, Window};

use crate::harness::{against_the_reference, down, on_every_backend, random, reference, rows, wide};
use crate::images::for_windows;
use crate::tolerance::assert_same;

on_every_backend!(windows_by_hand, images_that_do_not_fit_are_refused);
against_the_reference!(any_window_agrees, images_in_several_blocks_agree);

fn windows_by_hand<B: Backend>(backend: &B) {
    let image = rows(&[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]]);
    let image = backend.upload(&image).unwrap();
    // One channel of 2 x 3; windows of 2 x 2 with a column of zeros on the left.
    let window = Window { padding: [0, 1, 0, 0], ..Window::new([1, 2, 3], [2, 2]) };
    let all = backend.unfold(&image, &window, None).unwrap();
    let want = [
        [0.0, 1.0, 0.0, 4.0],
        [1.0, 2.0, 4.0, 5.0],
        [2.0, 3.0, 5.0, 6.0],
        [0.0, -1.0, 0.0, -4.0],
        [-1.0, -2.0, -4.0, -5.0],
        [-2.0, -3.0, -5.0, -6.0],
    ];
    assert_same("all windows", &down(backend, &all), &wide(&rows(&want)));
    let chosen = backend.upload_indices(&[4, 0, 4]).unwrap();
    let some = backend.unfold(&image, &window, Some(&chosen)).unwrap();
    assert_same("chosen windows", &down(backend, &some), &wide(&rows(&[want[4], want[0], want[4]])));
}

fn images_that_do_not_fit_are_refused<B: Backend>(backend: &B) {
    let image = backend.upload(&random([2, 7], 0, "")).unwrap();
    let refused = |window: Window| backend.unfold(&image, &window, None).err().expect("a refusal").to_string();
    assert_eq!(refused(Window::new([1, 2, 3], [1, 1])), "`unfold`: `images` has shape [2, 7], expected 2 x 6");
    assert!(refused(Window::new([1, 1, 7], [1, 8])).contains("does not fit into 7 padded pixels"));
}

fn any_window_agrees<B: Backend>(backend: &B) {
    for_windows(|window, n, seed| agree(backend, &window, n, seed));
}

fn images_in_several_blocks_agree<B: Backend>(backend: &B) {
    agree(backend, &Window { padding: [1; 4], ..Window::new([3, 11, 13], [3, 3]) }, 40, 5);
}

fn agree<B: Backend>(backend: &B, window: &Window, n: usize, seed: u64) {
    let images = random([n, window.length()], seed, "images");
    let [height, width] = window.positions().unwrap();
    let count = u32::try_from(n * height * width).unwrap();
    let mut generator = tropix::rng::stream(seed, "positions");
    let chosen: Vec<u32> = (0..count.min(100)).map(|_| generator.random_range(0..count)).collect();
    let (up, positions) = (backend.upload(&images).unwrap(), backend.upload_indices(&chosen).unwrap());
    for (got, want) in [(None, None), (Some(&positions), Some(&chosen))] {
        let got = backend.unfold(&up, window, got).unwrap();
        assert_same("unfold", &down(backend, &got), &reference().unfold(&wide(&images), window, want).unwrap());
    }
}
