//! The workloads of point samples and zonotopes.

use std::f64::consts::PI;
use std::time::Instant;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use super::data::{array, value};
use super::workload::{Download, Prepared, Results, Unit};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::hausdorff::directed_hausdorff;
use crate::geometry::{Zonotope, zonotope_patterns, zonotope_polygon};

/// Bytes that vertices may take.
const MEMORY: u64 = 1 << 30;

/// Entry `index` of operand `operand`, normal, by Box and Muller from two [`value`]s, rounded to f32.
fn normal(seed: u64, operand: u64, index: u64) -> f64 {
    let uniform = |at: u64| f64::from(value(seed, operand, at));
    let radius = (-2.0 * (0.5 * (uniform(2 * index) + 1.0) + 2.0_f64.powi(-25)).ln()).sqrt();
    radius * (PI * uniform(2 * index + 1)).cos()
}

fn normals(
    seed: u64,
    operand: u64,
    [rows, columns]: [usize; 2],
    entry: impl Fn(usize, usize, f64) -> f64 + Sync,
) -> Array2<f32> {
    let mut values = Array2::<f32>::zeros((rows, columns));
    values.axis_iter_mut(Axis(0)).enumerate().collect::<Vec<_>>().into_par_iter().for_each(|(i, mut row)| {
        for (k, slot) in row.iter_mut().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
            let rounded = entry(i, k, normal(seed, operand, (i * columns + k) as u64)) as f32;
            *slot = rounded;
        }
    });
    values
}

/// Gets ready for a directed Hausdorff distance. Near copies of `y` are its rows `7919 i + 13 mod m` plus 0.01 times
/// normal values. Operands stay on the host: the method decides what of them the device gets.
pub(super) fn hausdorff<B: Backend>(backend: &B, [n, d, m]: [usize; 3], near: bool, seed: u64) -> Result<Prepared<'_>> {
    let y = normals(seed, 2, [m, d], |_, _, value| value);
    let x = if near {
        normals(seed, 1, [n, d], |i, k, value| f64::from(y[[(7919 * i + 13) % m, k]]) + 0.01 * value)
    } else {
        normals(seed, 1, [n, d], |_, _, value| value)
    };
    let run = move || -> Result<Download<'_>> {
        let found = directed_hausdorff(backend, x.view(), y.view(), seed)?;
        Ok(Box::new(move || Ok(Results::of(Array2::from_elem((1, 1), found.pair.distance)))))
    };
    let check = |results: &Results| results.matrices.first().map_or(0.0, |distance| distance.sum());
    let work = 3.0 * n as f64 * d as f64 * m as f64;
    Ok(Prepared { upload: (0.0, 0), work, unit: Unit::Flops, run: Box::new(run), check: Box::new(check) })
}

/// Gets ready for all vertices of a zonotope.
pub(super) fn vertices<'a>([p, d]: [usize; 2], seed: u64) -> Result<Prepared<'a>> {
    let start = Instant::now();
    let zonotope = Zonotope::new(array(seed, 1, [p, d])?.mapv(f64::from), None)?;
    let upload = (start.elapsed().as_secs_f64(), 0);
    let subsets: f64 = (0..d.saturating_sub(1)).map(|i| (p as f64 - i as f64) / (i as f64 + 1.0)).product();
    let (work, unit) = match d {
        2 => (48.0 * p as f64, Unit::Bytes),
        _ => (2.0 * subsets.max(1.0) * p as f64 * d as f64, Unit::Flops),
    };
    let run = move || -> Result<Download<'a>> {
        let vertices = if d == 2 {
            let polygon = zonotope_polygon(&zonotope)?;
            let entries = polygon.vertices().as_flattened().to_vec();
            Array2::from_shape_vec((polygon.len(), 2), entries)
                .map_err(|error| Error::Internal { what: error.to_string() })?
        } else {
            let patterns = zonotope_patterns(&zonotope, MEMORY)?;
            patterns.vertices(zonotope.generators(), &vec![0.0; d])
        };
        Ok(Box::new(move || Ok(Results::of(vertices))))
    };
    let check = |results: &Results| {
        let Some(vertices) = results.matrices.first() else { return 0.0 };
        let length = |row: ndarray::ArrayView1<'_, f64>| row.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        vertices.rows().into_iter().map(length).sum::<f64>() / vertices.nrows().max(1) as f64
    };
    Ok(Prepared { upload, work, unit, run: Box::new(run), check: Box::new(check) })
}
