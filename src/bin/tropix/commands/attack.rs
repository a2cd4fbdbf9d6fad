//! `tropix attack`.

use std::path::Path;

use tropix::Error;
use tropix::attack::{
    AttackOptions, Distance, DualHead, DualOptions, Method, Share, Targets, attack, correct_samples, draw,
};
use tropix::network::dataset::Dataset;
use tropix::network::format::{ModelFile, check_output, write_bytes, write_text};
use tropix::network::{Head, Op, head_for};
use tropix::prune::Timing;
use tropix::report::svg::attack_svg;
use tropix::report::{AttackReport, AttackSettings, AttackedModel, Heading, Memory, attack_text, sheet};

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
    let heads = models.iter().zip(paths.clone()).map(|(model, path)| head_of(model, path, &data));
    let heads = heads.collect::<tropix::Result<Vec<_>>>()?;
    let inputs: Vec<_> = models.iter().flat_map(|model| input::paths(model, Some(&data))).collect();
    for file in args.images.iter().chain(&args.svg) {
        check_output(file, &inputs, globals.force)?;
    }
    let options = options(globals, args, &heads[0], &data)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let samples = input::borrowed(&data);
    let correct = with_backend!(&backend, backend => {
        let of = |head| correct_samples(backend, &DualHead::upload(backend, head)?, samples);
        timing.phase("evaluate", || heads.iter().map(of).collect::<tropix::Result<Vec<_>>>())?
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
    for ((head, correct), path) in heads.iter().zip(&correct).zip(paths) {
        let robustness = with_backend!(&backend, backend => {
            attack(backend, head, samples, &numbers, &options, timing, &progress)?
        });
        let seconds = robustness.attacks.iter().map(|attack| attack.seconds).collect();
        let correct = Share::of(correct.iter().copied());
        attacked.push(AttackedModel { model: path.display().to_string(), correct, robustness, seconds });
    }
    let mut wrote = Vec::new();
    if let Some(file) = &args.images {
        let (picture, note) = sheet(&data, &attacked[0].robustness, options.dual.bounds)?;
        write_bytes(file, &picture.png()?)?;
        wrote.push(format!("{note}\nwrote {}", file.display()));
    }
    if let Some(file) = &args.svg {
        let svg = with_backend!(&backend, backend => {
            timing.phase("picture", || attack_svg(backend, &heads[0], &data, &attacked[0].robustness, options.dual.bounds))?
        });
        write_text(file, &svg)?;
        wrote.push(format!("wrote {}", file.display()));
    }
    let mut warnings = input::warnings(&models[0], [&data]);
    if !heads[0].whole {
        warnings.push("the attacks are on the features that enter the linear layers, not on images".to_owned());
    }
    let report = AttackReport {
        heading: Heading::new("attack", globals.seed, backend.device()),
        data: data.applied.clone(),
        settings: AttackSettings::of(&options),
        differences: AttackReport::differences(&attacked),
        attack_timing: attacked.iter().map(|model| model.seconds.clone()).collect(),
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

/// The linear layers that take the data.
fn head_of(model: &ModelFile, path: &Path, data: &Dataset) -> tropix::Result<Head> {
    let (width, network) = (data.sample.iter().product(), &model.network);
    let Some(head) = head_for(network, width) else {
        let first =
            network.nodes.iter().find(|node| !matches!(node.op, Op::Flatten | Op::Identity | Op::Reshape { .. }));
        let first = first.map_or_else(String::new, |node| format!(" (`{}`, {})", node.name, node.op.name()));
        let problem = format!(
            "{}: attacks follow linear layers with ReLU from the inputs on, and this network begins with another one{first}; \
             what is possible: `--data` with the features that enter its linear layers, and `--box` with their range",
            path.display()
        );
        return Err(Error::Unsupported { problem });
    };
    data.check_against(head.inputs(), head.classes())?;
    Ok(head)
}

fn options(globals: &Globals, args: &AttackArgs, head: &Head, data: &Dataset) -> tropix::Result<AttackOptions> {
    let fail = |argument, problem: String| Err(Error::Argument { argument, problem });
    let [low, high] = args.bounds[..] else {
        return fail("box", format!("{:?}: expected the least and the largest value", args.bounds));
    };
    let methods: Vec<Method> = args.method.iter().copied().map(Method::from).collect();
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
    if head.layers.len() == 1 {
        effect::refuse(globals, &["--polytope"], "on a network of one layer, which has no weights behind it")?;
    }
    if args.svg.is_some() && head.inputs() != 2 {
        return fail("svg", format!("shows networks with two inputs, this one has {}", head.inputs()));
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
        certify: !args.no_certify,
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
