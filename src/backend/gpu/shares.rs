//! Sums over long inner ranges: few tiles leave most of an adapter idle, so that workgroups take shares of the inner range
//! and a second pass adds their sums.

use bytemuck::{Pod, Zeroable};

use super::affine;
use super::context::Context;
use super::contraction::Step;
use super::grid::lanes;
use super::kernel::Source;
use super::matrix::word;
use super::pool::Buffer;
use super::tile::Tile;
use crate::error::Result;

const SOURCE: Source = Source { entry: "affine_shares", ..affine::SOURCE };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    columns: u32,
    shares: u32,
    z_row: u32,
    z_column: u32,
    z_stride: u32,
    resume: u32,
    bias: u32,
    relu: u32,
}

/// Where the tiles of a dispatch are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) stride: u32,
    /// Words from one share to the next.
    pub(super) share: u32,
    /// Whether the sums over earlier parts of the inner range lie there.
    pub(super) resume: bool,
}

/// What happens to a sum at the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finish<'a> {
    pub(super) bias: Option<&'a Buffer>,
    pub(super) relu: bool,
}

/// Stores the tiles of a step at `place` of `out`, with `dispatch` and, for several shares, with one more kernel.
///
/// `dispatch` gets the buffer to write, the place in it, and what it does at the end: nothing if the other kernel does.
pub(super) fn store<'a>(
    context: &Context,
    tile: &Tile,
    step: &Step<'_>,
    place: Place,
    finish: Finish<'a>,
    out: &mut Buffer,
    dispatch: impl FnOnce(&mut Buffer, Place, Finish<'a>) -> Result<()>,
) -> Result<()> {
    let shares = step.shape.shares();
    if shares == 1 {
        return dispatch(out, place, finish);
    }
    let (rows, columns) = (word(step.rows.len())?, step.shape.columns());
    let entries = rows as usize * columns as usize;
    let mut sums = context.storage("affine", u64::from(shares) * entries as u64 * 4)?;
    let first = Place { row: 0, column: 0, stride: columns, share: word(entries)?, resume: false };
    dispatch(&mut sums, first, Finish::default())?;
    let params = Params {
        rows,
        columns,
        shares,
        z_row: place.row,
        z_column: place.column,
        z_stride: place.stride,
        resume: u32::from(place.resume),
        bias: u32::from(finish.bias.is_some()),
        relu: u32::from(finish.relu),
    };
    // The module needs the constants of some tile; this kernel uses none.
    let kernel = context.kernel(&SOURCE, tile.constants())?;
    let launch = context.launch(&kernel).params(&params).read(&sums).read_or_empty(finish.bias);
    launch.write(out).dispatch(lanes(entries))
}
