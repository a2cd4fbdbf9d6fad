//! What a comparison with the reference says.

use crate::prune::{LogitCheck, Verification};

/// A check of logits in a line.
#[must_use]
pub fn logits_text(check: &LogitCheck) -> String {
    format!(
        "{} samples, largest deviation of a logit {:.2e}, {:.0} % of its bound",
        check.samples,
        check.deviation,
        check.share_of_bound * 100.0
    )
}

/// Logits before and after, and the decisions on single weights.
#[must_use]
pub fn verification_text(found: &Verification) -> String {
    let (before, after) = (logits_text(&found.before), logits_text(&found.after));
    let mut text = format!("reference, before: {before}\nreference, after:  {after}");
    match &found.masks {
        None => text.push_str("\nmasks: not recomputed, the network is too large for the reference"),
        Some(masks) if masks.differing == 0 => {
            text.push_str(&format!("\nmasks: the same {} decisions as the reference", masks.elements));
        }
        Some(masks) => {
            text.push_str(&format!(
                "\nmasks: {} of {} decisions differ from the reference; largest relative gap of scores {:.1e}, tie \
                 within {:.0e}",
                masks.differing, masks.elements, masks.largest_gap, masks.tolerance
            ));
            for (layer, i, j, score, cut) in &masks.examples {
                text.push_str(&format!("\n  `{layer}` [{i}, {j}]: score {score:.9e}, cut {cut:.9e}"));
            }
        }
    }
    text
}
