//! `tropix prune`: reads what both families of methods need, and hands over to one of them.

mod elements;
mod finetune;
mod limits;
mod spaces;
mod units;

pub(crate) use units::note;

use tropix::certify::{Pairing, PruneCertificate, data_radius, prune_certificate};
use tropix::network::dataset::Dataset;
use tropix::network::format::{self, ModelFile, Saved, check_output};
use tropix::network::{Head, Network, coupled_sites, sites};
use tropix::prune::structured::UnitMethod;
use tropix::prune::{AlternatingOptions, Method, Target, Timing};
use tropix::report::{Change, Declined};
use tropix::{Error, Result};

use crate::args::{BoundArg, Globals, MethodArg, ProtocolArgs, PruneArgs};
use crate::device::{AnyBackend, choose};
use crate::{input, page};

pub(crate) fn protocol(args: &ProtocolArgs) -> AlternatingOptions {
    AlternatingOptions {
        objective: args.objective.into(),
        bias_in_generator: !args.no_bias_in_generator,
        kept: args.kept_weights.into(),
        first: args.order.into(),
        half_steps: usize::from(args.half_steps),
    }
}

/// What is there before anything is pruned.
struct Prepared {
    model: ModelFile,
    declined: Vec<Declined>,
    data: Option<Dataset>,
    /// Samples for fine-tuning, none of them in `data`.
    training: Option<Dataset>,
    backend: AnyBackend,
}

impl Prepared {
    /// Norm of the inputs for which errors are certified: the one given, or that of the longest sample.
    fn radius(&self, args: &PruneArgs) -> Result<Option<f64>> {
        match (args.radius, &self.data) {
            (Some(radius), _) => Ok(Some(radius)),
            (None, Some(data)) => data_radius(&data.inputs).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Bytes of the model's files, and of the pruned ones: those that were written, or those that would be.
    fn file_bytes(&self, args: &PruneArgs, saved: Option<&Saved>, network: &Network) -> Change {
        let before = self.model.paths.iter().filter(|path| Some(*path) != args.model.arch.as_ref());
        let before = before.map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
        let after =
            saved.map_or_else(|| network.tensors().map(|tensor| tensor.byte_len() as u64).sum(), |saved| saved.bytes);
        Change { before, after }
    }
}

/// The certificate of the linear layers, where they begin at the input and there is a ball of inputs.
fn certificate(
    network: &Network,
    pruned: &Network,
    pairings: impl Fn(&Head) -> Vec<Pairing>,
    radius: Option<f64>,
    bounds: &[BoundArg],
) -> Result<Option<PruneCertificate>> {
    let (original, reduced) = (Head::of(network)?, Head::of(pruned)?);
    let Some(radius) = radius.filter(|_| original.whole && reduced.whole) else { return Ok(None) };
    let chosen = BoundArg::chosen(bounds);
    let bounds = (!chosen.is_empty()).then_some(chosen.as_slice());
    let found = prune_certificate(&original, &reduced, &pairings(&original), radius, bounds)?;
    Ok(found.error.is_finite().then_some(found))
}

/// The names of all files that were written.
fn names(saved: Option<&Saved>) -> Vec<String> {
    saved.iter().flat_map(|saved| &saved.paths).map(|path| path.display().to_string()).collect()
}

/// The name of the output that is written, if any.
fn written(args: &PruneArgs) -> Option<String> {
    args.output.as_ref().filter(|_| !args.dry_run).map(|path| path.display().to_string())
}

pub(crate) fn run(globals: &Globals, args: &PruneArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let family = Family::of(args)?;
    if let Some(output) = &args.output {
        check_output(output, std::slice::from_ref(&args.model.model), globals.force)?;
    }
    let mut model = timing.phase("load", || input::shaped(globals, &args.model, &args.shapes.input_shape))?;
    model.single_file = args.single_file;
    if matches!(family, Family::Units(_))
        && let Some(importance) = spaces::asked(globals, args, &model)?
    {
        return spaces::run(globals, args, &model, importance, timing);
    }
    let declined = match family {
        Family::Elements(..) => input::declined(&model.network, &Head::of(&model.network)?),
        Family::Units(_) => {
            let network = &model.network;
            let (_, refused) = if args.couple_trunk { coupled_sites(network)? } else { sites(network)? };
            refused.into_iter().map(|refused| Declined::of(&model.network, refused)).collect()
        }
    };
    if args.strict
        && let Some(first) = declined.first()
    {
        let problem = format!("`{}` ({}) cannot be pruned: {}", first.name, first.op, first.reason);
        return Err(Error::Unsupported { problem }.into());
    }
    let data = timing.phase("load", || input::data_for(globals, &args.data, &model.network))?;
    let tuning = args.tuning.options(globals.seed)?;
    let read = || finetune::samples(globals, args, &model.network, data, tuning.as_ref());
    let (data, training) = timing.phase("load", read)?;
    if let Some(output) = &args.output {
        let mut inputs = input::paths(&model, data.as_ref());
        inputs.extend(training.iter().flat_map(|training| training.paths.clone()));
        for output in format::outputs(&model, output)? {
            check_output(&output, &inputs, globals.force)?;
        }
    }
    page::check(globals, &args.page)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let prepared = Prepared { model, declined, data, training, backend };
    match family {
        Family::Elements(method, target) => elements::run(globals, args, &prepared, method, target, timing),
        Family::Units(method) => units::run(globals, args, &prepared, method, timing),
    }
}

/// The family of methods that the target asks for.
enum Family {
    /// `--rate` and `--lambda`: weights go.
    Elements(Method, Target),
    /// `--keep` and `--layer`: neurons go.
    Units(Option<UnitMethod>),
}

impl Family {
    fn of(args: &PruneArgs) -> Result<Self> {
        let target = match (args.rate, args.lambda) {
            (Some(rate), _) => Some(Target::Rate(rate)),
            (None, Some(lambda)) => Some(Target::Lambda(lambda)),
            (None, None) => None,
        };
        let wrong = |method: MethodArg, removes: &str, wants: &str| {
            let problem = format!("`{}` {removes}: it goes with {wants}; `tropix methods` lists all", method.name());
            Err(Error::Argument { argument: "method", problem })
        };
        match (target, args.method) {
            (Some(target), None) => Ok(Self::Elements(Method::TropicalPath, target)),
            (Some(target), Some(MethodArg::Elements(method))) => Ok(Self::Elements(method, target)),
            (Some(_), Some(method)) => wrong(method, "removes neurons", "`--keep` or `--layer`"),
            (None, None) => Ok(Self::Units(None)),
            (None, Some(MethodArg::Units(method))) => Ok(Self::Units(Some(method))),
            // Where it does not fit, `spaces` says so.
            (None, Some(MethodArg::Spaces(_))) => Ok(Self::Units(None)),
            (None, Some(method)) => wrong(method, "sets weights to zero", "`--rate`"),
        }
    }
}
