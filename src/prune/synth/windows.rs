//! The windows of a convolution whose rows moments are taken over.

use super::moments::Reader;
use super::prior::SyntheticInputs;
use crate::backend::Window;
use crate::error::{Error, Result};
use crate::network::{Network, Op, Site};

/// Rows that the moments of one layer are taken over at most, unless it has more inputs than that: more windows of
/// convolutions do not change what is chosen.
const ROWS: usize = 20_000;

/// Multiply-adds of a covariance: with more columns there are fewer rows.
const COVARIANCE: usize = 200_000_000_000;

/// Rows for so many columns, at least twice as many.
fn rows(columns: usize) -> usize {
    let columns = columns.max(1);
    (COVARIANCE / columns / columns).max(2 * columns).min(ROWS)
}

/// How a node reads its input.
pub(super) fn reader(network: &Network, name: &str) -> Result<Reader> {
    let node = network.node(name)?;
    let Op::Conv { window, .. } = &node.op else { return Ok(Reader::Columns) };
    let shapes = network.shapes().map_err(|breaks| Error::Internal { what: breaks.join("; ") })?;
    let from = node.inputs.first().and_then(|input| network.nodes.iter().position(|node| node.name == *input));
    match from.and_then(|at| shapes.get(at)).and_then(Option::as_deref) {
        Some(&[channels, height, width]) => Ok(Reader::Windows(Window {
            image: [channels, height, width],
            kernel: window.size,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
        })),
        _ => Err(Error::Internal { what: format!("the image that `{name}` reads is not known") }),
    }
}

/// The windows of a batch of inputs whose rows are taken, the same ones for each network: all, or as many of each input
/// as keep the rows of all inputs within [`rows`], at least one.
pub(super) fn positions(
    reader: Reader,
    batch: std::ops::Range<usize>,
    inputs: usize,
    seed: u64,
    site: &Site,
) -> Result<Option<Vec<u32>>> {
    let Reader::Windows(window) = reader else { return Ok(None) };
    let [height, width] = window.positions()?;
    let columns = window.image[0] * window.entries();
    let (all, each) = (height * width, (rows(columns) / inputs.max(1)).max(1));
    if each >= all {
        return Ok(None);
    }
    let first = batch.start;
    let of_input = |input: usize| {
        let name = format!("windows/{}/{input}", site.layer);
        let chosen = SyntheticInputs::distinct(seed, &name, all, each);
        chosen.into_iter().map(move |at| (input - first) * all + at)
    };
    let chosen = batch.flat_map(of_input).map(u32::try_from).collect::<std::result::Result<Vec<u32>, _>>();
    chosen.map(Some).map_err(|_| Error::Internal { what: "too many windows in a batch".to_owned() })
}
