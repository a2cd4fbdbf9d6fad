//! `tropix attack`.

use std::path::Path;
use std::sync::Arc;

use tropix::Error;
use tropix::attack::{AttackOptions, Distance, DualOptions, Method, Subject, Targets, attack, correct_samples, draw};
use tropix::network::dataset::Dataset;
use tropix::network::format::{ModelFile, OnnxSource, check_output, write_bytes, write_text};
use tropix::network::{Head, Op, head_for};
use tropix::prune::Timing;
use tropix::report::svg::attack_svg;
use tropix::report::{AttackReport, AttackSettings, AttackedModel, Heading, Memory, attack_text, sheet};
use tropix::statistics::Share;

use crate::args::{AttackArgs, DistanceArg, Globals, ModelArgs};
use crate::device::{choose, with_backend};
use crate::{effect, input, output};

/// Factors of squares and groups in the program of Xu et al.
const SQUARE: f64 = 2.0;
const GROUP: f64 = 3.0;

pub(crate) fn run(globals: &Globals, args: &AttackArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let mut models = vec![timing.phase("load", || input::model(globals, &args.model))?];
    if let Some(also) = &args.also {
        let other = ModelArgs { model: also.clone(), arch: args.model.arch.clone() };
        models.push(timing.phase("load", || input::model(globals, &other))?);
    }
    if args.data.data.is_none() {
        let problem = "robust accuracy needs labelled samples".to_owned();
        return Err(Error::Argument { argument: "data", problem }.into());
    }
    let data = timing.phase("load", || input::data_for(globals, &args.data, &models[0].network))?;
    let data = data.ok_or_else(|| Error::Internal { what: "no data".to_owned() })?;
    let paths = [&args.model.model].into_iter().chain(&args.also);
    let kinds = models.iter().zip(paths.clone()).map(|(model, path)| Kind::of(model, path, &data, globals, args));
    let kinds = kinds.collect::<tropix::Result<Vec<_>>>()?;
    let subjects: Vec<Subject<'_>> = kinds.iter().map(Kind::subject).collect();
    let inputs: Vec<_> = models.iter().flat_map(|model| input::paths(model, Some(&data))).collect();
    for file in args.images.iter().chain(&args.svg) {
        check_output(file, &inputs, globals.force)?;
    }
    let options = options(globals, args, &kinds, &data)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let samples = input::borrowed(&data);
    let correct = with_backend!(&backend, backend => {
        let of = |subject: &Subject<'_>| correct_samples(backend, *subject, samples);
        timing.phase("evaluate", || subjects.iter().map(of).collect::<tropix::Result<Vec<_>>>())?
    });
    let labels = data.labels.as_deref().unwrap_or_default();
    let mut eligible: Vec<bool> = (0..labels.len()).map(|at| correct.iter().all(|correct| correct[at])).collect();
    if let Targets::Class(target) = options.targets {
        // A sample of that class has it already.
        eligible.iter_mut().zip(labels).for_each(|(eligible, label)| *eligible &= *label != target);
        if correct.iter().all(|correct| correct.contains(&true)) && !eligible.contains(&true) {
            let problem = format!("{target} is the class of every correctly classified sample");
            return Err(Error::Argument { argument: "target", problem }.into());
        }
    }
    let numbers = draw(&eligible, args.samples as usize, globals.seed)?;
    let progress = output::Progress::new(globals);
    let mut attacked = Vec::new();
    for ((subject, correct), path) in subjects.iter().zip(&correct).zip(paths) {
        let robustness = with_backend!(&backend, backend => {
            attack(backend, *subject, samples, &numbers, &options, timing, &progress)?
        });
        let correct = Share::of(correct.iter().copied());
        attacked.push(AttackedModel { model: path.display().to_string(), correct, robustness });
    }
    let mut wrote = Vec::new();
    if let Some(file) = &args.images {
        let (picture, note) = sheet(&data, &attacked[0].robustness, options.dual.bounds)?;
        write_bytes(file, &picture.png()?)?;
        wrote.push(format!("{note}\nwrote {}", file.display()));
    }
    if let (Some(file), Kind::Head(head)) = (&args.svg, &kinds[0]) {
        let svg = with_backend!(&backend, backend => {
            timing.phase("picture", || attack_svg(backend, head, &data, &attacked[0].robustness, options.dual.bounds))?
        });
        write_text(file, &svg)?;
        wrote.push(format!("wrote {}", file.display()));
    }
    let mut warnings = input::warnings(&models[0], [&data]);
    warnings.extend(kinds.iter().zip(&models).find_map(|(kind, model)| kind.warning(model)));
    let report = AttackReport {
        heading: Heading::new("attack", globals.seed, backend.device()),
        data: data.applied.clone(),
        settings: AttackSettings::of(&options),
        differences: AttackReport::differences(&attacked),
        attack_timing: attacked
            .iter()
            .map(|model| model.robustness.attacks.iter().map(|attack| attack.seconds).collect())
            .collect(),
        models: attacked,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let mut text = attack_text(&report);
    text.push_str(&format!("\n{}", output::costs(&report.timing, report.memory.peak_bytes)));
    wrote.iter().for_each(|line| text.push_str(&format!("\n{line}")));
    output::result(globals, &report, &text)
}

/// What a model is to the attacks.
enum Kind {
    /// Linear layers that take the data.
    Head(Head),
    /// Any other graph.
    Graph(Arc<OnnxSource>),
}

impl Kind {
    fn of(
        model: &ModelFile,
        path: &Path,
        data: &Dataset,
        globals: &Globals,
        args: &AttackArgs,
    ) -> tropix::Result<Self> {
        let (width, network) = (data.sample.iter().product(), &model.network);
        if let Some(head) = head_for(network, width) {
            data.check_against(head.inputs(), head.classes())?;
            return Ok(Self::Head(head));
        }
        let dual = args.method.iter().any(|method| Method::from(*method).is_dual()) && globals.run.gives("--method");
        match &model.onnx {
            Some(source) if !dual => Ok(Self::Graph(Arc::clone(source))),
            source => {
                let skipped = |op: &Op| matches!(op, Op::Flatten | Op::Identity | Op::Reshape { .. });
                let first = network.nodes.iter().find(|node| !skipped(&node.op));
                let first = first.map_or_else(String::new, |node| format!(" (`{}`, {})", node.name, node.op.name()));
                let other = if source.is_some() { "" } else { " of the model as ONNX (`tropix convert`)" };
                let problem = format!(
                    "{}: the dual view needs linear layers with ReLU from the inputs on, and this network begins with another \
                     layer{first}; what is possible: `--method fgsm,pgd,apgd`{other}, or `--data` with the features that enter \
                     its linear layers and `--box` with their range",
                    path.display()
                );
                Err(Error::Unsupported { problem })
            }
        }
    }

    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Head(head) => Subject::Head(head),
            Self::Graph(source) => Subject::Graph(source),
        }
    }

    /// What the results are not.
    fn warning(&self, model: &ModelFile) -> Option<String> {
        let text = match self {
            Self::Head(head) if head.whole => return None,
            Self::Head(_) => "the attacks are on the features that enter the linear layers, not on images",
            Self::Graph(_) if matches!(model.network.nodes.last().map(|node| &node.op), Some(Op::Softmax { .. })) => {
                "no certified distances beyond linear layers with ReLU; the outputs are probabilities, whose slopes are \
                 small where the network is sure: an attack on the logits before them may find more"
            }
            Self::Graph(_) => "no certified distances: they are of linear layers with ReLU from the inputs on",
        };
        Some(text.to_owned())
    }
}

fn options(globals: &Globals, args: &AttackArgs, kinds: &[Kind], data: &Dataset) -> tropix::Result<AttackOptions> {
    let fail = |argument, problem: String| Err(Error::Argument { argument, problem });
    let [low, high] = args.bounds[..] else {
        return fail("box", format!("{:?}: expected the least and the largest value", args.bounds));
    };
    let graph = kinds.iter().any(|kind| matches!(kind, Kind::Graph(_)));
    let mut methods: Vec<Method> = args.method.iter().copied().map(Method::from).collect();
    if graph {
        // Without a choice what is left of the usual ones.
        methods.retain(|method| !method.is_dual());
        effect::refuse(
            globals,
            &["--no-certify"],
            "beyond linear layers with ReLU, of which no distances are certified",
        )?;
    }
    if !methods.iter().any(|method| method.is_dual()) {
        let why = "without `reduced` or `admm` among the methods";
        let dual = ["--epsilon2", "--target", "--distance", "--polytope", "--kappa", "--searches", "--svg"];
        effect::refuse(globals, &dual, why)?;
    }
    if methods.iter().all(|method| *method == Method::Fgsm) {
        effect::refuse(globals, &["--steps", "--starts"], "on `fgsm`, which is one step from the sample")?;
    }
    if args.epsilon2.iter().all(|rows| *rows == 0.0) {
        effect::refuse(
            globals,
            &["--polytope", "--svg"],
            "with `--epsilon2 0`, which leaves the first layer as it is",
        )?;
    }
    if matches!(kinds, [Kind::Head(head), ..] if head.layers.len() == 1) {
        effect::refuse(globals, &["--polytope"], "on a network of one layer, which has no weights behind it")?;
    }
    let inputs = data.sample.iter().product::<usize>();
    if args.svg.is_some() && inputs != 2 {
        return fail("svg", format!("shows networks with two inputs, this one has {inputs}"));
    }
    let image = image_shape(&data.sample);
    if args.images.is_some() && image.is_none() {
        return fail("images", format!("samples of shape {:?} are no images", data.sample));
    }
    let distance = match (args.distance, image) {
        (Some(DistanceArg::Groups), None) => {
            return fail("distance", format!("samples of shape {:?} have no groups of pixels", data.sample));
        }
        (Some(DistanceArg::Groups) | None, Some(shape)) => Distance::Groups { shape, square: SQUARE, group: GROUP },
        _ => Distance::Squares,
    };
    let steps = |usual| args.steps.map_or(usual, |steps| steps as usize);
    let options = AttackOptions {
        methods,
        epsilons: args.epsilon.clone(),
        rows: args.epsilon2.clone(),
        targets: args.target,
        dual: DualOptions {
            bounds: [low, high],
            distance,
            polytope: args.polytope.into(),
            kappa: args.kappa,
            searches: usize::from(args.searches),
            steps: steps(40),
            starts: usize::from(args.starts),
            seed: globals.seed,
            ..DualOptions::new(args.epsilon[0], args.epsilon2[0])
        },
        admm_steps: steps(200),
        steps: steps(40),
        starts: usize::from(args.starts),
        certify: !args.no_certify && !graph,
    };
    options.check()?;
    Ok(options)
}

/// Channels, height and width of samples that are images.
fn image_shape(sample: &[usize]) -> Option<[usize; 3]> {
    match *sample {
        [channels @ (1 | 3), height, width] => Some([channels, height, width]),
        [height, width] if height > 1 && width > 1 => Some([1, height, width]),
        _ => None,
    }
}
