//! Accuracy of models of which not all operators are computed on backends: `rten` computes them on the CPU.

use super::options::Data;
use super::run::{Accuracy, classify};
use super::timing::Timing;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::format::ModelFile;
use crate::network::{Answers, DeviceClassifier, Program, Runtime, Samples};

/// Accuracy of a model, and the share of samples that `other` classifies alike. What backends do not compute runs on the CPU,
/// see [`Runtime`]; the result says which of the two did.
///
/// # Errors
///
/// [`Error::Unsupported`] with the node that neither computes; what the backend returns.
pub fn evaluate_models<B: Backend>(
    backend: &B,
    model: &ModelFile,
    other: Option<&ModelFile>,
    data: Data<'_>,
    timing: &mut Timing,
) -> Result<(Accuracy, bool)> {
    let (after, here) = answers(backend, model, data, timing)?;
    let before = other.map(|other| answers(backend, other, data, timing)).transpose()?;
    let carried = !here || before.as_ref().is_some_and(|(_, here)| !here);
    let before = before.map(|(before, _)| before);
    Ok((Accuracy::of(before.as_ref().unwrap_or(&after), &after, data.labels.is_some()), carried))
}

/// The answers of a model, and whether the backend gave them.
fn answers<B: Backend>(backend: &B, model: &ModelFile, data: Data<'_>, timing: &mut Timing) -> Result<(Answers, bool)> {
    let width = data.inputs.shape()[1];
    match timing.phase("upload", || DeviceClassifier::upload(backend, &model.network, width)) {
        Ok(device) => {
            let samples =
                timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, device.widest()))?;
            Ok((timing.phase("evaluate", || classify(backend, &device, &samples))?, true))
        }
        Err(Error::Unsupported { problem }) if model.onnx.is_some() => {
            if let Some(answers) = computed(backend, model, data, timing)? {
                return Ok((answers, true));
            }
            let runtime = Runtime::new(&model.network, model.onnx.as_deref());
            let runtime = runtime.map_err(|_| Error::Unsupported { problem })?;
            let (logits, classes) = timing.phase("evaluate", || runtime.outputs(data.inputs))?;
            Ok((ranked(&logits, classes, data.labels)?, false))
        }
        Err(error) => Err(error),
    }
}

/// The answers of the operators of a model on the backend; none where it does not compute one of them.
fn computed<B: Backend>(
    backend: &B,
    model: &ModelFile,
    data: Data<'_>,
    timing: &mut Timing,
) -> Result<Option<Answers>> {
    let Some(source) = &model.onnx else { return Ok(None) };
    let program = match timing.phase("upload", || Program::new(backend, source)) {
        Ok(program) if program.inputs == data.inputs.shape()[1] => program,
        Ok(_) | Err(Error::Unsupported { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let samples = timing.phase("upload", || Samples::upload(backend, data.inputs, data.labels, program.widest))?;
    timing.phase("evaluate", || classify(backend, &program, &samples)).map(Some)
}

/// Classes and ranks of labels from logits, row by row; of equal logits the lowest class comes first.
fn ranked(logits: &[f32], classes: usize, labels: Option<&[u32]>) -> Result<Answers> {
    let mut answers = Answers { classes: Vec::new(), ranks: Vec::new() };
    let number = |at: usize| u32::try_from(at).map_err(|_| Error::Internal { what: "2^32 classes".to_owned() });
    for (at, row) in logits.chunks_exact(classes.max(1)).enumerate() {
        if let Some(index) = row.iter().position(|value| !value.is_finite()) {
            return Err(Error::Data { problem: format!("logit {index} of sample {at} is not finite") });
        }
        let ahead = |label: usize| {
            let own = row[label];
            let before = |(class, value): &(usize, &f32)| **value > own || (**value >= own && *class < label);
            row.iter().enumerate().filter(before).count()
        };
        let best = (0..row.len()).find(|class| ahead(*class) == 0).unwrap_or(0);
        answers.classes.push(number(best)?);
        if let Some(label) = labels.and_then(|labels| labels.get(at)) {
            let label = usize::try_from(*label).ok().filter(|label| *label < row.len());
            let label =
                label.ok_or_else(|| Error::Data { problem: format!("sample {at} has a label beyond the classes") })?;
            answers.ranks.push(number(ahead(label))?);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn ranks_by_hand() {
        let answers = ranked(&[1.0, 3.0, 2.0, 5.0, 5.0, 0.0], 3, Some(&[2, 1])).unwrap();
        assert_eq!(answers.classes, [1, 0]);
        assert_eq!(answers.ranks, [1, 1]);
        assert!(matches!(ranked(&[0.0, f32::NAN], 2, None), Err(Error::Data { .. })));
        assert!(matches!(ranked(&[0.0, 1.0], 2, Some(&[2])), Err(Error::Data { .. })));
    }
}
