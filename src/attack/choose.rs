//! Which samples are attacked, and where they are driven to.

use ndarray::Array2;
use rand::RngExt;

use super::network::DualHead;
use super::options::Targets;
use super::run::Subject;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::dataset::shuffle;
use crate::network::{Answers, Program, Samples};
use crate::prune::Data;
use crate::rng;

/// Which samples a network classifies as their label says.
///
/// # Errors
///
/// [`Error::Data`] without labels; what the backend returns.
pub fn correct_samples<B: Backend>(backend: &B, subject: Subject<'_>, data: Data<'_>) -> Result<Vec<bool>> {
    if data.labels.is_none() {
        return Err(Error::Data { problem: "robust accuracy needs labels".to_owned() });
    }
    let answers = match subject {
        Subject::Head(head) => {
            let head = DualHead::upload(backend, head)?;
            let samples = Samples::upload(backend, data.inputs, data.labels, head.rows.max(head.inputs))?;
            samples.classify(backend, &head)?.download(backend)?
        }
        Subject::Graph(source) => {
            let program = Program::new(backend, source)?;
            let samples = Samples::upload(backend, data.inputs, data.labels, program.widest)?;
            samples.classify(backend, &program)?.download(backend)?
        }
    };
    let Answers { ranks, .. } = answers;
    Ok(ranks.into_iter().map(|rank| rank == 0).collect())
}

/// At most `count` of the samples for which `eligible` holds, by the stream `attack/samples` of the seed, in ascending order.
///
/// # Errors
///
/// [`Error::Data`] if there is none.
pub fn draw(eligible: &[bool], count: usize, seed: u64) -> Result<Vec<usize>> {
    let mut numbers: Vec<usize> = (0..eligible.len()).filter(|at| eligible[*at]).collect();
    if numbers.is_empty() {
        let problem =
            format!("all {} samples are misclassified: there is no accuracy that could be robust", eligible.len());
        return Err(Error::Data { problem });
    }
    shuffle(&mut numbers, &mut rng::stream(seed, "attack/samples"));
    numbers.truncate(count);
    numbers.sort_unstable();
    Ok(numbers)
}

/// Some rows of a data set, and their labels.
///
/// # Errors
///
/// [`Error::Data`] without labels; what reading returns.
pub(super) fn pick(data: Data<'_>, numbers: &[usize]) -> Result<(Array2<f32>, Vec<u32>)> {
    let labels = data.labels.ok_or_else(|| Error::Data { problem: "robust accuracy needs labels".to_owned() })?;
    let width = data.inputs.shape()[1];
    let mut rows = Array2::zeros((numbers.len(), width));
    for (number, mut row) in numbers.iter().zip(rows.rows_mut()) {
        if let Some(row) = row.as_slice_mut() {
            data.inputs.read_rows(*number, row)?;
        }
    }
    Ok((rows, numbers.iter().map(|number| labels[*number]).collect()))
}

/// The targets of each round: one list for all samples, or one for each other class.
///
/// # Errors
///
/// [`Error::Argument`] for a target that is no class or the label of a sample, or for fewer than two classes.
pub(super) fn targets(how: Targets, labels: &[u32], classes: usize, seed: u64) -> Result<Vec<Vec<u32>>> {
    let fail = |problem: String| Err(Error::Argument { argument: "target", problem });
    let classes = u32::try_from(classes).unwrap_or(u32::MAX);
    if classes < 2 {
        return fail(format!("there is no other class: the network has {classes}"));
    }
    let other = |label: u32, step: u32| (label + step) % classes;
    match how {
        Targets::Random => {
            let mut stream = rng::stream(seed, "attack/targets");
            Ok(vec![labels.iter().map(|label| other(*label, stream.random_range(1..classes))).collect()])
        }
        Targets::Best => {
            Ok((1..classes).map(|step| labels.iter().map(|label| other(*label, step)).collect()).collect())
        }
        Targets::Class(target) if target >= classes => fail(format!("{target}: classes are 0 to {}", classes - 1)),
        Targets::Class(target) => match labels.iter().position(|label| *label == target) {
            Some(at) => fail(format!("{target} is the class that drawn sample {at} has already")),
            None => Ok(vec![vec![target; labels.len()]]),
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn targets_are_other_classes() {
        let labels = [0, 2, 1, 2];
        for list in targets(Targets::Random, &labels, 3, 1).unwrap() {
            assert!(list.iter().zip(&labels).all(|(target, label)| target != label && *target < 3));
        }
        assert_eq!(targets(Targets::Best, &labels, 3, 0).unwrap(), [[1, 0, 2, 0], [2, 1, 0, 1]]);
        assert!(targets(Targets::Class(1), &labels, 3, 0).unwrap_err().to_string().contains("sample 2"));
        assert!(targets(Targets::Class(3), &labels, 3, 0).unwrap_err().to_string().contains("classes are 0 to 2"));
        assert!(targets(Targets::Random, &labels, 1, 0).is_err());
    }

    #[test]
    fn samples_are_drawn_among_those_that_may_be() {
        let found = draw(&[true, false, true, true], 2, 3).unwrap();
        assert!(found.len() == 2 && !found.contains(&1) && found[0] < found[1]);
        assert_eq!(draw(&[true, false, true, true], 9, 0).unwrap(), [0, 2, 3]);
        assert!(draw(&[false; 3], 2, 0).unwrap_err().to_string().contains("all 3 samples are misclassified"));
    }
}
