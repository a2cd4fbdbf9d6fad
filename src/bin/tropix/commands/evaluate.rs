//! `tropix evaluate`.

use tropix::Error;
use tropix::backend::RowSource;
use tropix::network::{Network, head_for};
use tropix::prune::{Timing, check_network, evaluate_models};
use tropix::report::html::evaluate_page;
use tropix::report::{EvaluateReport, Files, Heading, Memory, accuracy_table, logits_text};

use crate::args::{EvaluateArgs, Globals, ModelArgs};
use crate::device::{choose, with_backend};
use crate::{input, output, page};

pub(crate) fn run(globals: &Globals, args: &EvaluateArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::shaped(globals, &args.model, &args.shapes.input_shape))?;
    let Some(data) = timing.phase("load", || input::data_for(globals, &args.data, &model.network))? else {
        return Err(Error::Argument { argument: "data", problem: input::missing("an evaluation needs data") }.into());
    };
    let other = args.against.as_ref().map(|path| {
        let other = ModelArgs { model: path.clone(), arch: args.model.arch.clone() };
        timing.phase("load", || input::shaped(globals, &other, &args.shapes.input_shape))
    });
    let other = other.transpose()?;
    if let (Some(other), Some(path)) = (&other, &args.against) {
        let width = data.inputs.shape()[1];
        let [ours, theirs] = [ends(&model.network, width), ends(&other.network, width)];
        // Outputs of what is carried along are not known beforehand.
        let known = ours[1] > 0 && theirs[1] > 0;
        if ours[0] != theirs[0] || (known && ours[1] != theirs[1]) {
            let (a, b) = (args.model.model.display(), path.display());
            let problem = format!(
                "{a} takes {} values and gives {}, {b} takes {} and gives {}",
                ours[0], ours[1], theirs[0], theirs[1]
            );
            return Err(Error::Data { problem }.into());
        }
    }
    page::check(globals, &args.page)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let samples = input::borrowed(&data);
    let (accuracy, carried, verification) = with_backend!(&backend, backend => {
        let (accuracy, carried) = evaluate_models(backend, &model, other.as_ref(), samples, timing)?;
        let check = || check_network(backend, &model.network, Some(samples), globals.seed);
        (accuracy, carried, globals.verify.then(|| timing.phase("verify", check)).transpose()?)
    });
    let mut warnings = input::warnings(&model, Some(&data));
    if carried {
        warnings.push("not all operators are computed on backends: `rten` ran the model on the CPU".to_owned());
    }
    let report = EvaluateReport {
        heading: Heading::new("evaluate", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.applied.clone(),
        accuracy,
        verification,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let device = &report.heading.device;
    let mut text = format!(
        "{} on {} ({})\n{}\ndata: {}",
        report.model.input,
        device.name,
        device.backend,
        accuracy_table(&report.accuracy, args.against.is_some()),
        report.data
    );
    if let Some(check) = &report.verification {
        text.push_str(&format!("\nreference: {}", logits_text(check)));
    }
    if carried {
        text.extend(report.warnings.last().map(|warning| format!("\n{warning}")));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    let against = args.against.as_ref().map(|path| path.display().to_string());
    page::result(globals, &args.page, &report, text, || evaluate_page(&report, against.as_deref()))?;
    match &report.verification {
        Some(check) if check.share_of_bound > 1.0 => {
            let problem = format!("logits leave their bound: {}", logits_text(check));
            Err(Error::CheckFailed { problem }.into())
        }
        _ => Ok(()),
    }
}

/// Values that a network, or its head for features of `width` values, takes and gives.
fn ends(network: &Network, width: usize) -> [usize; 2] {
    head_for(network, width).map_or_else(
        || {
            let lengths = network.output_lengths().unwrap_or_default();
            [network.input.iter().product(), lengths.last().copied().flatten().unwrap_or(0)]
        },
        |head| [head.inputs(), head.classes()],
    )
}
