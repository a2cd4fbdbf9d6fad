//! The workload of k-means.

use std::time::Instant;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::data::array;
use super::workload::{Download, Prepared, Results, Unit, drained};
use crate::backend::Backend;
use crate::error::Result;

/// Corners around which points lie.
const CORNERS: usize = 256;

/// Directions along which the points of a corner spread.
const SPREAD: usize = 4;

/// Points around corners, spread along a few directions common to all, with a little noise in every one:
/// `x_i = g_(i mod 256) + sum_l z_il b_l + 0.1 e_i`, where z, b, g and e are the operands 1 to 4, rounded to f32.
fn clustered(seed: u64, [n, d]: [usize; 2]) -> Result<Array2<f32>> {
    let (spread, directions) = (array(seed, 1, [n, SPREAD])?, array(seed, 2, [SPREAD, d])?);
    let (corners, noise) = (array(seed, 3, [CORNERS, d])?, array(seed, 4, [n, d])?);
    let mut points = Array2::zeros((n, d));
    points.axis_iter_mut(Axis(0)).enumerate().collect::<Vec<_>>().into_par_iter().for_each(|(i, mut row)| {
        for (j, slot) in row.iter_mut().enumerate() {
            let mut entry = f64::from(corners[[i % CORNERS, j]]);
            for l in 0..SPREAD {
                entry += f64::from(spread[[i, l]]) * f64::from(directions[[l, j]]);
            }
            #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
            let rounded = (entry + 0.1 * f64::from(noise[[i, j]])) as f32;
            *slot = rounded;
        }
    });
    Ok(points)
}

/// The points that are the first centres: of the first half of the corners only, so that centres have a way to go.
/// At most a quarter of the points.
fn seeds(n: usize, clusters: usize) -> Vec<usize> {
    let half: Vec<usize> = (0..n).filter(|i| i % CORNERS < CORNERS / 2).collect();
    (0..clusters.min(n / 4).max(1)).filter_map(|k| half.get((7919 * k) % half.len()).copied()).collect()
}

/// Gets ready for some iterations of Lloyd's method from given centres.
pub(super) fn prepare<B: Backend>(
    backend: &B,
    [n, d, k]: [usize; 3],
    iterations: usize,
    seed: u64,
) -> Result<Prepared<'_>> {
    let points = clustered(seed, [n, d])?;
    let centres = points.select(Axis(0), &seeds(n, k));
    let start = Instant::now();
    let (on_device, seeds) = (backend.upload(&points)?, backend.upload(&centres)?);
    drained(backend)?;
    let upload = (start.elapsed().as_secs_f64(), 4 * (points.len() + centres.len()));
    let work = 2.0 * iterations as f64 * n as f64 * d as f64 * centres.nrows() as f64;
    let run = move || -> Result<Download<'_>> {
        let found = backend.lloyd(&on_device, &seeds, iterations)?;
        Ok(Box::new(move || {
            let mut matrices = vec![backend.download(&found.centres)?];
            for moved in &found.moved {
                matrices.push(backend.download(moved)?);
            }
            let moves = matrices.get(1..).unwrap_or_default();
            let settled = moves.iter().position(|moved| moved.iter().all(|square| *square == 0.0));
            let iterations = Some(settled.map_or(moves.len(), |at| at + 1));
            Ok(Results { matrices, indices: vec![backend.download_indices(&found.labels)?], iterations })
        }))
    };
    let check = move |results: &Results| {
        let (Some(centres), Some(labels)) = (results.matrices.first(), results.indices.first()) else { return 0.0 };
        let gap = |(row, label): (ndarray::ArrayView1<'_, f32>, &u32)| {
            let centre = centres.row(*label as usize);
            row.iter().zip(centre).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum::<f64>()
        };
        points.rows().into_iter().zip(labels).map(gap).sum::<f64>() / n as f64
    };
    Ok(Prepared { upload, work, unit: Unit::Flops, run: Box::new(run), check: Box::new(check) })
}
