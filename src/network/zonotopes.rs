//! The class zonotopes of one block (Affine, ReLU, Affine) of a head.

use ndarray::{Array1, Array2};

use super::head::Head;
use crate::error::{Error, Result};
use crate::geometry::Zonotope;

/// Entries that generators of all asked classes may have together: 2 GiB in f64.
const ENTRIES: usize = 1 << 28;

/// Which coefficients weigh the generators of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassWeights {
    /// `w_i = B(i, :) + N` with `N = sum_l max(-B(l, :), 0)`: the joint form of 2002.08838, corollary 1, for k classes.
    Joint,
    /// `w_i = B(i, :) - min_l B(l, :)`: the smallest that leave the decision boundary where it is.
    Minimal,
}

/// The zonotopes with the generators `Diag(w_i) [A | c]` of the classes `i` of a block `B max(A x + c, 0) + b`, in
/// dimension `n + 1`, or `n` where the layer has no bias. The shift, common to all classes, is left out.
///
/// `layer`: the name of the layer of `A`, the last one before the output by default; `class`: one class, all by default.
///
/// # Errors
///
/// [`Error::Unsupported`] for a head without a hidden layer, a layer that is not hidden, or more entries than 2 GiB hold;
/// [`Error::Argument`] for a class that is not there.
pub fn class_zonotopes(
    head: &Head,
    layer: Option<&str>,
    class: Option<usize>,
    weights: ClassWeights,
) -> Result<Vec<Zonotope>> {
    let hidden = head.layers.len().saturating_sub(1);
    let names = || head.layers[..hidden].iter().map(|layer| layer.name.clone()).collect::<Vec<_>>().join("`, `");
    let at = match layer {
        Some(name) => head.layers[..hidden].iter().position(|layer| layer.name == name),
        None => hidden.checked_sub(1),
    };
    let Some(at) = at else {
        let problem = match layer {
            Some(name) if hidden > 0 => format!("`{name}` is no hidden layer of the head; there are: `{}`", names()),
            _ => "a zonotope needs a block: two linear layers with ReLU between them".to_owned(),
        };
        return Err(Error::Unsupported { problem });
    };
    let (first, second) = (&head.layers[at], &head.layers[at + 1]);
    let [p, n] = first.weight.matrix_shape();
    let [k, _] = second.weight.matrix_shape();
    if let Some(class) = class.filter(|class| *class >= k) {
        let problem = format!("{class}: layer `{}` has {k} outputs, numbered from 0", second.name);
        return Err(Error::Argument { argument: "class", problem });
    }
    let classes = class.map_or(0..k, |class| class..class + 1);
    let width = n + usize::from(first.bias.is_some());
    if p.saturating_mul(width).saturating_mul(classes.len()) > ENTRIES {
        let problem = format!(
            "{} classes of {p} generators in dimension {width} take more than 2 GiB: choose one with `--class`",
            classes.len()
        );
        return Err(Error::Unsupported { problem });
    }
    let rows = first.weight.to_vec();
    let constants = first.bias.as_ref().map(super::Tensor::to_vec);
    let b = second.weight.to_vec();
    let column = |j: usize| (0..k).map(move |l| l * p + j);
    let base: Vec<f64> = (0..p)
        .map(|j| {
            let entries = column(j).map(|at| f64::from(b[at]));
            match weights {
                ClassWeights::Joint => entries.map(|entry| (-entry).max(0.0)).sum(),
                ClassWeights::Minimal => -entries.fold(f64::INFINITY, f64::min),
            }
        })
        .collect();
    classes
        .map(|class| {
            let generators = Array2::from_shape_fn((p, width), |(j, column)| {
                let entry = if column < n { rows[j * n + column] } else { constants.as_ref().map_or(0.0, |c| c[j]) };
                (f64::from(b[class * p + j]) + base[j]) * f64::from(entry)
            });
            Zonotope::new(generators, Some(Array1::zeros(width)))
        })
        .collect()
}
