//! The proof that what is left of a graph is what was meant.

use std::collections::HashMap;

use super::cut::Edits;
use super::graph::{OperatorGraph, ValueId};
use super::walk::{Analysis, Carried, Value};
use crate::error::{Error, Result};

/// Checks what is left of a graph: with the labels that the units had, nothing meets that was apart, and every value has the
/// shape that was foreseen, for one sample and for two.
///
/// # Errors
///
/// [`Error::Internal`] with the place.
pub(crate) fn check(before: &OperatorGraph, after: &OperatorGraph, edits: &Edits) -> Result<()> {
    let fail = |what: String| Err(Error::Internal { what: format!("the smaller network is wrong: {what}") });
    let old = [Analysis::run(before, 1, false, None)?, Analysis::run(before, 2, false, None)?];
    let labelled = Analysis::run_by(edits.granularity, after, 1, true, Some(&edits.seeds))?;
    let new = [labelled, Analysis::run(after, 2, false, None)?];
    if let Some(place) = &new[0].classes.conflict {
        return fail(format!("{place} mixes different units"));
    }
    let names: HashMap<&str, ValueId> =
        before.values.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let more = |batch: usize| {
        let known = |new: &&Carried| !old[batch].carried.iter().any(|old| old.operator == new.operator);
        new[batch].carried.iter().find(known)
    };
    if let Some(at) = more(0).or_else(|| more(1)) {
        return fail(format!("`{}` {}", after.operators[at.operator].name, at.why.text()));
    }
    for (value, name) in after.values.iter().enumerate() {
        let Some(known) = names.get(name.as_str()).filter(|_| !after.constants.contains_key(&value)) else { continue };
        let [once, twice] = [0, 1].map(|batch| (old[batch].shape(*known), new[batch].shape(value)));
        let wanted = edits.shapes.get(known).cloned().or_else(|| once.0.clone());
        if once.1 != wanted && matches!(new[0].values[value], Value::Flow(_)) {
            return fail(format!("`{name}` has the shape {:?}, not {wanted:?}", once.1));
        }
        // What grows with the number of samples still does.
        if let (Some(one), Some(old_one), Some(old_two), Some(two)) = (&once.1, &once.0, &twice.0, &twice.1) {
            let grows = |(a, b): (&usize, &usize)| a == b;
            let same = one.iter().zip(two).map(grows).eq(old_one.iter().zip(old_two).map(grows));
            if !same && matches!(new[0].values[value], Value::Flow(_)) {
                return fail(format!("`{name}` has the shape {two:?} for two samples"));
            }
        }
    }
    Ok(())
}
