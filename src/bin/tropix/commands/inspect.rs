//! `tropix inspect`.

use serde::Serialize;
use tropix::Error;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{self, ModelFile, OnnxSource, check_output, write_text};
use tropix::network::spaces::{FrozenUnits, Role, Space};
use tropix::network::{Block, Blocks, Head, Layout, Network, Op};
use tropix::prune::Timing;
use tropix::prune::spaces::{FoundSpaces, find_spaces};
use tropix::report::svg::graph_svg;
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
    blocks: Vec<BlockReport>,
    declined: Vec<Declined>,
    extra: Vec<String>,
    /// Units of any graph, of an ONNX model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spaces: Vec<SpaceReport>,
    /// Units that stay in every case, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frozen: Vec<FrozenUnits>,
    /// Operators that are carried along as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<String>,
    warnings: Vec<String>,
}

/// Units that are of one role.
#[derive(Serialize)]
struct SpaceReport {
    name: String,
    units: usize,
    /// Sets of units of which each keeps equally many.
    sets: usize,
    writers: Vec<String>,
    readers: Vec<String>,
    /// Operators whose parameters belong to the units one by one.
    parameters: Vec<String>,
    /// Whether statistics are taken over the units.
    coupled: bool,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    op: String,
    inputs: Vec<String>,
    shape: Option<Vec<usize>>,
    outputs: Option<Vec<usize>>,
    prunable: &'static str,
}

#[derive(Serialize)]
struct BlockReport {
    producer: String,
    units: usize,
    norm: Option<String>,
    activation: String,
    /// What it computes.
    function: &'static str,
    /// Its slope for negative values, where it is a rectifier: 0 for ReLU.
    slope: Option<f64>,
    passes: Vec<String>,
    consumers: Vec<ConsumerReport>,
}

#[derive(Serialize)]
struct ConsumerReport {
    node: String,
    columns_per_unit: usize,
    layout: &'static str,
}

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
    let network = &model.network;
    let head = Head::of(network);
    let found = Blocks::of(network)?;
    let found_spaces = model.onnx.as_ref().map(|source| find_spaces(source)).transpose()?;
    if let Some(file) = &args.svg {
        draw(globals, args, &model, found_spaces.as_ref())?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    let (spaces, frozen, carried) = match (&model.onnx, found_spaces) {
        (Some(source), Some(found)) => spaces(source, found),
        _ => Default::default(),
    };
    let report = Report {
        spaces,
        frozen,
        carried,
        heading: Heading::new("inspect", globals.seed, Reference::new().device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        origin: network.origin,
        input: network.input.clone(),
        layers: layers(network, head.as_ref().ok(), &found),
        blocks: found.blocks.iter().map(block).collect(),
        declined: found
            .declined
            .into_iter()
            .map(|node| Declined { name: node.node, op: node.op, reason: node.reason })
            .collect(),
        extra: network.extra.iter().map(|tensor| tensor.name().to_owned()).collect(),
        warnings: head.as_ref().err().map(ToString::to_string).into_iter().chain(model.warnings.clone()).collect(),
    };
    output::result(globals, &report, &text(&report))
}

/// Draws the operators of an ONNX model.
fn draw(globals: &Globals, args: &InspectArgs, model: &ModelFile, found: Option<&FoundSpaces>) -> tropix::Result<()> {
    let Some(file) = &args.svg else { return Ok(()) };
    let Some(found) = found else {
        let problem = "draws the operators of ONNX models, of which this is none".to_owned();
        return Err(Error::Argument { argument: "svg", problem });
    };
    check_output(file, &input::paths(model, None), globals.force)?;
    let name = args.model.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    write_text(file, &graph_svg(&name, &found.operators, &found.spaces))
}

/// Spaces, units that stay, and operators that are carried along.
type Units = (Vec<SpaceReport>, Vec<FrozenUnits>, Vec<String>);

fn spaces(source: &OnnxSource, found: FoundSpaces) -> Units {
    let report = |space: &Space| {
        let names = |role: Role| {
            let mut names: Vec<String> = Vec::new();
            for (_, part) in space.of_role(role) {
                let name = source.operator_name(part.operator);
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            names
        };
        let (writers, readers, parameters) = (names(Role::Writer), names(Role::Reader), names(Role::Parameter));
        let (units, sets) = (space.units.len(), space.cells.len());
        SpaceReport { name: space.name.clone(), units, sets, writers, readers, parameters, coupled: space.coupled }
    };
    (found.spaces.spaces.iter().map(report).collect(), found.spaces.frozen, found.carried)
}

fn layers(network: &Network, head: Option<&Head>, blocks: &Blocks) -> Vec<Layer> {
    let shapes = network.shapes().unwrap_or_default();
    let nodes = network.nodes.iter().zip(shapes.into_iter().chain(std::iter::repeat(None)));
    nodes
        .map(|(node, outputs)| {
            let weights = head.is_some_and(|head| head.layers.iter().any(|layer| layer.name == node.name));
            let units = blocks.by_producer(&node.name).is_some();
            Layer {
                name: node.name.clone(),
                op: node.op.name().to_owned(),
                inputs: node.inputs.clone(),
                shape: match &node.op {
                    Op::Linear { weight, .. } | Op::Conv { weight, .. } => Some(weight.dimensions().to_vec()),
                    _ => None,
                },
                outputs,
                prunable: match (weights, units) {
                    (true, true) => "weights and units",
                    (true, false) => "weights",
                    (false, true) => "units",
                    (false, false) => "",
                },
            }
        })
        .collect()
}

fn block(block: &Block) -> BlockReport {
    let consumers = block.consumers.iter().map(|consumer| ConsumerReport {
        node: consumer.node.clone(),
        columns_per_unit: consumer.columns.per_unit,
        layout: match consumer.columns.layout {
            Layout::Blocks => "blocks",
            Layout::Strided => "strided",
        },
    });
    BlockReport {
        producer: block.producer.clone(),
        units: block.units,
        norm: block.norm.clone(),
        activation: block.activation.clone(),
        function: block.bend.name(),
        slope: block.bend.slope(),
        passes: block.passes.clone(),
        consumers: consumers.collect(),
    }
}

/// The block in one line; what is not said is a ReLU and one column per unit.
fn line(block: &BlockReport) -> String {
    let norm = block.norm.iter().map(|norm| format!(", `{norm}`")).collect::<String>();
    let passes = block.passes.iter().map(|pass| format!("`{pass}`, ")).collect::<String>();
    let consumers = block.consumers.iter().map(|consumer| match consumer.columns_per_unit {
        1 => format!("`{}`", consumer.node),
        columns => format!("`{}` ({columns} columns per unit, {})", consumer.node, consumer.layout),
    });
    let consumers = consumers.collect::<Vec<_>>().join(" and ");
    format!("block: `{}`{norm}, {}, {passes}{consumers}", block.producer, block.function)
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{}\n{}",
        report.model.input,
        tropix::report::rows_table(
            &["node", "operation", "weight", "outputs", "prunable"],
            report.layers.iter().map(|layer| {
                let shape = |shape: &Option<Vec<usize>>| {
                    let axes = shape.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
                    axes.join(" x ")
                };
                let (weight, outputs) = (shape(&layer.shape), shape(&layer.outputs));
                vec![layer.name.clone(), layer.op.clone(), weight, outputs, layer.prunable.to_owned()]
            }),
        )
    );
    for block in &report.blocks {
        text.push_str(&format!("\n{}", line(block)));
    }
    for declined in &report.declined {
        text.push_str(&format!("\nnot prunable: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    for space in &report.spaces {
        let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let sets = if space.sets > 1 { format!(" in {} sets", space.sets) } else { String::new() };
        let coupled = if space.coupled { ", coupled by statistics over them" } else { "" };
        let (writers, readers) = (list(&space.writers), list(&space.readers));
        text.push_str(&format!(
            "\nspace: {} units{sets}{coupled}, written by {writers}, read by {readers}",
            space.units
        ));
    }
    for frozen in &report.frozen {
        text.push_str(&format!("\nkept: {} units of `{}`: {}", frozen.units, frozen.name, frozen.reason));
    }
    for carried in &report.carried {
        text.push_str(&format!("\n{carried}"));
    }
    if !report.extra.is_empty() {
        text.push_str(&format!("\nkept verbatim: {}", report.extra.join(", ")));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}
