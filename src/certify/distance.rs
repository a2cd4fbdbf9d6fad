//! How far the decision boundary is from a sample at least, in the largest norm.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;

use super::chain::Chain;
use super::radial::Rounding;
use crate::error::{Error, Result};
use crate::network::Head;

/// Halvings of the bracket of the radius.
const HALVINGS: usize = 12;

/// For each sample a radius within which no input of the box has another class than the label: `|x' - x|_inf <= radius` and
/// `low <= x'_j <= high` leave `f(x')` largest at the label. At most `most`; 0 where the class is not the label.
///
/// Linear bounds of the margins `f_y - f_j` from the outputs to the inputs (Zhang et al., *CROWN*, `NeurIPS` 2018), with
/// intervals for what enters the rectifiers, in f64 with the rounding on the safe side; the radius is found by bisection,
/// and each end that counts is proved by itself.
///
/// `samples`: `n x d`; `labels`: `n` classes.
///
/// # Errors
///
/// [`Error::Data`] for samples of another length or labels that are no classes, [`Error::Argument`] for a radius that is none.
pub fn certified_radius(
    head: &Head,
    samples: &Array2<f32>,
    labels: &[u32],
    bounds: [f64; 2],
    most: f64,
) -> Result<Vec<f64>> {
    let relaxed = Relaxed::of(head)?;
    let (inputs, classes) = (relaxed.chain.inputs(), relaxed.chain.outputs());
    if samples.ncols() != inputs || samples.nrows() != labels.len() {
        let problem = format!("{:?} samples and {} labels for {inputs} inputs", samples.dim(), labels.len());
        return Err(Error::Data { problem });
    }
    if !(most > 0.0 && most.is_finite()) {
        return Err(Error::Argument { argument: "radius", problem: format!("{most} is no radius") });
    }
    let labels = labels.iter().map(|label| usize::try_from(*label).ok().filter(|label| *label < classes));
    let labels: Option<Vec<usize>> = labels.collect();
    let labels = labels.ok_or_else(|| Error::Data { problem: format!("a label that is none of {classes} classes") })?;
    let radius = |(sample, label): (ArrayView1<'_, f32>, &usize)| {
        let sample = sample.mapv(f64::from);
        let proved = |radius: f64| relaxed.margin(&sample, radius, bounds, *label) > 0.0;
        if proved(most) {
            return most;
        }
        let (mut low, mut high) = (0.0, most);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            *(if proved(middle) { &mut low } else { &mut high }) = middle;
        }
        low
    };
    let rows: Vec<ArrayView1<'_, f32>> = samples.rows().into_iter().collect();
    Ok(rows.into_par_iter().zip(&labels).map(radius).collect())
}

/// A chain with the sizes of its weights.
struct Relaxed {
    chain: Chain,
    sizes: Vec<Array2<f64>>,
    rounding: f64,
}

/// What enters a rectifier lies between these.
struct Interval {
    low: Array1<f64>,
    high: Array1<f64>,
}

impl Relaxed {
    fn of(head: &Head) -> Result<Self> {
        let chain = Chain::of(head)?;
        let sizes = chain.layers.iter().map(|layer| layer.weight.mapv(f64::abs)).collect();
        let terms: usize = chain.layers.iter().map(|layer| layer.weight.ncols() + layer.weight.nrows() + 4).sum();
        Ok(Self { chain, sizes, rounding: Rounding::new(terms).eta })
    }

    /// No margin of the label falls below this in the ball and the box.
    fn margin(&self, sample: &Array1<f64>, radius: f64, [least, most]: [f64; 2], label: usize) -> f64 {
        let low = sample.mapv(|x| (x - radius).max(least));
        let high = sample.mapv(|x| (x + radius).min(most));
        let (centre, reach) = ((&low + &high) * 0.5, (&high - &low) * 0.5);
        // What the values of a layer can be at most in size, term by term: roundings are shares of it.
        let mut size = sample.mapv(f64::abs) + radius;
        let (mut middle, mut spread) = (centre.clone(), reach.clone());
        let mut intervals = Vec::with_capacity(self.chain.layers.len());
        for (layer, weights) in self.chain.layers.iter().zip(&self.sizes) {
            let (z, off) = (layer.weight.dot(&middle) + &layer.bias, weights.dot(&spread));
            size = weights.dot(&size) + &layer.bias.mapv(f64::abs);
            let slack = &off + &(&size * self.rounding);
            let interval = Interval { low: &z - &slack, high: &z + &slack };
            let (low, high) = (interval.low.mapv(|z| z.max(0.0)), interval.high.mapv(|z| z.max(0.0)));
            (middle, spread) = ((&low + &high) * 0.5, (&high - &low) * 0.5);
            intervals.push(interval);
        }
        let Some((last, hidden)) = self.chain.layers.split_last() else { return f64::NEG_INFINITY };
        // One row for each other class.
        let others: Vec<usize> = (0..last.bias.len()).filter(|class| *class != label).collect();
        let own = last.weight.row(label);
        let mut weights = last.weight.select(Axis(0), &others).mapv(|w| -w) + own;
        let mut constants: Array1<f64> = others.iter().map(|class| last.bias[label] - last.bias[*class]).collect();
        for (layer, interval) in hidden.iter().zip(&intervals).rev() {
            constants += &lowered(&mut weights, interval);
            constants += &weights.dot(&layer.bias);
            weights = weights.dot(&layer.weight);
        }
        let below = weights.dot(&centre) - weights.mapv(f64::abs).dot(&reach) + constants;
        let rounding = |class: usize| 4.0 * self.rounding * (size[label] + size[class]);
        let margins = below.iter().zip(&others).map(|(margin, class)| margin - rounding(*class));
        margins.fold(f64::INFINITY, |least, margin| if margin.is_nan() { f64::NEG_INFINITY } else { least.min(margin) })
    }
}

/// Replaces coefficients of rectified values by those of a linear function below, whose constants it returns.
fn lowered(weights: &mut Array2<f64>, interval: &Interval) -> Array1<f64> {
    let mut constants = Array1::zeros(weights.nrows());
    for (i, mut column) in weights.columns_mut().into_iter().enumerate() {
        let (low, high) = (interval.low[i], interval.high[i]);
        if low >= 0.0 {
            continue;
        }
        if high <= 0.0 {
            column.fill(0.0);
            continue;
        }
        let (chord, below) = (high / (high - low), f64::from(u8::from(high > -low)));
        for (weight, constant) in column.iter_mut().zip(&mut constants) {
            if *weight < 0.0 {
                *constant -= *weight * chord * low;
                *weight *= chord;
            } else {
                *weight *= below;
            }
        }
    }
    constants
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::array;

    use super::*;
    use crate::network::{Element, HeadLayer, Tensor};

    fn layer(weight: &[f32], shape: [usize; 2], relu: bool) -> HeadLayer {
        let weight = Tensor::owned("w", Element::F32, shape.to_vec(), weight.to_vec()).unwrap();
        HeadLayer { name: "w".to_owned(), weight, bias: None, relu }
    }

    #[test]
    fn a_linear_classifier_has_its_exact_distance() {
        // f_0 - f_1 = x - 2 y: at (1, 0.2) it is 0.6, and falls by 3 for each unit.
        let head = Head { layers: vec![layer(&[1.0, -2.0, 0.0, 0.0], [2, 2], false)], whole: true };
        let found = certified_radius(&head, &array![[1.0, 0.2], [0.0, 0.2]], &[0, 0], [-9.0, 9.0], 1.0).unwrap();
        assert!((found[0] - 0.2).abs() < 1e-3 && found[0] <= 0.2, "{found:?}");
        assert!(found[1].abs() < f64::EPSILON);
        // The box stops x at 1: only y moves, by 0.3.
        let found = certified_radius(&head, &array![[1.0, 0.2]], &[0], [-9.0, 9.0], 0.1).unwrap();
        assert!((found[0] - 0.1).abs() < f64::EPSILON);
    }

    #[test]
    fn no_point_of_the_ball_has_another_class() {
        let random = |seed: u64, count: usize| -> Vec<f32> {
            use rand::RngExt;
            let mut stream = crate::rng::stream(seed, "distance");
            (0..count).map(|_| stream.random_range(-1.0..1.0)).collect()
        };
        let head = Head {
            layers: vec![
                layer(&random(1, 24), [12, 2], true),
                layer(&random(2, 96), [8, 12], true),
                layer(&random(3, 24), [3, 8], false),
            ],
            whole: true,
        };
        let chain = Chain::of(&head).unwrap();
        let class = |x: [f64; 2]| {
            let logits = chain.evaluate(&array![[x[0], x[1]]]).0;
            logits.row(0).iter().enumerate().fold((0, f64::MIN), |a, b| if *b.1 > a.1 { (b.0, *b.1) } else { a }).0
        };
        let mut larger = 0;
        for at in 0..20 {
            let x: Vec<f32> = random(10 + at, 2);
            let centre = [f64::from(x[0]), f64::from(x[1])];
            let label = u32::try_from(class(centre)).unwrap();
            let sample = Array2::from_shape_vec((1, 2), x).unwrap();
            let radius = certified_radius(&head, &sample, &[label], [-5.0, 5.0], 1.0).unwrap()[0];
            larger += usize::from(radius > 0.01);
            for i in 0..=20 {
                for j in 0..=20 {
                    let part = |k: i32| radius * f64::from(k - 10) / 10.0;
                    let found = class([centre[0] + part(i), centre[1] + part(j)]);
                    assert_eq!(u32::try_from(found).unwrap(), label, "{at}: {radius}");
                }
            }
        }
        assert!(larger > 10, "{larger}");
    }
}
