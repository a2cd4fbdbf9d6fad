//! `activation_patterns`: the signs of `<g_i, u_n> + c_i`.

use ndarray::Array2;
use tropix::backend::{Activation, Backend};

use crate::harness::{against_the_reference, for_shapes, on_every_backend, random, reference, rows, sizes, wide};
use crate::tolerance::bound;

on_every_backend!(signs_by_hand, bits_fill_words_from_the_lowest, zero_is_not_positive);
against_the_reference!(any_shape_agrees);

fn signs_by_hand<B: Backend>(backend: &B) {
    let g = backend.upload(&rows(&[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])).unwrap();
    let c = backend.upload(&rows(&[[-2.0, 0.0, 1.0]])).unwrap();
    let u = backend.upload(&rows(&[[1.0, 1.0], [3.0, -1.0], [-4.0, 2.0]])).unwrap();
    let patterns = backend.activation_patterns(&g, None, &u).unwrap();
    assert_eq!(backend.download_indices(&patterns).unwrap(), [0b011, 0b001, 0b110]);
    // (-1, 1, -1) (1, -1, -1) (-6, 2, 3)
    let patterns = backend.activation_patterns(&g, Some(&c), &u).unwrap();
    assert_eq!(backend.download_indices(&patterns).unwrap(), [0b010, 0b001, 0b110]);
}

fn bits_fill_words_from_the_lowest<B: Backend>(backend: &B) {
    for p in [1, 31, 32, 33, 64, 700] {
        // Every third generator is positive.
        let g = Array2::from_shape_fn((p, 1), |(i, _)| if i % 3 == 0 { 1.0_f32 } else { -1.0 });
        let u = backend.upload(&Array2::<f32>::ones((3, 1))).unwrap();
        let patterns = backend.activation_patterns(&backend.upload(&g).unwrap(), None, &u).unwrap();
        let words = backend.download_indices(&patterns).unwrap();
        let stride = p.div_ceil(32);
        assert_eq!(words.len(), 3 * stride, "{p} generators");
        for row in words.chunks(stride) {
            for bit in 0..32 * stride {
                let set = row[bit / 32] >> (bit % 32) & 1 == 1;
                assert_eq!(set, bit < p && bit % 3 == 0, "bit {bit} of {p}");
            }
        }
    }
}

fn zero_is_not_positive<B: Backend>(backend: &B) {
    let g = backend.upload(&Array2::<f32>::zeros((40, 3))).unwrap();
    let u = backend.upload(&random([5, 3], 0, "u")).unwrap();
    let patterns = backend.activation_patterns(&g, None, &u).unwrap();
    assert_eq!(backend.download_indices(&patterns).unwrap(), [0; 10]);
}

/// The first bit that differs although its value is not within the bound of zero.
fn difference(got: &[u32], values: &Array2<f64>, bound: &Array2<f64>) -> Option<(usize, usize)> {
    let stride = values.ncols().div_ceil(32);
    assert_eq!(got.len(), values.nrows() * stride);
    let wrong = |((i, j), value): ((usize, usize), &f64)| {
        let set = got[i * stride + j / 32] >> (j % 32) & 1 == 1;
        (set != (*value > 0.0) && value.abs() > bound[(i, j)]).then_some((i, j))
    };
    values.indexed_iter().find_map(wrong)
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    let run = |[p, d, n]: [usize; 3], seed: u64| {
        let (g, u, c) = (random([p, d], seed, "g"), random([n, d], seed, "u"), random([1, p], seed, "c"));
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for c in [None, Some(&c)] {
            let patterns = backend.activation_patterns(&upload(&g), c.map(upload).as_ref(), &upload(&u)).unwrap();
            let mut got = backend.download_indices(&patterns).unwrap();
            let values = |u, g, c: Option<_>| reference().affine(&u, &g, c.as_ref(), Activation::Identity).unwrap();
            let (exact, size) = (values(wide(&u), wide(&g), c.map(wide)), values(sizes(&u), sizes(&g), c.map(sizes)));
            let bound = bound(d + 1, &size);
            assert_eq!(difference(&got, &exact, &bound), None, "{p} generators, dimension {d}, {n} directions");
            // The comparison sees a flipped bit, unless rounding explains it.
            if let Some(last) = exact.last().filter(|last| last.abs() > bound[(n - 1, p - 1)]) {
                assert!(last.is_finite());
                got[n * p.div_ceil(32) - 1] ^= 1 << ((p - 1) % 32);
                assert_eq!(difference(&got, &exact, &bound), Some((n - 1, p - 1)));
            }
        }
    };
    for_shapes([0, 0, 0], |(shape, seed)| run(shape, seed));
    run([300, 64, 21], 1);
    run([1000, 5, 130], 2);
}
