//! The refit with one map of the channels for all places that the next layer reads.
//!
//! A flatten of `n` channels of `q` places gives a linear layer `n q` columns: too many for a covariance of all of them, and
//! for the inputs that its fit would take. If the places are alike, `Cov(h_p, h_p') = K_pp' G`, the least squares of
//! `z = sum_p C_p h_p` are `C~_p = C_p M` with one `M = Cov(h, h_S) (Cov(h_S, h_S) + d I)^-1` for all places, and every place of
//! every input is a sample of it. Units are chosen for `R h`, `R^T R = sum_p C_p^T C_p`, whose error is that of `z` for places
//! that vary independently. Means are taken for each column.

use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView2, Axis, s};

use super::moments::{Moments, Reader, Sums};
use super::refit::{choose, refit};
use super::refitter::{Refitter, curve, narrow, shifted};
use super::windows::positions;
use super::{RefitForm, Selection, UnitRefit};
use crate::backend::{Backend, Transpose, Window};
use crate::error::{Error, Result};
use crate::network::{Network, Op, Pair, Reduced};

/// Values of the next layer's weights that are on the device at a time.
const VALUES: usize = 8 << 20;

/// Which units stay.
#[derive(Clone, Copy)]
pub(super) enum Choice<'k> {
    /// The best ones, so many.
    Best(usize),
    /// These, ascending.
    These(&'k [usize]),
}

impl<B: Backend> Refitter<'_, B> {
    /// [`Refitter::select`], or the refit of a choice, with one map for all places.
    pub(super) fn by_channels(
        &mut self,
        current: &Network,
        pair: &Pair,
        choice: Choice<'_>,
    ) -> Result<(Reduced, UnitRefit)> {
        let (n, q) = (pair.units(), pair.block());
        let (next, next_bias) = self.original_next(current, pair)?;
        let (backend, inputs, options) = (self.backend, self.inputs, self.options);
        let weights = stacked_root(&squares(backend, &next.view(), n, q)?);
        let device_weights = backend.upload(&weights)?;
        let once = pair
            .site
            .readers
            .iter()
            .all(|reader| current.node(&reader.node).is_ok_and(|node| matches!(node.op, Op::Linear { .. })));
        let (mut sums, mut columns) = (Sums::new(), Columns::default());
        self.pass(current, pair, &mut |_, p, z, batch| {
            let [rows, width] = backend.shape(p);
            let reader = Reader::Windows(Window::new([n, width / n.max(1), 1], [1, 1]));
            let chosen = positions(reader, batch, inputs, options.seed, &pair.site)?;
            let chosen = chosen.map(|chosen| backend.upload_indices(&chosen)).transpose()?;
            sums.add(backend, [(p, reader), (z, reader)], &device_weights, (chosen.as_ref(), None))?;
            if once {
                let ones = backend.upload(&Array2::<f32>::ones((1, rows)))?;
                let sum = |matrix| backend.download(&backend.matmul(&ones, Transpose::No, matrix, Transpose::No)?);
                columns.add(rows, [sum(p)?, sum(z)?]);
            }
            Ok(())
        })?;
        let all = sums.moments(backend)?;
        backend.trim();
        let (of_values, of_units) = (part(&all, 0, n), part(&all, n, n));
        let selection = match choice {
            Choice::Best(keep) => choose(&[(&of_values, 1)], keep, options.ridge),
            Choice::These(kept) => Selection { order: kept.to_vec(), decreases: Vec::new() },
        };
        let mut kept = selection.order.clone();
        kept.sort_unstable();
        let chosen = refit(&of_values, 1, &kept, options.ridge);
        let map = refit(&of_units, 1, &kept, options.ridge).next;
        let fitted = mapped(backend, &next.view(), &map.mapv(narrow), q)?;
        // Where a convolution reads the units, every place has the mean of its channel.
        let [mean, target_mean] = match columns.means() {
            Some(means) => means,
            None => [&of_units.mean, &of_units.target_mean].map(|means| spread(means, q)),
        };
        let kept_mean: Vec<f64> = kept.iter().flat_map(|unit| mean[unit * q..(unit + 1) * q].iter().copied()).collect();
        let dot = |row: ndarray::ArrayView1<'_, f32>, mean: &[f64]| {
            row.iter().zip(mean).map(|(c, mean)| f64::from(*c) * mean).sum::<f64>()
        };
        let shift = next.rows().into_iter().zip(fitted.rows());
        let shift: Vec<f64> = shift.map(|(old, new)| dot(old, &target_mean) - dot(new, &kept_mean)).collect();
        let reduced = pair.read_by(&kept, fitted, shifted(&next_bias, &shift));
        backend.trim();
        let variance = of_values.variance();
        let curve = curve(variance, &selection);
        Ok((reduced, UnitRefit { form: RefitForm::Channels, inputs, variance, curve, loss: chosen.loss }))
    }
}

/// Sums of columns in the network that shrinks and in the original one.
#[derive(Default)]
struct Columns {
    rows: usize,
    sums: Option<[Array2<f64>; 2]>,
}

impl Columns {
    fn add(&mut self, rows: usize, more: [Array2<f64>; 2]) {
        self.rows += rows;
        match &mut self.sums {
            Some(sums) => sums.iter_mut().zip(&more).for_each(|(sum, more)| *sum += more),
            None => self.sums = Some(more),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
    fn means(self) -> Option<[Vec<f64>; 2]> {
        let rows = self.rows as f64;
        self.sums.map(|sums| sums.map(|sum| (sum / rows).into_iter().collect()))
    }
}

fn spread(means: &[f64], q: usize) -> Vec<f64> {
    means.iter().flat_map(|mean| std::iter::repeat_n(*mean, q)).collect()
}

/// The moments of targets `first .. first + count`.
fn part(moments: &Moments, first: usize, count: usize) -> Moments {
    Moments {
        gram: moments.gram.clone(),
        target: moments.target.slice(s![first..first + count, ..]).to_owned(),
        mean: moments.mean.clone(),
        target_mean: moments.target_mean[first..first + count].to_vec(),
        variances: moments.variances[first..first + count].to_vec(),
    }
}

/// Rows of weights, and the window under which they are rows of `n` channels, one for each place.
fn chunks<'m>(next: &'m ArrayView2<'_, f32>) -> ndarray::iter::AxisChunksIter<'m, f32, ndarray::Ix2> {
    next.axis_chunks_iter(Axis(0), (VALUES / next.ncols().max(1)).max(1))
}

/// `sum_p C_p^T C_p`: `n x n`.
fn squares<B: Backend>(backend: &B, next: &ArrayView2<'_, f32>, n: usize, q: usize) -> Result<Array2<f64>> {
    let mut sum = Array2::zeros((n, n));
    for rows in chunks(next) {
        let places = backend.unfold(&backend.upload(&rows)?, &Window::new([n, q, 1], [1, 1]), None)?;
        sum += &backend.download(&backend.matmul(&places, Transpose::Yes, &places, Transpose::No)?)?;
    }
    Ok(sum)
}

/// A root `R` of a positive semi-definite matrix, `R^T R = W`, and the identity below it: `2 n x n`.
fn stacked_root(squares: &Array2<f64>) -> Array2<f32> {
    let n = squares.nrows();
    let matrix = DMatrix::from_fn(n, n, |i, j| 0.5 * (squares[[i, j]] + squares[[j, i]]));
    let eigen = nalgebra::SymmetricEigen::new(matrix);
    Array2::from_shape_fn((2 * n, n), |(i, j)| match i.checked_sub(n) {
        None => narrow(eigen.eigenvalues[i].max(0.0).sqrt() * eigen.eigenvectors[(j, i)]),
        Some(row) => f32::from(u8::from(row == j)),
    })
}

/// `C_p M` for each place: `m x K q` with the columns of a unit side by side.
fn mapped<B: Backend>(backend: &B, next: &ArrayView2<'_, f32>, map: &Array2<f32>, q: usize) -> Result<Array2<f32>> {
    let (n, kept) = map.dim();
    let device_map = backend.upload(map)?;
    let mut result = Array2::zeros((next.nrows(), kept * q));
    let mut first = 0;
    for rows in chunks(next) {
        let places = backend.unfold(&backend.upload(&rows)?, &Window::new([n, q, 1], [1, 1]), None)?;
        let values = backend.download(&backend.matmul(&places, Transpose::No, &device_map, Transpose::No)?)?;
        if values.dim() != (rows.nrows() * q, kept) {
            return Err(Error::Internal { what: format!("a map of {:?} values", values.dim()) });
        }
        for (row, mut out) in result.slice_mut(s![first..first + rows.nrows(), ..]).rows_mut().into_iter().enumerate() {
            out.iter_mut().enumerate().for_each(|(at, out)| *out = narrow(values[[row * q + at % q, at / q]]));
        }
        first += rows.nrows();
    }
    Ok(result)
}
