//! How large a subdivision may become.

use super::DualSubdivision;
use crate::error::{Error, Result};

/// The most facets that a hull of `n` points of `R^d` can have (the upper bound theorem of `McMullen`).
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn most_facets(n: usize, d: usize) -> f64 {
    let choose = |n: usize, k: usize| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    if n <= d {
        return 0.0;
    }
    choose(n - d.div_ceil(2), d / 2) + choose(n - 1 - (d + 1).div_ceil(2), (d - 1) / 2)
}

pub(super) fn check_size(monomials: usize, dimension: usize) -> Result<()> {
    let simplices = most_facets(monomials, dimension);
    if simplices <= DualSubdivision::MOST_SIMPLICES {
        return Ok(());
    }
    // A simplex holds its vertices and neighbours, and lists.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let gigabytes = simplices * (96 + 16 * dimension) as f64 / 1e9;
    let problem = format!(
        "the dual subdivision of {monomials} monomials in {} variables may take {simplices:.1e} simplices, about \
         {gigabytes:.0} GB; the limit is {:.0e}: take out monomials that are never attained, or evaluate at points only",
        dimension - 1,
        DualSubdivision::MOST_SIMPLICES
    );
    Err(Error::Unsupported { problem })
}
