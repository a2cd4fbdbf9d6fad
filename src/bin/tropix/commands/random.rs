//! `tropix random-model`.

use std::collections::BTreeMap;

use serde::Serialize;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{self, ModelFile};
use tropix::network::random_network;
use tropix::prune::Timing;
use tropix::report::Heading;

use crate::args::{Globals, RandomModelArgs};
use crate::output;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    heading: Heading,
    output: String,
    widths: Vec<usize>,
    bytes: u64,
}

pub(crate) fn run(globals: &Globals, args: &RandomModelArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = ModelFile::new(random_network(&args.widths, globals.seed)?);
    let saved = timing
        .phase("write", || format::save(&model, &model.network, &args.output, globals.force, &BTreeMap::new()))?;
    let report = Report {
        heading: Heading::new("random-model", globals.seed, Reference::new().device()),
        output: args.output.display().to_string(),
        widths: args.widths.clone(),
        bytes: saved.bytes,
    };
    let text = format!("wrote {} ({} bytes, seed {})", report.output, report.bytes, globals.seed);
    output::result(globals, &report, &text)
}
