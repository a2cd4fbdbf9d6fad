//! The pages of `sweep`.

use super::super::svg::{curves_svg, parameters_svg, run_label, units_svg};
use super::super::table::{curves_grid, grouped, percent};
use super::super::units::{unit_costs_grid, unit_runs_grid};
use super::super::{Heading, SweepReport, UnitSweepReport};
use super::page::Page;
use super::parts::{paragraphs, picture, time, warnings};
use super::table::table;
use super::text::{file_name, share};
use crate::prune::structured::UnitSummary;
use crate::prune::{Accuracy, Curve, Point};

/// What is drawn: accuracy, or agreement without labels.
fn quantity(labelled: bool) -> &'static str {
    if labelled { "Top-1 accuracy" } else { "Agreement with the whole network" }
}

/// What the whole network has of it.
fn whole(accuracy: &Accuracy) -> f64 {
    accuracy.top1.map_or(1.0, |[_, whole]| whole)
}

/// The page of a sweep over rates of weights; `name` is that of the model.
#[must_use]
pub fn sweep_page(report: &SweepReport, name: &str) -> Page {
    let labelled = report.accuracy.top1.is_some();
    // The method whose value at its highest rate within a point of the whole network is the farthest.
    let floor = whole(&report.accuracy) - 0.01;
    let value = |point: &Point| point.top1.unwrap_or(point.agreement);
    let reach = |curve: &Curve| {
        let within = curve.points.iter().take_while(|point| value(point) >= floor);
        within.last().map(|point| (point.rate, value(point)))
    };
    let mut best: Option<(f64, f64, &Curve)> = None;
    for curve in &report.curves {
        if let Some((rate, value)) = reach(curve)
            && best.is_none_or(|(most, _, _)| rate > most)
        {
            best = Some((rate, value, curve));
        }
    }
    let lead = match best {
        Some((rate, value, curve)) if rate > 0.0 => format!(
            "`{}` stays within one point of the whole network the longest: with {} of the weights at zero it has {}, where the \
             whole network has {}.",
            run_label(curve.method.name(), curve.refit),
            share(rate),
            percent(value),
            percent(whole(&report.accuracy))
        ),
        _ => format!(
            "No method stays within one point of the whole network, which has {}.",
            percent(whole(&report.accuracy))
        ),
    };
    let mut page = start(&report.heading, &report.model.input, &report.data, report.prior, &lead);
    let caption =
        format!("{} against the share of the weights that are zero, a line for each method.", quantity(labelled));
    page.section("Curves", &picture(&curves_svg(&format!("{name}: pruning curves"), &report.curves), &caption));
    page.section("What to know", &warnings(&report.warnings));
    let told = "In per cent; AUC is the area under the curve, divided by the length of the interval of rates.";
    page.section("In numbers", &(table(&curves_grid(&report.curves), &[]) + &paragraphs([told])));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}

/// The page of a sweep over shares of units; `name` is that of the model.
#[must_use]
pub fn unit_sweep_page(report: &UnitSweepReport, name: &str) -> Page {
    let labelled = report.accuracy.top1.is_some();
    let mut page = start(&report.heading, &report.model.input, &report.data, None, &units_lead(report));
    let parameters = parameters_svg(&format!("{name}: parameters removed"), labelled, &report.runs, report.parameters);
    let units = units_svg(&format!("{name}: whole neurons removed"), labelled, &report.summaries);
    let of = quantity(labelled);
    let captions = [
        format!("{of} against the share of the parameters that are gone, the mean over seeds."),
        format!("{of} against the share of the hidden neurons and channels that are gone."),
    ];
    page.section("Curves", &(picture(&parameters, &captions[0]) + &picture(&units, &captions[1])));
    page.section("What to know", &warnings(&report.warnings));
    let told =
        format!("{of} in per cent by the share of the neurons that stays; with several seeds the mean and the spread.");
    page.section("In numbers", &(table(&unit_runs_grid(&report.runs), &[]) + &paragraphs([told.as_str()])));
    page.section("What the networks cost", &table(&unit_costs_grid(report), &[]));
    page.section("Time", &time(&report.timing, Some(&report.memory)));
    page
}

fn start(heading: &Heading, model: &str, data: &str, prior: Option<&str>, lead: &str) -> Page {
    let mut page = Page::new(heading, &format!("{}, methods side by side", file_name(model)), lead);
    page.about("Model", Some(model));
    page.about("Data", Some(data));
    page.about("Prior", prior);
    page
}

/// The least share at which some method is within a point of the whole network, or what is best where there is most left.
fn units_lead(report: &UnitSweepReport) -> String {
    let whole = whole(&report.accuracy);
    let better = |a: &&UnitSummary, b: &&UnitSummary| b.keep.total_cmp(&a.keep).then(a.mean.total_cmp(&b.mean));
    let within = report.summaries.iter().filter(|one| one.mean >= whole - 0.01).max_by(better);
    if let Some(one) = within {
        return format!(
            "With {} of the hidden neurons and channels `{}` stays within one point of the whole network: {}, where that has {} \
             and {} parameters.",
            share(one.keep),
            run_label(one.method.name(), one.refit),
            percent(one.mean),
            percent(whole),
            grouped(report.parameters)
        );
    }
    let closest = report.summaries.iter().max_by(|a, b| a.mean.total_cmp(&b.mean));
    let closest = closest.map_or_else(String::new, |one| {
        format!(
            "; closest is `{}` with {} of the neurons, which has {}",
            run_label(one.method.name(), one.refit),
            share(one.keep),
            percent(one.mean)
        )
    });
    format!("No method stays within one point of the whole network, which has {}{closest}.", percent(whole))
}
