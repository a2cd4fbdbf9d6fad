//! `tropix evaluate`.

use tropix::Error;
use tropix::network::Head;
use tropix::prune::{Timing, check_sample, evaluate};
use tropix::report::{EvaluateReport, Files, Heading, Memory, accuracy_table};

use crate::args::{EvaluateArgs, Globals, ModelArgs};
use crate::device::{choose, with_backend};
use crate::{input, output};

pub(crate) fn run(globals: &Globals, args: &EvaluateArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let head = Head::of(&model.network)?;
    let other = match &args.against {
        Some(path) => {
            let other = ModelArgs { model: path.clone(), arch: args.model.arch.clone() };
            let other = Head::of(&timing.phase("load", || input::model(globals, &other))?.network)?;
            if (other.inputs(), other.classes()) != (head.inputs(), head.classes()) {
                let problem = format!(
                    "{} takes {} values and gives {}, {} takes {} and gives {}",
                    args.model.model.display(),
                    head.inputs(),
                    head.classes(),
                    path.display(),
                    other.inputs(),
                    other.classes()
                );
                return Err(Error::Data { problem }.into());
            }
            Some(other)
        }
        None => None,
    };
    let Some(data) = timing.phase("load", || input::data(&args.data, &model.network, &head))? else {
        return Err(Error::Argument { argument: "data", problem: "an evaluation needs data".to_owned() }.into());
    };
    let backend = timing.phase("start device", || choose(globals))?;
    let samples = input::borrowed(&data);
    let (accuracy, verification) = with_backend!(&backend, backend => {
        let accuracy = evaluate(backend, &head, other.as_ref(), samples, timing)?;
        let check = || check_sample(backend, &head, Some(samples), globals.seed);
        let verification = globals.verify.then(|| timing.phase("verify", check)).transpose()?;
        (accuracy, verification)
    });
    let report = EvaluateReport {
        heading: Heading::new("evaluate", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.applied.clone(),
        accuracy,
        verification,
        warnings: model.warnings.clone(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let device = &report.heading.device;
    let mut text = format!(
        "{} on {} ({})\n{}\ndata: {}",
        report.model.input,
        device.name,
        device.backend,
        accuracy_table(&report.accuracy, other.is_some()),
        report.data
    );
    if let Some(check) = &report.verification {
        text.push_str(&format!("\nreference: {}", output::logits(check)));
    }
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    output::result(globals, &report, &text)?;
    match &report.verification {
        Some(check) if check.share_of_bound > 1.0 => {
            let problem = format!("logits leave their bound: {}", output::logits(check));
            Err(Error::CheckFailed { problem }.into())
        }
        _ => Ok(()),
    }
}
