//! Classes of samples.

use super::Array;

/// The class of each sample: whole numbers from 0 on, one per sample, or one-hot rows.
pub(super) fn labels(array: &Array) -> Result<Vec<u32>, String> {
    let Array { name, shape, raw } = array;
    match *shape.as_slice() {
        [_] | [_, 1] => {}
        [_, classes] if classes > 1 => return one_hot(array, classes),
        _ => return Err(format!("`{name}` has shape {shape:?}, expected one label per sample, or one row of classes")),
    }
    let mut labels = Vec::with_capacity(raw.bytes.len() / raw.kind.size());
    let mut wrong = None;
    raw.kind.for_each(&raw.bytes, |value| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range: checked here")]
        if value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0 {
            labels.push(value as u32);
        } else if wrong.is_none() {
            wrong = Some((labels.len(), value));
        }
    });
    match wrong {
        Some((at, value)) => Err(format!("label {value} at sample {at} is not a class number")),
        None => Ok(labels),
    }
}

/// The place of the one in each row, where all other entries are zero.
fn one_hot(Array { name, shape, raw }: &Array, classes: usize) -> Result<Vec<u32>, String> {
    let row = classes * raw.kind.size();
    let classes = raw.bytes.chunks(row).enumerate().map(|(sample, bytes)| {
        let (mut at, mut ones, mut others, mut class) = (0_u32, 0, 0, 0);
        #[expect(clippy::float_cmp, reason = "one-hot labels are exactly 0 and 1")]
        raw.kind.for_each(bytes, |value| {
            if value == 1.0 {
                (ones, class) = (ones + 1, at);
            } else if value != 0.0 {
                others += 1;
            }
            at += 1;
        });
        if ones == 1 && others == 0 {
            return Ok(class);
        }
        Err(format!(
            "`{name}` has shape {shape:?}, expected one label per sample, or rows with a single one among zeros; row \
             {sample} is none"
        ))
    });
    classes.collect()
}
