//! Options that would say nothing: one that has no effect with the others given is an error, so that nobody takes a
//! result for that of a setting it was not made with. What depends on the files is judged where they are known.

use tropix::prune::Method;
use tropix::prune::spaces::Importance;
use tropix::prune::structured::Refit;
use tropix::{Error, Result};

use crate::args::{Arguments, BodyArgs, Command, DataArgs, DeviceChoice, Globals, MethodArg, PruneArgs, SweepArgs};
use crate::args::{FinetuneArg, FinetuneArgs, PriorArg};

/// The commands that a rule is for, the options, and what takes their effect.
type Rule = (&'static [&'static str], &'static [&'static str], fn(&Arguments) -> Option<&'static str>);

const PROTOCOL: &[&str] = &["--objective", "--order", "--no-bias-in-generator", "--kept-weights", "--half-steps"];
const NORMALISE: &[&str] = &["--scale", "--mean", "--std"];
/// What structured methods are told.
const UNITS: &[&str] = &["--no-lossless", "--round-to"];
/// What refits are told.
const REFITS: &[&str] = &["--moments", "--calib", "--calib-samples", "--prior", "--inputs", "--ridge"];
const TRAINING: &[&str] =
    &["--train", "--epochs", "--optimizer", "--learning-rate", "--weight-decay", "--batch-size", "--holdout"];
const OF_MODELS: &[&str] = &["--class", "--layer", "--minimal", "--arch"];

#[rustfmt::skip]
const RULES: &[Rule] = &[
    (&["prune", "sweep"], PROTOCOL, without_tropical),
    (&["prune", "sweep"], UNITS, without_units),
    (&["prune", "sweep"], REFITS, without_refit),
    (&["prune"], &["--no-compact"], |all| prune(all)?.removes_units().then_some("without `--rate` or `--lambda`")),
    (&["prune"], TRAINING, |all| prune(all)?.tuning.is_off().then_some("without `--finetune`")),
    (&["prune"], &["--holdout"], |all| prune(all)?.tuning.train.as_ref().map(|_| "with `--train`")),
    (&["prune"], &["--bounds", "--no-certify"], |all| prune(all)?.has_no_ball().then_some("without `--radius` or `--data`")),
    (&["prune", "sweep"], &["--calib-samples"], without_calib),
    (&["prune"], &["--distil-steps", "--keep-inputs"], |all| {
        (prune(all)?.synth.prior != Some(PriorArg::Distilled)).then_some("without `--prior distilled`")
    }),
    (&["prune", "certify", "boundary", "evaluate", "compare", "sweep", "attack", "train", "lottery"], NORMALISE, without_data),
    (&["sweep"], &["--seeds"], |all| sweep(all)?.has_no_random_method().then_some("without a method of random order")),
    (&["boundary"], &["--form", "--samples", "--most-cells"], with_grid),
    (&["zonotope"], &["--max-memory"], with_no_vertices),
    (&["zonotope", "hausdorff"], OF_MODELS, without_model),
    (&["hausdorff"], &["--directions", "--rotations"], with_points),
    (&["bench"], &["--quick", "--f16"], with_tune),
    (&["bench"], &["--f16"], without_adapter),
    (&["completions"], &["--json"], |_| Some("on a script for a shell")),
    (&[], &["--verbose"], |all| all.globals.quiet.then_some("with `--quiet`")),
];

/// Fails for the first option on the command line that has no effect.
pub(crate) fn check(arguments: &Arguments) -> Result<()> {
    if prune(arguments).is_some_and(PruneArgs::has_no_target) {
        let problem = "is missing, or another target: `--keep 0.5` keeps half of the channels and neurons, `--rate 0.9` sets nine \
                       tenths of the weights to zero; `tropix prune -h` lists the others"
            .to_owned();
        return Err(Error::Argument { argument: "--keep", problem });
    }
    let command = arguments.command.name();
    for (commands, options, lacks) in RULES.iter().filter(|rule| rule.0.is_empty() || rule.0.contains(&command)) {
        debug_assert!(commands.is_empty() || commands.contains(&command));
        let given = options.iter().find(|option| arguments.globals.run.gives(option));
        if let Some(option) = given
            && let Some(why) = lacks(arguments)
        {
            return Err(none(option, why));
        }
    }
    Ok(())
}

/// The error of an option that has no effect.
pub(crate) fn none(option: &'static str, why: &str) -> Error {
    Error::Argument { argument: option, problem: format!("has no effect {why}") }
}

/// Fails for the first of `options` on the command line.
pub(crate) fn refuse(globals: &Globals, options: &[&'static str], why: &str) -> Result<()> {
    let given = options.iter().find(|option| globals.run.gives(option));
    given.map_or(Ok(()), |option| Err(none(option, why)))
}

fn prune(all: &Arguments) -> Option<&PruneArgs> {
    if let Command::Prune(args) = &all.command { Some(args) } else { None }
}

fn sweep(all: &Arguments) -> Option<&SweepArgs> {
    if let Command::Sweep(args) = &all.command { Some(args) } else { None }
}

fn without_tropical(all: &Arguments) -> Option<&'static str> {
    let tropical = |method: &MethodArg| *method == MethodArg::Elements(Method::Tropical);
    let runs = match &all.command {
        Command::Prune(args) => args.method.as_ref().is_some_and(tropical),
        Command::Sweep(args) if args.keep.is_empty() => args.methods.is_empty() || args.methods.iter().any(tropical),
        _ => false,
    };
    (!runs).then_some("without the method `tropical`")
}

fn without_units(all: &Arguments) -> Option<&'static str> {
    let units = match &all.command {
        Command::Prune(args) => args.removes_units(),
        Command::Sweep(args) => !args.keep.is_empty(),
        _ => true,
    };
    (!units).then_some("where weights go: it is for neurons, without `--rate` and with `--keep`")
}

fn without_refit(all: &Arguments) -> Option<&'static str> {
    let refits = match &all.command {
        Command::Prune(args) => args.refit.is_some_and(|refit| refit.0 != Refit::None),
        Command::Sweep(args) => args.refits.iter().any(|refit| refit.0 != Refit::None),
        _ => true,
    };
    let refits = refits || without_units(all).is_none();
    (!refits).then_some("where weights go without a refit: it is for those, and for neurons (`--keep`)")
}

fn without_calib(all: &Arguments) -> Option<&'static str> {
    let moments = match &all.command {
        Command::Prune(args) => &args.moments,
        Command::Sweep(args) => &args.moments,
        _ => return None,
    };
    moments.calib.is_none().then_some("without `--calib`")
}

fn without_data(all: &Arguments) -> Option<&'static str> {
    let given = |data: &DataArgs| data.data.is_some();
    let read = match &all.command {
        // Synthetic images are normalised alike: that is judged when the network is known.
        Command::Prune(args) => args.removes_units() || given(&args.data),
        Command::Sweep(args) => given(&args.data),
        Command::Evaluate(args) => given(&args.data),
        Command::Compare(args) => given(&args.data),
        Command::Certify(args) => given(&args.data),
        Command::Boundary(args) => given(&args.data),
        Command::Attack(args) => given(&args.data),
        Command::Train(args) => given(&args.data),
        Command::Lottery(args) => given(&args.data),
        _ => true,
    };
    (!read).then_some("without `--data`")
}

fn with_grid(all: &Arguments) -> Option<&'static str> {
    matches!(&all.command, Command::Boundary(args) if args.grid.is_some()).then_some("with `--grid`")
}

fn with_no_vertices(all: &Arguments) -> Option<&'static str> {
    matches!(&all.command, Command::Zonotope(args) if args.no_vertices).then_some("with `--no-vertices`")
}

fn without_model(all: &Arguments) -> Option<&'static str> {
    let models = match &all.command {
        Command::Zonotope(args) => BodyArgs::names_model(&args.source),
        Command::Hausdorff(args) => [&args.a, &args.b].into_iter().any(|side| BodyArgs::names_model(side)),
        _ => true,
    };
    (!models).then_some("without a model")
}

fn with_points(all: &Arguments) -> Option<&'static str> {
    let Command::Hausdorff(args) = &all.command else { return None };
    [&args.a, &args.b]
        .into_iter()
        .all(|side| BodyArgs::names_points(side))
        .then_some("with points: it is for zonotopes")
}

fn with_tune(all: &Arguments) -> Option<&'static str> {
    matches!(&all.command, Command::Bench(args) if args.tune).then_some("with `--tune`")
}

fn without_adapter(all: &Arguments) -> Option<&'static str> {
    let host = matches!(all.globals.device, DeviceChoice::Cpu | DeviceChoice::Reference);
    host.then_some("without an adapter: `--device auto`, `gpu` or `gpu:NAME`")
}

impl PruneArgs {
    /// Whether nothing says how far to go.
    fn has_no_target(&self) -> bool {
        let shares = [self.rate, self.lambda, self.keep, self.heads, self.max_error];
        shares.iter().all(Option::is_none) && self.layer.is_empty() && self.target_params.is_none()
    }

    /// Whether neurons go, not weights.
    fn removes_units(&self) -> bool {
        self.rate.is_none() && self.lambda.is_none()
    }

    /// Whether there is no ball of inputs to certify errors on; where one is needed, its absence is the error.
    fn has_no_ball(&self) -> bool {
        let needed = self.max_error.is_some() || self.allocate.is_some_and(|how| how.name() == "certificate");
        self.radius.is_none() && self.data.data.is_none() && !needed
    }
}

impl SweepArgs {
    fn has_no_random_method(&self) -> bool {
        let random = |method: &MethodArg| match method {
            MethodArg::Elements(method) => method.is_random(),
            MethodArg::Units(method) => method.is_random(),
            MethodArg::Spaces(importance) => *importance == Importance::Random,
        };
        !self.methods.is_empty() && !self.methods.iter().any(random)
    }
}

impl FinetuneArgs {
    fn is_off(&self) -> bool {
        matches!(self.finetune, None | Some(FinetuneArg::None))
    }
}

impl BodyArgs {
    /// Whether a source is a model, by its name.
    fn names_model(source: &str) -> bool {
        let name = source.strip_prefix("zonotope:").unwrap_or(source).to_ascii_lowercase();
        !name.starts_with(['[', '{', ' '])
            && (name.ends_with(".safetensors") || name.ends_with(".index.json"))
            && !name.starts_with("points:")
    }

    /// Whether a source can only be points, by its name.
    fn names_points(source: &str) -> bool {
        let lower = source.to_ascii_lowercase();
        let table = [".csv", ".txt", ".tsv", ".npz"].iter().any(|ending| lower.ends_with(ending));
        let data = ["points:", "mnist:", "cifar10:", "cifar100:"].iter().any(|prefix| lower.starts_with(prefix));
        data || table && !lower.starts_with("zonotope:")
    }
}
