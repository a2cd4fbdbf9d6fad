//! Means of clusters: the members of a cluster are added up in ascending order, block by block of points, then divided.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::Grid;
use super::kernel::Source;
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::{ClusterMeans, check};
use crate::error::Result;

const WGSL: &str =
    concat!(include_str!("../../../shaders/cluster_means.wgsl"), include_str!("../../../shaders/grid.wgsl"));
pub(super) const SUMS: Source = Source { stem: "cluster_means", entry: "cluster_sums", wgsl: WGSL, trusted: false };
const MEANS: Source = Source { stem: "cluster_means", entry: "cluster_means", wgsl: WGSL, trusted: false };

/// Columns of one workgroup of the sums.
const TILE: usize = 256;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SumParams {
    points: u32,
    first_point: u32,
    first_label: u32,
    columns: u32,
    clusters: u32,
    first_cluster: u32,
    first_row: u32,
    first_count: u32,
    tiles: u32,
    resume: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct MeanParams {
    clusters: u32,
    first_cluster: u32,
    first_row: u32,
    first_count: u32,
    columns: u32,
}

pub(super) fn cluster_means(
    context: &Context,
    points: &Matrix,
    labels: &Indices,
    previous: &Matrix,
) -> Result<ClusterMeans<Matrix, Indices>> {
    let [k, d] = check::cluster_means(points.shape(), labels.blocks.rows, previous.shape())?;
    let mut centres = Matrix::new(context, "cluster_means", [k, d])?;
    let mut counts = Indices::new(context, "cluster_means", k)?;
    let mut moved = Matrix::new(context, "cluster_means", [1, k])?;
    let mut offsets = Matrix::new(context, "cluster_means", [1, k])?;
    let (sums_kernel, grid) = (context.kernel(&SUMS, Grid::new(64).constants())?, Grid::new(d));
    let means_kernel = context.kernel(&MEANS, grid.constants())?;
    let tiles = d.div_ceil(TILE).max(1);
    let traffic = usize::try_from(context.traffic).unwrap_or(usize::MAX);
    // Points without columns have counts all the same.
    let mut none = context.storage("cluster_means", 4)?;
    // Earlier centres and new ones have one shape, and so the same blocks.
    for clusters in parts(0..k, &[centres.blocks.step, counts.blocks.step], traffic / d.max(1)) {
        let (count, first_count) = counts.blocks.locate_mut(clusters.start)?;
        let (out, first_row) = if d == 0 { (&mut none, 0) } else { centres.blocks.locate_mut(clusters.start)? };
        let most = traffic / (d + clusters.len() * tiles);
        let mut runs = parts(0..points.shape()[0], &[points.blocks.step, labels.blocks.step], most);
        if runs.is_empty() {
            // An empty sum is still to be written.
            runs.push(0..0);
        }
        for run in runs {
            let (block, first_point) =
                if d == 0 || run.is_empty() { (context.empty(), 0) } else { points.blocks.locate(run.start)? };
            let (marks, first_label) =
                if run.is_empty() { (context.empty(), 0) } else { labels.blocks.locate(run.start)? };
            let params = SumParams {
                points: word(run.len())?,
                first_point,
                first_label,
                columns: word(d)?,
                clusters: word(clusters.len())?,
                first_cluster: word(clusters.start)?,
                first_row,
                first_count,
                tiles: word(tiles)?,
                resume: u32::from(run.start > 0),
            };
            let launch = context.launch(&sums_kernel).params(&params).read(block).read_words(marks);
            launch.write(&mut *out).write_words(&mut *count).dispatch((clusters.len() * tiles) as u64)?;
        }
        let earlier = if d == 0 { context.empty() } else { previous.blocks.locate(clusters.start)?.0 };
        let params = MeanParams {
            clusters: word(clusters.len())?,
            first_cluster: word(clusters.start)?,
            first_row,
            first_count,
            columns: word(d)?,
        };
        let launch = context.launch(&means_kernel).params(&params).read_words(count).read(earlier).write(out);
        let launch = launch.write(moved.blocks.locate_mut(0)?.0).write(offsets.blocks.locate_mut(0)?.0);
        launch.dispatch(grid.reductions(clusters.len()))?;
    }
    Ok(ClusterMeans { centres, counts, moved, offsets })
}
