//! `tropix inspect`.

use tropix::Error;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{self, check_output, write_text};
use tropix::network::{Blocks, Head};
use tropix::prune::Timing;
use tropix::prune::spaces::find_spaces;
use tropix::report::html::inspect_page;
use tropix::report::svg::graph_svg;
use tropix::report::{
    Declined, Files, Heading, InspectReport, InspectedBlock, InspectedLayer, InspectedSpace, inspect_text,
};

use crate::args::{Globals, InspectArgs};
use crate::{input, output, page};

pub(crate) fn run(globals: &Globals, args: &InspectArgs, timing: &mut Timing) -> anyhow::Result<()> {
    if let Some(file) = &args.emit_arch {
        check_output(file, std::slice::from_ref(&args.model.model), globals.force)?;
        // A file whose order cannot be guessed still gives a template to edit.
        let text = match format::load_shaped(&args.model.model, args.model.arch.as_deref(), &args.shapes.input_shape) {
            Ok(model) => format::emit_arch(&model.network),
            Err(Error::Chain { .. }) => format::template(&args.model.model)?,
            Err(error) => return Err(error.into()),
        };
        write_text(file, &text)?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    let model = timing.phase("load", || input::shaped(globals, &args.model, &args.shapes.input_shape))?;
    page::check(globals, &args.page)?;
    let network = &model.network;
    let head = Head::of(network);
    let blocks = Blocks::of(network)?;
    let found = model.onnx.as_ref().map(|source| find_spaces(source)).transpose()?;
    let drawn = || found.as_ref().map(|found| graph_svg(&input::stem(&args.model), &found.operators, &found.spaces));
    if let Some(file) = &args.svg {
        let Some(drawing) = drawn() else {
            let problem = "draws the operators of ONNX models, of which this is none".to_owned();
            return Err(Error::Argument { argument: "svg", problem }.into());
        };
        check_output(file, &input::paths(&model, None), globals.force)?;
        write_text(file, &drawing)?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    let spaces = model.onnx.as_ref().zip(found.as_ref()).map(|(source, found)| InspectedSpace::all(source, found));
    let declined = blocks.declined.iter().map(|node| Declined {
        name: node.node.clone(),
        op: node.op.clone(),
        reason: node.reason.clone(),
    });
    let report = InspectReport {
        heading: Heading::new("inspect", globals.seed, Reference::new().device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        origin: network.origin,
        input: network.input.clone(),
        layers: InspectedLayer::all(network, head.as_ref().ok(), &blocks),
        blocks: blocks.blocks.iter().map(InspectedBlock::of).collect(),
        declined: declined.collect(),
        extra: network.extra.iter().map(|tensor| tensor.name().to_owned()).collect(),
        spaces: spaces.unwrap_or_default(),
        frozen: found.as_ref().map(|found| found.spaces.frozen.clone()).unwrap_or_default(),
        carried: found.as_ref().map(|found| found.carried.clone()).unwrap_or_default(),
        warnings: head.as_ref().err().map(ToString::to_string).into_iter().chain(model.warnings.clone()).collect(),
    };
    page::result(globals, &args.page, &report, inspect_text(&report), || inspect_page(&report, drawn().as_deref()))
}
