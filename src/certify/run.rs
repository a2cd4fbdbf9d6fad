//! A whole certificate: bounds from above, ascent from below, exact values where they can be had, labels of a data set.

use serde::Serialize;

use super::ascent::{Ascent, ascend};
use super::block::Pairing;
use super::chain::Chain;
use super::depth::{HeadCertificate, LayerStep, chain_bound};
use super::exact::exact;
use super::hausdorff::hausdorff_form;
use super::labels::{Labels, labels};
use super::layer::BoundOptions;
use super::radial::Rounding;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::geometry::Interval;
use crate::network::Head;
use crate::prune::Timing;

/// What a certificate holds and how hard it is worked for.
#[derive(Debug, Clone)]
pub struct CertifyOptions {
    /// The upper bounds.
    pub bounds: BoundOptions,
    /// The search from below.
    pub ascent: Ascent,
    /// Directions in which the zonotopes of Theorem 2 are compared, besides those of the generators.
    pub directions: usize,
    /// Whether large errors of every hidden layer by itself are looked for too.
    pub layers: bool,
}

impl Default for CertifyOptions {
    fn default() -> Self {
        Self { bounds: BoundOptions::default(), ascent: Ascent::default(), directions: 2048, layers: false }
    }
}

/// What is known of the largest error of one output on the ball.
#[derive(Debug, Clone, Serialize)]
pub struct OutputCertificate {
    /// The largest `|f_j(x) - f~_j(x)|`.
    pub error: Interval,
    /// What gave the upper end; of the last layer where there are several.
    pub bound: &'static str,
    /// `upper / lower`; absent where the lower end is 0.
    pub tightness: Option<f64>,
    /// The bound of Theorem 2, carried through the layers: what its Hausdorff distances are at least and at most.
    pub theorem: Interval,
}

/// One kind of bound over the outputs of a layer.
#[derive(Debug, Clone, Serialize)]
pub struct BoundSummary {
    /// Name of the bound.
    pub bound: &'static str,
    /// The value for each output.
    pub values: Vec<f64>,
}

/// What is known of the error that one hidden layer makes by itself.
#[derive(Debug, Clone, Serialize)]
pub struct LayerOutcome {
    /// Name of the layer.
    pub name: String,
    /// Neurons before and after.
    pub neurons: [usize; 2],
    /// Largest norm of its input.
    pub radius: f64,
    /// Every bound.
    pub bounds: Vec<BoundSummary>,
    /// The largest errors found by ascent, if they were looked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lower: Vec<f64>,
    /// Seconds that the upper bounds took.
    #[serde(skip)]
    pub seconds: f64,
}

/// A certificate of a compressed head.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// Radius of the ball of inputs.
    pub radius: f64,
    /// One entry per class.
    pub outputs: Vec<OutputCertificate>,
    /// Hidden layers from input to output.
    pub layers: Vec<LayerOutcome>,
    /// What it says of a data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

impl Certificate {
    /// What is known of the largest error over all outputs.
    #[must_use]
    pub fn largest(&self) -> Interval {
        self.outputs.iter().fold(Interval { lower: 0.0, upper: 0.0 }, |most, output| Interval {
            lower: most.lower.max(output.error.lower),
            upper: most.upper.max(output.error.upper),
        })
    }
}

/// Certifies a compressed head against the original for inputs of norm at most `radius`, and counts the samples of `data`
/// whose class is certified unchanged.
///
/// # Errors
///
/// As [`head_bound`](super::head_bound); [`Error::Data`] where a bound overflows f64; what the backend returns.
#[expect(clippy::too_many_arguments, reason = "two heads, where they are compared, what is known of them, and how")]
pub fn certify<B: Backend>(
    backend: &B,
    original: &Head,
    compressed: &Head,
    radius: f64,
    data: Option<&dyn RowSource>,
    known: Option<&[Pairing]>,
    options: &CertifyOptions,
    timing: &mut Timing,
) -> Result<Certificate> {
    let names: Vec<String> = original.layers.iter().map(|layer| layer.name.clone()).collect();
    let (mine, others) = (Chain::of(original)?, Chain::of(compressed)?);
    let head = timing.phase("bounds", || chain_bound(&mine, &others, &names, radius, known, &options.bounds))?;
    let mut upper = head.errors(radius);
    if let Some(j) = upper.iter().position(|error| !error.is_finite()) {
        return Err(Error::Data { problem: format!("the certificate of output {j} overflows f64") });
    }
    let mut bounds: Vec<&'static str> = head.deciding().into_iter().map(super::Bound::name).collect();
    let theorem = timing.phase("zonotopes", || theorem(backend, &head, options))?;
    let difference = mine.minus(&others)?;
    let found = timing.phase("ascent", || ascend(backend, &difference, radius, options.ascent))?;
    let mut lower: Vec<f64> = found.into_iter().map(|found| found.error).collect();
    let labels = data
        .map(|data| timing.phase("labels", || labels(&head, &mine, &others, data)))
        .transpose()?
        .inspect(|labels| lower.iter_mut().zip(&labels.errors).for_each(|(low, found)| *low = low.max(*found)));
    if let [step] = head.layers.as_slice() {
        let [block, other] = &step.blocks;
        let values = timing.phase("exact", || block.minus(other).map(|block| exact(&block, radius)))?;
        for (j, (value, point)) in values.into_iter().flatten().enumerate() {
            // A point that is attained, and a value that rounding alone moves.
            let at = ndarray::Array2::from_shape_fn((1, point.len()), |(_, axis)| point[axis]);
            let margin = difference.evaluate(&at).1[[0, j]] + size_margin(step, j, radius);
            lower[j] = lower[j].max(value - margin);
            if value + margin < upper[j] {
                (upper[j], bounds[j]) = (value + margin, "exact");
            }
        }
    }
    let layers = head.layers.iter().map(|step| {
        let lower = if options.layers {
            let radius = step.certificate.radius;
            let block = step.blocks[0].minus(&step.blocks[1])?;
            let found = timing.phase("ascent", || ascend(backend, &Chain::of_block(&block), radius, options.ascent))?;
            found.into_iter().take(step.read).map(|found| found.error).collect()
        } else {
            Vec::new()
        };
        Ok(summary(step, lower))
    });
    let layers = layers.collect::<Result<_>>()?;
    let ends = lower.into_iter().zip(upper).zip(bounds).zip(theorem);
    let outputs = ends.map(|(((lower, upper), bound), theorem)| OutputCertificate {
        error: Interval { lower, upper },
        bound,
        tightness: (lower > 0.0).then(|| upper / lower),
        theorem,
    });
    Ok(Certificate { radius, outputs: outputs.collect(), layers, labels })
}

/// What rounding may change in an enumerated value: `eta T`.
fn size_margin(step: &LayerStep, j: usize, radius: f64) -> f64 {
    let [block, other] = &step.blocks;
    let problem = super::problem::Problem::new(block, other, radius);
    problem.rounding().eta * problem.sizes()[j].at(radius)
}

/// Theorem 2 for every layer, carried to the outputs.
fn theorem<B: Backend>(backend: &B, head: &HeadCertificate, options: &CertifyOptions) -> Result<Vec<Interval>> {
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    for step in &head.layers {
        let ([mine, others], certificate) = (&step.blocks, &step.certificate);
        let (pairing, radius) = (&certificate.pairing, certificate.radius);
        let form = hausdorff_form(backend, mine, others, pairing, radius, options.directions, options.ascent.seed)?;
        lower.push(form.iter().take(step.read).map(|interval| interval.lower).collect());
        upper.push(form.iter().take(step.read).map(|interval| interval.upper).collect());
    }
    if head.layers.is_empty() {
        let errors = head.errors(head.radius);
        return Ok(errors.into_iter().map(|error| Interval { lower: error, upper: error }).collect());
    }
    // Carried in f64; the upper ends were rounded up, the lower ends say how small the form can be.
    let rounding = Rounding::new(head.layers.len()).eta;
    let (lower, upper) = (head.carried(lower), head.carried(upper));
    Ok(lower.into_iter().zip(upper).map(|(lower, upper)| Interval { lower: lower * (1.0 - rounding), upper }).collect())
}

/// A layer for the report.
pub(super) fn summary(step: &LayerStep, lower: Vec<f64>) -> LayerOutcome {
    let certificate = &step.certificate;
    let kinds = certificate.outputs.first().map(|output| output.bounds.iter().map(|(bound, _)| *bound));
    let bounds = kinds.into_iter().flatten().map(|bound| BoundSummary {
        bound: bound.name(),
        values: certificate
            .outputs
            .iter()
            .take(step.read)
            .filter_map(|output| output.get(bound, certificate.radius))
            .collect(),
    });
    LayerOutcome {
        name: step.name.clone(),
        neurons: step.neurons,
        radius: certificate.radius,
        bounds: bounds.collect(),
        lower,
        seconds: step.seconds,
    }
}
