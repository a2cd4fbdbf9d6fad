//! The report of `attack`.

use serde::Serialize;

use super::grid::Grid;
use super::table::percent;
use super::{Heading, Memory};
use crate::attack::{Attack, AttackOptions, Distance, PolytopeSize, Robustness, Targets};
use crate::number::shortest;
use crate::prune::Timing;
use crate::statistics::{Share, sign_test};

/// A network under attack.
#[derive(Debug, Clone, Serialize)]
pub struct AttackedModel {
    /// The file.
    pub model: String,
    /// Samples that it classifies as their labels say.
    pub correct: Share,
    /// What the attacks leave.
    #[serde(flatten)]
    pub robustness: Robustness,
}

/// Settings, as far as they are not those of one attack.
#[derive(Debug, Clone, Serialize)]
pub struct AttackSettings {
    /// When a sample counts as robust.
    pub rule: &'static str,
    /// Least and largest value of an input.
    pub bounds: [f64; 2],
    /// Where attacks in the dual view drive to.
    pub targets: Targets,
    /// `D1`.
    pub distance: Distance,
    /// `D2`.
    pub polytope: PolytopeSize,
    /// Cross-entropy of the target that is aimed at, in nats.
    pub kappa: f64,
    /// Values of the factor of the loss for each sample.
    pub searches: usize,
    /// Steps of the exact solver, of the penalty method, and along signs.
    pub steps: [usize; 3],
    /// Starts of each sample.
    pub starts: usize,
}

impl AttackSettings {
    /// Those of a run.
    #[must_use]
    pub fn of(options: &AttackOptions) -> Self {
        Self {
            rule: "the class of the perturbed sample, computed in f64, is the label",
            bounds: options.dual.bounds,
            targets: options.targets,
            distance: options.dual.distance,
            polytope: options.dual.polytope,
            kappa: options.dual.kappa,
            searches: options.dual.searches,
            steps: [options.dual.steps, options.admm_steps, options.steps],
            starts: options.starts,
        }
    }
}

/// The same attack on the same samples of two networks.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Samples that are robust in the first network only.
    pub first_only: usize,
    /// Samples that are robust in the second only.
    pub second_only: usize,
    /// Two-sided exact sign test of these (`McNemar`).
    pub p: f64,
}

impl Difference {
    fn of(first: &Attack, second: &Attack) -> Self {
        let pairs = || first.outcomes.iter().zip(&second.outcomes).map(|(a, b)| (a.misclassified(), b.misclassified()));
        let first_only = pairs().filter(|pair| *pair == (false, true)).count();
        let second_only = pairs().filter(|pair| *pair == (true, false)).count();
        Self { first_only, second_only, p: sign_test(first_only, second_only) }
    }
}

/// The report of `attack`.
#[derive(Debug, Clone, Serialize)]
pub struct AttackReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// What was done to the data.
    pub data: String,
    /// Settings.
    pub settings: AttackSettings,
    /// The network, and the other one.
    pub models: Vec<AttackedModel>,
    /// For each attack how the two networks differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Seconds of each attack on each network.
    pub attack_timing: Vec<Vec<f64>>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Peak memory of the process.
    pub memory: Memory,
    /// Seconds by phase.
    pub timing: Timing,
}

impl AttackReport {
    /// How two networks differ under each attack; nothing for one.
    #[must_use]
    pub fn differences(models: &[AttackedModel]) -> Vec<Difference> {
        let [first, second] = models else { return Vec::new() };
        first.robustness.attacks.iter().zip(&second.robustness.attacks).map(|(a, b)| Difference::of(a, b)).collect()
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.4}"))
}

/// The name of an attack.
#[must_use]
pub fn attack_name(attack: &Attack) -> String {
    match attack.epsilon2 {
        // Xu et al., whose attack is what is left.
        Some(0.0) => format!("{}, strattack", attack.method.name()),
        _ => attack.method.name().to_owned(),
    }
}

/// One row for each attack on a network, and what is certified beside it.
#[must_use]
pub fn attack_table(model: &AttackedModel) -> String {
    let mut table = Grid::new([
        "attack",
        "epsilon",
        "epsilon2",
        "robust accuracy",
        "95 % interval",
        "on target",
        "at bound",
        "mean norm",
        "D1 + D2",
    ]);
    for attack in &model.robustness.attacks {
        let [low, high] = attack.robust.interval;
        table.add_row([
            attack_name(attack),
            shortest(attack.epsilon),
            attack.epsilon2.map(shortest).unwrap_or_default(),
            percent(attack.robust.share),
            format!("{} to {}", percent(low), percent(high)),
            attack.success.map(|share| percent(share.share)).unwrap_or_default(),
            attack.active.map(|share| percent(share.share)).unwrap_or_default(),
            number(attack.norm),
            number(attack.objective),
        ]);
    }
    if let Some(certified) = &model.robustness.certified {
        let mut seen = Vec::new();
        let radii = model.robustness.attacks.iter().map(|attack| attack.epsilon);
        for epsilon in radii {
            if !seen.contains(&epsilon) {
                seen.push(epsilon);
            }
        }
        for (epsilon, share) in seen.iter().zip(&certified.robust) {
            let [low, high] = share.interval;
            let interval = format!("{} to {}", percent(low), percent(high));
            table.add_row(["certified".to_owned(), shortest(*epsilon), String::new(), percent(share.share), interval]);
        }
    }
    table.to_string()
}

/// The text of a report, without its costs.
#[must_use]
pub fn attack_text(report: &AttackReport) -> String {
    let mut text = String::new();
    for model in &report.models {
        let correct = &model.correct;
        text.push_str(&format!(
            "{}: {} of {} samples correct ({}), {} of them attacked\n{}\n",
            model.model,
            correct.count,
            correct.of,
            percent(correct.share),
            model.robustness.samples,
            attack_table(model)
        ));
        if let Some(certified) = &model.robustness.certified {
            let mut radii = certified.radii.clone();
            radii.sort_by(f64::total_cmp);
            let median = radii.get(radii.len() / 2).copied().unwrap_or(0.0);
            let least = radii.first().copied().unwrap_or(0.0);
            text.push_str(&format!("certified distance to the boundary: median {median:.5}, least {least:.5}\n"));
        }
        let gaps = model.robustness.attacks.iter().filter_map(|attack| attack.gap);
        if let Some(gap) = gaps.reduce(f64::max) {
            text.push_str(&format!("largest difference of a logit between the two views: {gap:.1e}\n"));
        }
    }
    if let [first, _] = report.models.as_slice() {
        for (attack, difference) in first.robustness.attacks.iter().zip(&report.differences) {
            text.push_str(&format!(
                "{} at {}: {} samples robust in the first only, {} in the second only (sign test, p = {:.3})\n",
                attack_name(attack),
                shortest(attack.epsilon),
                difference.first_only,
                difference.second_only,
                difference.p
            ));
        }
    }
    if report.models.iter().flat_map(|model| &model.robustness.attacks).any(|attack| attack.method.is_dual()) {
        let targets = match report.settings.targets {
            Targets::Random => "one random class each".to_owned(),
            Targets::Best => "every other class, the cheapest counts".to_owned(),
            Targets::Class(class) => format!("class {class}"),
        };
        text.push_str(&format!("targets: {targets}; success: the target is the class of f(x + eta)\n"));
    }
    text.push_str(&format!("robust: {}; seed {}\ndata: {}", report.settings.rule, report.heading.seed, report.data));
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}
