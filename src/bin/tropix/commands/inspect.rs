//! `tropix inspect`.

use serde::Serialize;
use tropix::Error;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{self, check_output, write_text};
use tropix::network::{Head, Network, Op};
use tropix::prune::Timing;
use tropix::report::{Declined, Files, Heading};

use crate::args::{Globals, InspectArgs};
use crate::{input, output};

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    heading: Heading,
    model: Files,
    origin: tropix::network::Origin,
    input: Vec<usize>,
    layers: Vec<Layer>,
    blocks: Vec<[String; 2]>,
    declined: Vec<Declined>,
    extra: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    op: String,
    inputs: Vec<String>,
    shape: Option<[usize; 2]>,
    outputs: Option<usize>,
    prunable: &'static str,
}

pub(crate) fn run(globals: &Globals, args: &InspectArgs, timing: &mut Timing) -> anyhow::Result<()> {
    if let Some(file) = &args.emit_arch {
        check_output(file, std::slice::from_ref(&args.model.model), globals.force)?;
        // A file whose order cannot be guessed still gives a template to edit.
        let text = match format::load(&args.model.model, args.model.arch.as_deref()) {
            Ok(model) => format::emit_arch(&model.network),
            Err(Error::Chain { .. }) => format::template(&args.model.model)?,
            Err(error) => return Err(error.into()),
        };
        write_text(file, &text)?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let network = &model.network;
    let head = Head::of(network);
    let report = Report {
        heading: Heading::new("inspect", globals.seed, Reference::new().device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        origin: network.origin,
        input: network.input.clone(),
        layers: layers(network, head.as_ref().ok()),
        blocks: head.as_ref().map(blocks).unwrap_or_default(),
        declined: head.as_ref().map(|head| input::declined(network, head)).unwrap_or_default(),
        extra: network.extra.iter().map(|tensor| tensor.name().to_owned()).collect(),
        warnings: head.as_ref().err().map(ToString::to_string).into_iter().chain(model.warnings.clone()).collect(),
    };
    output::result(globals, &report, &text(&report))
}

fn layers(network: &Network, head: Option<&Head>) -> Vec<Layer> {
    let lengths = network.output_lengths().unwrap_or_default();
    let nodes = network.nodes.iter().zip(lengths.into_iter().chain(std::iter::repeat(None)));
    nodes
        .map(|(node, outputs)| {
            let at = head.and_then(|head| head.layers.iter().position(|layer| layer.name == node.name));
            let last = head.map_or(0, |head| head.layers.len() - 1);
            Layer {
                name: node.name.clone(),
                op: node.op.name().to_owned(),
                inputs: node.inputs.clone(),
                shape: if let Op::Linear { weight, .. } = &node.op { Some(weight.matrix_shape()) } else { None },
                outputs,
                prunable: match at {
                    Some(at) if at < last => "weights and neurons",
                    Some(_) => "weights",
                    None => "",
                },
            }
        })
        .collect()
}

fn blocks(head: &Head) -> Vec<[String; 2]> {
    head.layers.windows(2).map(|pair| [pair[0].name.clone(), pair[1].name.clone()]).collect()
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{}\n{}",
        report.model.input,
        tropix::report::rows_table(
            &["node", "operation", "outputs x inputs", "outputs", "prunable"],
            report.layers.iter().map(|layer| {
                let shape = layer.shape.map(|[rows, columns]| format!("{rows} x {columns}")).unwrap_or_default();
                let outputs = layer.outputs.map(|outputs| outputs.to_string()).unwrap_or_default();
                vec![layer.name.clone(), layer.op.clone(), shape, outputs, layer.prunable.to_owned()]
            }),
        )
    );
    for [first, second] in &report.blocks {
        text.push_str(&format!("\nblock: `{first}`, ReLU, `{second}`"));
    }
    for declined in &report.declined {
        text.push_str(&format!("\nnot prunable: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    if !report.extra.is_empty() {
        text.push_str(&format!("\nkept verbatim: {}", report.extra.join(", ")));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}
