//! `tropix random-model`.

use std::collections::BTreeMap;

use serde::Serialize;
use tropix::network::format::{self, ModelFile};
use tropix::network::random_network;
use tropix::prune::Timing;
use tropix::report::SCHEMA;

use crate::args::{Globals, RandomModelArgs};
use crate::output;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    command: &'static str,
    seed: u64,
    output: String,
    widths: Vec<usize>,
    bytes: u64,
}

pub(crate) fn run(globals: &Globals, args: &RandomModelArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = ModelFile::new(random_network(&args.widths, globals.seed)?);
    let saved = timing
        .phase("write", || format::save(&model, &model.network, &args.output, globals.force, &BTreeMap::new()))?;
    let report = Report {
        schema: SCHEMA,
        command: "random-model",
        seed: globals.seed,
        output: args.output.display().to_string(),
        widths: args.widths.clone(),
        bytes: saved.bytes,
    };
    let text = format!("wrote {} ({} bytes, seed {})", report.output, report.bytes, report.seed);
    output::result(globals, &report, &text)
}
