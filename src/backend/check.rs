//! The shape rules of the contracts, one function per operation, shared by the backends.

use super::{Adam, HalfStep, Transpose, Window};
use crate::error::{Error, Result};

type Shape = [usize; 2];

/// Fails unless `got` equals `expected`.
fn same(operation: &'static str, operand: &'static str, got: Shape, expected: Shape) -> Result<()> {
    rule(operation, operand, got, got == expected, || format!("{} x {}", expected[0], expected[1]))
}

fn rule(
    operation: &'static str,
    operand: &'static str,
    got: Shape,
    holds: bool,
    expected: impl Fn() -> String,
) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Shape { operation, operand, expected: expected(), got }) }
}

/// Fails unless an optional row vector has `length` entries.
fn vector(operation: &'static str, operand: &'static str, got: Option<Shape>, length: usize) -> Result<()> {
    got.map_or(Ok(()), |got| same(operation, operand, got, [1, length]))
}

/// Returns the shape of the product.
pub(crate) fn affine(x: Shape, weights: Shape, bias: Option<Shape>) -> Result<Shape> {
    same("affine", "weights", weights, [weights[0], x[1]])?;
    vector("affine", "bias", bias, weights[0])?;
    Ok([x[0], weights[0]])
}

/// Returns rows, columns and inner length of the product.
pub(crate) fn matmul(a: Shape, transpose_a: Transpose, b: Shape, transpose_b: Transpose) -> Result<[usize; 3]> {
    let turn = |shape: Shape, transpose| if transpose == Transpose::Yes { [shape[1], shape[0]] } else { shape };
    let ([n, inner], [inner_b, m]) = (turn(a, transpose_a), turn(b, transpose_b));
    rule("matmul", "b", b, inner == inner_b, || format!("inner length {inner}"))?;
    Ok([n, m, inner])
}

/// Returns the shape of the product.
pub(crate) fn max_plus_matmul(a: Shape, b: Shape) -> Result<Shape> {
    rule("max_plus_matmul", "a", a, a[1] > 0, || "an inner length of at least 1".to_owned())?;
    same("max_plus_matmul", "b", b, [a[1], b[1]])?;
    Ok([a[0], b[1]])
}

/// Returns the number of rows of `x`.
pub(crate) fn nearest(x: Shape, y: Shape) -> Result<usize> {
    same("nearest", "y", y, [y[0], x[1]])?;
    rule("nearest", "y", y, y[0] > 0, || "at least one row".to_owned())?;
    Ok(x[0])
}

/// Returns the shape of the centres.
pub(crate) fn cluster_means(points: Shape, labels: usize, previous: Shape) -> Result<Shape> {
    same("cluster_means", "labels", [labels, 1], [points[0], 1])?;
    same("cluster_means", "previous", previous, [previous[0], points[1]])?;
    Ok(previous)
}

/// Fails unless there are centres, and iterations to make.
pub(crate) fn lloyd(points: Shape, centres: Shape, iterations: usize) -> Result<()> {
    same("lloyd", "centres", centres, [centres[0], points[1]])?;
    rule("lloyd", "centres", centres, centres[0] > 0, || "at least one row".to_owned())?;
    if iterations > 0 {
        return Ok(());
    }
    Err(Error::Argument { argument: "iterations", problem: "there is none to make".to_owned() })
}

/// Returns the number of points.
pub(crate) fn tropical_eval(points: Shape, exponents: Shape, coefficients: Shape) -> Result<usize> {
    same("tropical_eval", "exponents", exponents, [exponents[0], points[1]])?;
    rule("tropical_eval", "exponents", exponents, exponents[0] > 0, || "at least one monomial".to_owned())?;
    same("tropical_eval", "coefficients", coefficients, [1, exponents[0]])?;
    Ok(points[0])
}

/// Returns the shape of the stacked generators.
pub(crate) fn generators(weights: Shape, rows: Shape, constants: Option<Shape>) -> Result<Shape> {
    same("generators", "weights", weights, [weights[0], rows[0]])?;
    vector("generators", "constants", constants, rows[0])?;
    Ok([weights[0] * rows[0], rows[1] + usize::from(constants.is_some())])
}

/// Returns the number of directions.
pub(crate) fn support_function(generators: Shape, shift: Option<Shape>, directions: Shape) -> Result<usize> {
    same("support_function", "generators", generators, [generators[0], directions[1]])?;
    vector("support_function", "shift", shift, directions[1])?;
    Ok(directions[0])
}

/// Returns the number of components.
pub(crate) fn relu_covariance(mean: Shape, covariance: Shape) -> Result<usize> {
    same("relu_covariance", "covariance", covariance, [mean[1], mean[1]])?;
    same("relu_covariance", "mean", mean, [1, mean[1]])?;
    Ok(mean[1])
}

/// Returns the shape of the result, directions and classes.
pub(crate) fn class_supports(weights: Shape, generators: Shape, directions: Shape) -> Result<Shape> {
    same("class_supports", "weights", weights, [weights[0], generators[0]])?;
    same("class_supports", "generators", generators, [generators[0], directions[1]])?;
    Ok([directions[0], weights[0]])
}

/// Returns the number of directions and of words for each of them.
pub(crate) fn activation_patterns(generators: Shape, constants: Option<Shape>, directions: Shape) -> Result<Shape> {
    same("activation_patterns", "generators", generators, [generators[0], directions[1]])?;
    vector("activation_patterns", "constants", constants, generators[0])?;
    Ok([directions[0], generators[0].div_ceil(32)])
}

/// Returns the number of neurons.
pub(crate) fn row_scores(rows: Shape, constants: Option<Shape>, coefficients: Shape) -> Result<usize> {
    vector("row_scores", "constants", constants, rows[0])?;
    same("row_scores", "coefficients", coefficients, [coefficients[0], rows[0]])?;
    Ok(rows[0])
}

/// Returns the shape of the targets, classes and neurons.
pub(crate) fn row_update(norms: Shape, targets: Shape, lambda: f32) -> Result<Shape> {
    same("row_update", "norms", norms, [1, targets[1]])?;
    if !(lambda >= 0.0 && lambda.is_finite()) {
        return Err(Error::Argument {
            argument: "lambda",
            problem: format!("{lambda} is not a finite non-negative number"),
        });
    }
    Ok(targets)
}

/// The kind of the half-step with number `step`, counted from 0.
pub(crate) fn half_step(first: HalfStep, step: usize) -> HalfStep {
    match (first, step % 2) {
        (HalfStep::Rows, 0) | (HalfStep::Elements, 1) => HalfStep::Rows,
        _ => HalfStep::Elements,
    }
}

/// Returns the length of the result.
pub(crate) fn path_norms(weights: Shape, squares: Shape, bias: Option<Shape>, direction: Transpose) -> Result<usize> {
    match direction {
        Transpose::No => {
            same("path_norms", "squares", squares, [1, weights[1]])?;
            vector("path_norms", "bias", bias, weights[0])?;
            Ok(weights[0])
        }
        Transpose::Yes => {
            same("path_norms", "squares", squares, [1, weights[0]])?;
            rule("path_norms", "bias", bias.unwrap_or_default(), bias.is_none(), || {
                "no bias going backward".to_owned()
            })?;
            Ok(weights[1])
        }
    }
}

/// Returns the shape of the weights.
pub(crate) fn threshold_mask(weights: Shape, scores: Shape) -> Result<Shape> {
    let per_row = scores == [weights[0], 1];
    rule("threshold_mask", "scores", scores, per_row || scores == weights, || {
        format!("{} x {} or {} x 1", weights[0], weights[1], weights[0])
    })?;
    let elements = weights[0] as u64 * weights[1] as u64;
    if elements > u64::from(u32::MAX) {
        let limit = u64::from(u32::MAX) * 4;
        return Err(Error::TooLarge { operation: "threshold_mask", bytes: elements * 4, limit });
    }
    Ok(weights)
}

/// Returns the shape of the points.
pub(crate) fn ball_step(x: Shape, gradient: Shape, step: f32, radius: f32) -> Result<Shape> {
    same("ball_step", "gradient", gradient, x)?;
    for (argument, value) in [("step", step), ("radius", radius)] {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(Error::Argument { argument, problem: format!("{value} is not a finite non-negative number") });
        }
    }
    Ok(x)
}

/// Returns the shape of the logits. That labels are below the number of classes is checked where labels are read.
pub(crate) fn cross_entropy(logits: Shape, labels: usize) -> Result<Shape> {
    rule("cross_entropy", "logits", logits, logits[1] > 0, || "at least one class".to_owned())?;
    same("cross_entropy", "labels", [labels, 1], [logits[0], 1])?;
    Ok(logits)
}

/// Returns the shape of the result.
pub(crate) fn adam_step(weights: Shape, gradient: Shape, moments: [Shape; 2], adam: Adam) -> Result<Shape> {
    same("adam_step", "gradient", gradient, weights)?;
    moments.iter().try_for_each(|moment| same("adam_step", "moments", *moment, weights))?;
    let wrong =
        |argument, value: f32, legal| Err(Error::Argument { argument, problem: format!("{value} is not {legal}") });
    if !(adam.rate >= 0.0 && adam.rate.is_finite()) {
        return wrong("rate", adam.rate, "a finite non-negative number");
    }
    if let Some(decay) = adam.decays.iter().find(|decay| !(0.0..1.0).contains(*decay)) {
        return wrong("decays", *decay, "at least 0 and below 1");
    }
    if !(adam.epsilon > 0.0 && adam.epsilon.is_finite()) {
        return wrong("epsilon", adam.epsilon, "a finite positive number");
    }
    if adam.step == 0 {
        return wrong("step", 0.0, "at least 1");
    }
    Ok(weights)
}

/// Fails unless each of the labels is one of `classes`.
pub(crate) fn labels(labels: &[u32], classes: usize) -> Result<()> {
    match labels.iter().find(|label| **label as usize >= classes) {
        None => Ok(()),
        Some(label) => {
            let problem = format!("label {label} for {classes} classes");
            Err(Error::Argument { argument: "labels", problem })
        }
    }
}

/// Returns the number of samples. That labels are below the number of classes is checked where labels are read.
pub(crate) fn classify(logits: Shape, labels: Option<usize>) -> Result<usize> {
    rule("classify", "logits", logits, logits[1] > 0, || "at least one class".to_owned())?;
    if let Some(labels) = labels {
        same("classify", "labels", [labels, 1], [logits[0], 1])?;
    }
    Ok(logits[0])
}

/// Returns the shape of the rows.
pub(crate) fn unfold(images: Shape, window: &Window, positions: Option<usize>) -> Result<Shape> {
    let [height, width] = window.positions()?;
    same("unfold", "images", images, [images[0], window.length()])?;
    Ok([positions.unwrap_or(images[0] * height * width), window.image[0] * window.entries()])
}

/// Fails unless each of the positions lies on one of `images` images.
pub(crate) fn positions(positions: &[u32], images: usize, [height, width]: Shape) -> Result<()> {
    let count = images * height * width;
    match positions.iter().find(|position| **position as usize >= count) {
        None => Ok(()),
        Some(position) => {
            let problem = format!("position {position} of {count}");
            Err(Error::Argument { argument: "positions", problem })
        }
    }
}

/// Returns the shape of the result and the number of positions of the window.
pub(crate) fn convolution(
    images: Shape,
    weights: Shape,
    bias: Option<Shape>,
    window: &Window,
    groups: usize,
) -> Result<(Shape, Shape)> {
    let [height, width] = window.positions()?;
    same("convolution", "images", images, [images[0], window.length()])?;
    let divides = |count: usize| groups > 0 && count.is_multiple_of(groups);
    if !divides(window.image[0]) || !divides(weights[0]) {
        let problem = format!("{groups} groups of {} channels to {}", window.image[0], weights[0]);
        return Err(Error::Argument { argument: "groups", problem });
    }
    same("convolution", "weights", weights, [weights[0], window.image[0] / groups * window.entries()])?;
    vector("convolution", "bias", bias, weights[0])?;
    Ok(([images[0], weights[0] * height * width], [height, width]))
}

/// Returns the shape of the result and the number of positions of the window.
pub(crate) fn pooling(images: Shape, window: &Window) -> Result<(Shape, Shape)> {
    let [height, width] = window.positions()?;
    same("pooling", "images", images, [images[0], window.length()])?;
    for axis in 0..2 {
        let span = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
        let reach = window.image[1 + axis] + window.padding[axis];
        // A window that starts behind the image, or ends before it, has nothing to fold.
        let last = (if axis == 0 { height - 1 } else { width - 1 }) * window.stride[axis];
        let gap = window.dilation[axis] > window.image[1 + axis] && window.kernel[axis] > 1;
        if window.padding[axis] >= span || last >= reach || gap {
            let problem = format!("some positions of {window:?} lie in the padding alone");
            return Err(Error::Argument { argument: "window", problem });
        }
    }
    Ok(([images[0], window.image[0] * height * width], [height, width]))
}

/// Returns the number of positions of the window.
pub(crate) fn pooling_gradient(images: Shape, pooled: Shape, gradient: Shape, window: &Window) -> Result<Shape> {
    let (shape, positions) = pooling(images, window)?;
    same("pooling_gradient", "pooled", pooled, shape)?;
    same("pooling_gradient", "gradient", gradient, shape)?;
    Ok(positions)
}

/// Returns the shape of the result.
pub(crate) fn elementwise_gradient(x: Shape, gradient: Shape) -> Result<Shape> {
    same("elementwise_gradient", "gradient", gradient, x)?;
    Ok(x)
}

/// Returns the shape of the result.
pub(crate) fn weighted_sum(a: Shape, b: Option<Shape>, factors: [f32; 2]) -> Result<Shape> {
    if let Some(b) = b {
        same("weighted_sum", "b", b, a)?;
    }
    match factors.iter().find(|factor| !factor.is_finite()) {
        None => Ok(a),
        Some(factor) => Err(Error::Argument { argument: "factors", problem: format!("{factor} is not finite") }),
    }
}

/// Fails unless rows of `b`, each entry `share` times, fit into those of `a`.
pub(crate) fn combine(a: Shape, b: Shape, share: usize) -> Result<()> {
    if share == 0 || !a[1].is_multiple_of(share) {
        return Err(Error::Argument { argument: "share", problem: format!("{share} neighbours in rows of {}", a[1]) });
    }
    let entries = a[1] / share;
    let divides = if entries == 0 { b[1] == 0 } else { b[1] > 0 && entries.is_multiple_of(b[1]) };
    rule("combine", "b", b, (b[0] == a[0] || b[0] == 1) && divides, || {
        format!("{} or 1 x a divisor of {entries}", a[0])
    })
}

/// Fails for rows of nothing.
pub(crate) fn reduce_rows(x: Shape) -> Result<()> {
    rule("reduce_rows", "x", x, x[1] > 0, || format!("{} x at least 1", x[0]))
}

/// Fails for rows of nothing.
pub(crate) fn normalize_rows(x: Shape) -> Result<()> {
    rule("normalize_rows", "x", x, x[1] > 0, || format!("{} x at least 1", x[0]))
}

/// Returns rows, inner length and columns of each product.
pub(crate) fn batched_matmul(a: Shape, b: Shape, groups: usize) -> Result<[usize; 3]> {
    if groups == 0 || !a[0].is_multiple_of(groups) {
        return Err(Error::Argument { argument: "groups", problem: format!("{groups} matrices in {} rows", a[0]) });
    }
    same("batched_matmul", "b", b, [groups * a[1], b[1]])?;
    Ok([a[0] / groups, a[1], b[1]])
}

/// Returns the shape of the result.
pub(crate) fn reshape(x: Shape, columns: usize) -> Result<Shape> {
    let entries = x[0] * x[1];
    match entries.checked_div(columns) {
        Some(rows) if rows * columns == entries => Ok([rows, columns]),
        None if entries == 0 => Ok([0, 0]),
        _ => Err(Error::Argument { argument: "columns", problem: format!("{columns} for {} x {}", x[0], x[1]) }),
    }
}

/// Fails for a matrix without columns.
pub(crate) fn gather(x: Shape) -> Result<()> {
    rule("gather", "x", x, x[1] > 0, || format!("{} x at least 1", x[0]))
}

/// Returns the shape of the result.
pub(crate) fn concatenate(parts: &[Shape]) -> Result<Shape> {
    let Some(first) = parts.first() else {
        return Err(Error::Argument { argument: "parts", problem: "there is none".to_owned() });
    };
    let [rows, _] = *first;
    parts.iter().try_for_each(|part| same("concatenate", "parts", *part, [rows, part[1]]))?;
    Ok([rows, parts.iter().map(|part| part[1]).sum()])
}
