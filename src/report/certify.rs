//! The report of `certify`.

use serde::Serialize;

use super::grid::Grid;
use super::table::percent;
use super::{Heading, Memory};
use crate::certify::{Bound, Certificate, Labels, LayerOutcome, PruneCertificate};
use crate::prune::Timing;

/// The two models of a certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The original.
    pub original: String,
    /// The compressed one.
    pub compressed: String,
}

/// The report of `certify`.
#[derive(Debug, Clone, Serialize)]
pub struct CertifyReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The files.
    pub model: Compared,
    /// What was done to the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Where the radius comes from: `given`, or `data`.
    pub radius_from: &'static str,
    /// The certificate.
    pub certificate: Certificate,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds that the upper bounds of each hidden layer took.
    pub layer_timing: Vec<(String, f64)>,
    /// Seconds by phase.
    pub timing: Timing,
}

/// Four significant digits.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if (1e-3..1e5).contains(&size) { format!("{value:.4}") } else { format!("{value:.3e}") }
}

/// The errors of every output: what was found, what is proved, by what, and Theorem 2 beside it.
#[must_use]
pub fn outputs_table(certificate: &Certificate) -> String {
    outputs_grid(certificate).to_string()
}

pub(super) fn outputs_grid(certificate: &Certificate) -> Grid {
    let mut table = Grid::new(["output", "found", "proved", "ratio", "by", "theorem 2"]);
    for (j, output) in certificate.outputs.iter().enumerate() {
        let theorem = format!("{} .. {}", number(output.theorem.lower), number(output.theorem.upper));
        table.add_row([
            j.to_string(),
            number(output.error.lower),
            number(output.error.upper),
            output.tightness.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            output.bound.to_owned(),
            theorem,
        ]);
    }
    table
}

/// The hidden layers, with the mean of every bound over the outputs of the layer and, where errors were looked for, the mean
/// of its ratio to what was found.
#[must_use]
pub fn bounds_table(layers: &[LayerOutcome]) -> String {
    bounds_grid(layers).to_string()
}

pub(super) fn bounds_grid(layers: &[LayerOutcome]) -> Grid {
    let mut header = vec!["layer", "neurons", "radius"];
    // Layers before a max pooling have fewer bounds than others.
    let has = |name: &str| layers.iter().any(|layer| layer.bounds.iter().any(|bound| bound.bound == name));
    let names: Vec<&str> = Bound::ALL.into_iter().map(Bound::name).filter(|name| has(name)).collect();
    header.extend(&names);
    let found = layers.iter().any(|layer| !layer.lower.is_empty());
    if found {
        header.push("found");
    }
    let mut table = Grid::new(header);
    let mean = |values: &[f64]| number(values.iter().sum::<f64>() / values.len().max(1) as f64);
    for layer in layers {
        let mut row =
            vec![layer.name.clone(), format!("{} > {}", layer.neurons[0], layer.neurons[1]), number(layer.radius)];
        let values = |name: &&str| layer.bounds.iter().find(|bound| bound.bound == *name).map(|bound| &bound.values);
        row.extend(names.iter().map(|name| values(name).map_or_else(String::new, |values| mean(values))));
        if found {
            row.push(mean(&layer.lower));
        }
        table.add_row(row);
        let ratio = |values: &[f64]| {
            let ratios = values.iter().zip(&layer.lower).filter(|(_, lower)| **lower > 0.0);
            let ratios: Vec<f64> = ratios.map(|(upper, lower)| upper / lower).collect();
            if ratios.is_empty() {
                "-".to_owned()
            } else {
                format!("{:.2}", ratios.iter().sum::<f64>() / ratios.len() as f64)
            }
        };
        if !layer.lower.is_empty() {
            let ratios = names.iter().map(|name| values(name).map_or_else(String::new, |values| ratio(values)));
            table.add_row([String::new(), String::new(), "ratio".to_owned()].into_iter().chain(ratios));
        }
    }
    table
}

/// What is certified after pruning.
pub(super) fn prune_certificate_line(certificate: &PruneCertificate) -> String {
    let (error, radius) = (number(certificate.error), number(certificate.radius));
    format!("no logit moves by more than {error} for inputs of norm up to {radius}")
}

/// The certified error after pruning and, where there are hidden layers, the mean of every bound of each.
#[must_use]
pub fn prune_certificate_text(certificate: &PruneCertificate) -> String {
    let mut text = format!("certified: {}", prune_certificate_line(certificate));
    if !certificate.layers.is_empty() {
        text.push_str(&format!(
            "\nmean bounds of the error that a layer makes by itself\n{}",
            bounds_table(&certificate.layers)
        ));
    }
    if !certificate.left_out.is_empty() {
        let names = certificate.left_out.join(", ");
        text.push_str(&format!("\nleft out, as it would take long: {names} (`--bounds` asks for it)"));
    }
    text
}

/// What a certificate says of the classes of a data set.
#[must_use]
pub fn labels_table(labels: &Labels) -> String {
    labels_grid(labels).to_string()
}

pub(super) fn labels_grid(labels: &Labels) -> Grid {
    let mut table = Grid::new(["class of the samples", "share"]);
    let share = |part: usize| percent(part as f64 / labels.samples.max(1) as f64);
    table.add_row(["certified unchanged, by the ball".to_owned(), share(labels.by_ball)]);
    table.add_row(["certified unchanged, by their own norms".to_owned(), share(labels.by_norms)]);
    table.add_row([format!("unchanged (n = {})", labels.samples), share(labels.unchanged)]);
    table
}
