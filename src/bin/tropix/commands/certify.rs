//! `tropix certify`.

use tropix::Error;
use tropix::certify::{Ascent, BoundOptions, CertifyOptions, certify, comparable_heads, data_radius};
use tropix::number::fixed;
use tropix::prune::Timing;
use tropix::report::html::certify_page;
use tropix::report::{CertifyReport, Compared, Heading, Memory, bounds_table, labels_table, outputs_table};

use crate::args::{BoundArg, CertifyArgs, Globals, ModelArgs};
use crate::device::{choose, with_backend};
use crate::{input, output, page};

pub(crate) fn run(globals: &Globals, args: &CertifyArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let other = ModelArgs { model: args.compressed.clone(), arch: args.model.arch.clone() };
    let other = timing.phase("load", || input::model(globals, &other))?;
    let (original_name, compressed_name) =
        (args.model.model.display().to_string(), args.compressed.display().to_string());
    let [head, compressed] = match comparable_heads(&model.network, &other.network)? {
        Ok(heads) => heads,
        Err(reason) => {
            let problem = format!("no certificate of {compressed_name} against {original_name}: {reason}");
            return Err(Error::Data { problem }.into());
        }
    };
    let data = timing.phase("load", || input::data_for(globals, &args.data, &model.network))?;
    page::check(globals, &args.page)?;
    let backend = timing.phase("start device", || choose(globals))?;
    // Images of a network with convolutions pass the layers before the head, which are the same in both.
    let features = with_backend!(&backend, backend => {
        let pass = || data.as_ref().map(|data| input::features(backend, &model, data)).transpose();
        timing.phase("features", pass)?.flatten()
    });
    let data_of_head = data.as_ref().map(|data| input::for_head(data, features.as_ref()));
    let samples = data_of_head.map(|data| data.inputs);
    let (radius, radius_from) = match (args.radius, samples) {
        (Some(radius), _) => (radius, "given"),
        (None, Some(samples)) => (data_radius(samples)?, "data"),
        (None, None) => {
            let problem = "a certificate needs a radius, or data to take it from".to_owned();
            return Err(Error::Argument { argument: "radius", problem }.into());
        }
    };
    let mut warnings = [input::warnings(&model, data.as_ref()), other.warnings].concat();
    if !head.whole || !compressed.whole {
        warnings.push(
            "the certificate is one of the linear layers at the end: it compares them on the same features".to_owned(),
        );
    }
    let options = CertifyOptions {
        bounds: BoundOptions { bounds: BoundArg::chosen(&args.bounds), ..BoundOptions::default() },
        ascent: Ascent { starts: args.starts as usize, steps: args.steps as usize, seed: globals.seed },
        layers: args.layer,
        ..CertifyOptions::default()
    };
    let certificate = with_backend!(&backend, backend => {
        certify(backend, &head, &compressed, radius, samples, None, &options, timing)?
    });
    let report = CertifyReport {
        heading: Heading::new("certify", globals.seed, backend.device()),
        model: Compared { original: original_name, compressed: compressed_name },
        data: data.as_ref().map(|data| data.applied.clone()),
        radius_from,
        layer_timing: certificate.layers.iter().map(|layer| (layer.name.clone(), layer.seconds)).collect(),
        certificate,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    page::result(globals, &args.page, &report, text(&report), || certify_page(&report))
}

fn text(report: &CertifyReport) -> String {
    let (device, certificate) = (&report.heading.device, &report.certificate);
    let from = if report.radius_from == "data" { " (the longest sample)" } else { "" };
    let mut text = format!(
        "{} against {} on {} ({})\ninputs of norm up to {}{from}\n{}",
        report.model.compressed,
        report.model.original,
        device.name,
        device.backend,
        fixed(certificate.radius, 4),
        outputs_table(certificate)
    );
    if !certificate.layers.is_empty() {
        text.push_str(&format!(
            "\n\nmean bounds of the error that a layer makes by itself\n{}",
            bounds_table(&certificate.layers)
        ));
    }
    if let Some(labels) = &certificate.labels {
        text.push_str(&format!("\n\n{}", labels_table(labels)));
        if labels.outside > 0 {
            text.push_str(&format!("\n{} samples lie outside the ball: nothing is certified of them", labels.outside));
        }
    }
    if let Some(data) = &report.data {
        text.push_str(&format!("\ndata: {data}"));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    for (name, seconds) in &report.layer_timing {
        text.push_str(&format!("\nbounds of `{name}`: {seconds:.3} s, on this machine"));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    text
}
