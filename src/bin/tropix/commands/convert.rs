//! `tropix convert`.

use std::collections::BTreeMap;

use serde::Serialize;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{self, check_output};
use tropix::prune::Timing;
use tropix::report::Heading;

use crate::args::{ConvertArgs, Globals};
use crate::{input, output};

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    heading: Heading,
    input: String,
    outputs: Vec<String>,
    bytes: u64,
    warnings: Vec<String>,
}

pub(crate) fn run(globals: &Globals, args: &ConvertArgs, timing: &mut Timing) -> anyhow::Result<()> {
    check_output(&args.output, std::slice::from_ref(&args.model.model), globals.force)?;
    let mut model = timing.phase("load", || input::model(globals, &args.model))?;
    model.single_file = args.single_file;
    for output in format::outputs(&model, &args.output)? {
        check_output(&output, &model.paths, globals.force)?;
    }
    let save = || format::save(&model, &model.network, &args.output, globals.force, &BTreeMap::new());
    let saved = timing.phase("write", save)?;
    let report = Report {
        heading: Heading::new("convert", globals.seed, Reference::new().device()),
        input: args.model.model.display().to_string(),
        outputs: saved.paths.iter().map(|path| path.display().to_string()).collect(),
        bytes: saved.bytes,
        warnings: model.warnings.clone(),
    };
    let text = format!("wrote {} ({} bytes)", report.outputs.join(", "), report.bytes);
    output::result(globals, &report, &text)
}
