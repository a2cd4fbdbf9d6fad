//! `tropix train`.

use std::collections::BTreeMap;

use tropix::network::dataset::Dataset;
use tropix::network::format::{ModelFile, check_output, save_samples};
use tropix::prune::Timing;
use tropix::report::{Heading, Memory, TrainedReport, train_text};
use tropix::train::{Checkpoint, Ended, Initial, Layout, Target, Toy, Trainee};
use tropix::{Error, Result};

use crate::args::{DataArgs, Globals, ModelArgs, StateArgs, ToyArgs, TrainArgs};
use crate::device::{choose, with_backend};
use crate::{effect, input, output};

pub(crate) fn run(globals: &Globals, args: &TrainArgs, timing: &mut Timing) -> anyhow::Result<()> {
    refuse_points(globals, &args.toy)?;
    if args.test.is_some() {
        effect::refuse(globals, &["--holdout"], "with `--test`")?;
    }
    let (model, initial) = timing.phase("load", || model(globals, args))?;
    let mut trainee = Trainee::of(&model)?;
    let read = |path| input::model(globals, &ModelArgs { model: path, arch: None });
    let teacher = args.teacher.clone().map(read).transpose()?;
    let [training, held_out] = timing.phase("load", || samples(globals, args, &model))?;
    let models = model.paths.iter().chain(teacher.iter().flat_map(|teacher| &teacher.paths));
    let inputs: Vec<_> = models.chain(&training.paths).chain(&held_out.paths).cloned().collect();
    for file in [Some(&args.output), args.toy.save_points.as_ref()].into_iter().flatten() {
        check_output(file, &inputs, globals.force)?;
    }
    if let Some(file) = &args.state.checkpoint {
        // What is there is gone on with, or was asked to be replaced.
        check_output(file, &inputs, globals.force || args.state.resume)?;
    }
    if let Some(initial) = initial {
        trainee.initialise(initial, globals.seed, args.layout.is_none())?;
    }
    let options = args.how.options(globals.seed)?;
    let checkpoint = checkpoint(globals, &args.state)?;
    let target = teacher.as_ref().map_or(Target::Labels, Target::Teacher);
    let image = <[usize; 3]>::try_from(model.network.input.as_slice()).ok();
    let image = image.or_else(|| <[usize; 3]>::try_from(training.sample.as_slice()).ok());
    let backend = timing.phase("start device", || choose(globals))?;
    let progress = output::Progress::new(globals);
    let train = (input::borrowed(&training), image);
    let held = input::borrowed(&held_out);
    let report = with_backend!(&backend, backend => {
        trainee.train(backend, train, &target, held, (&options, checkpoint.as_ref()), timing, &progress)?
    });
    let about = serde_json::json!({ "command": "train", "initial": initial, "options": options }).to_string();
    let metadata = BTreeMap::from([("tropix.report".to_owned(), about)]);
    let saved = timing.phase("write", || trainee.save(&model, &args.output, globals.force, &metadata))?;
    if let Some(file) = &args.toy.save_points {
        let points = rows(&held_out)?;
        save_samples(
            file,
            &points.view(),
            held_out.labels.as_deref(),
            &held_out.sample,
            &held_out.applied,
            globals.force,
        )?;
    }
    let mut warnings = input::warnings(&model, [&training, &held_out]);
    if args.how.patience.is_some() {
        warnings.push("the held-out samples chose the epoch: their accuracy is not one of unseen samples".to_owned());
    }
    let ended = report.ended;
    let report = TrainedReport {
        heading: Heading::new("train", globals.seed, backend.device()),
        model: args.model.as_ref().map(|model| model.display().to_string()),
        layout: args.layout.as_ref().map(Layout::to_string),
        teacher: args.teacher.as_ref().map(|teacher| teacher.display().to_string()),
        output: args.output.display().to_string(),
        parameters: trainee.parameters(),
        initial,
        data: training.applied.clone(),
        training: report,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let costs = output::costs(&report.timing, report.memory.peak_bytes);
    let files: Vec<String> = saved.paths.iter().map(|path| path.display().to_string()).collect();
    output::result(globals, &report, &format!("{}\n{costs}\nwrote {}", train_text(&report), files.join(", ")))?;
    if ended == Ended::Diverged {
        let problem = format!("the loss diverged: {} holds the state of the epoch before", args.output.display());
        return Err(Error::CheckFailed { problem }.into());
    }
    Ok(())
}

/// Where the state of training is kept.
fn checkpoint(globals: &Globals, args: &StateArgs) -> Result<Option<Checkpoint>> {
    let Some(file) = args.checkpoint.clone() else {
        effect::refuse(globals, &["--checkpoint-every"], "without `--checkpoint`")?;
        return Ok(None);
    };
    Ok(Some(Checkpoint { file, every: args.checkpoint_every as usize, resume: args.resume }))
}

/// What is trained, and how its weights are drawn, if they are.
fn model(globals: &Globals, args: &TrainArgs) -> Result<(ModelFile, Option<Initial>)> {
    let initial = args.initial.map(Initial::from);
    match (&args.layout, &args.model) {
        (Some(layout), _) => {
            let network = input::said(&layout.network()?, &args.data);
            Ok((ModelFile::new(network), Some(initial.unwrap_or(Initial::Pytorch))))
        }
        (None, Some(model)) => {
            let named = ModelArgs { model: model.clone(), arch: args.arch.clone() };
            Ok((input::shaped(globals, &named, &args.shapes.input_shape)?, initial))
        }
        (None, None) => Err(Error::Internal { what: "neither a model nor a layout".to_owned() }),
    }
}

/// What is trained on, and what is held out.
fn samples(globals: &Globals, args: &TrainArgs, model: &ModelFile) -> Result<[Dataset; 2]> {
    if let Some(made) = toy(globals, &args.toy)? {
        made.check_against(model.network.input.iter().product(), usize::MAX)?;
        return made.split(args.holdout, globals.seed);
    }
    let read = |spec: Option<&String>| {
        let spec = DataArgs { data: spec.cloned(), ..args.data.clone() };
        let data = input::data_for(globals, &spec, &model.network)?;
        data.ok_or_else(|| Error::Internal { what: "no data".to_owned() })
    };
    let data = read(args.data.data.as_ref())?;
    match &args.test {
        Some(test) => Ok([data, read(Some(test))?]),
        None => data.split(args.holdout, globals.seed),
    }
}

/// Fails for options of points where there are none.
pub(super) fn refuse_points(globals: &Globals, args: &ToyArgs) -> Result<()> {
    if args.toy.is_some() { Ok(()) } else { effect::refuse(globals, &["--points", "--noise"], "without `--toy`") }
}

/// Points in the plane, if they are asked for.
pub(super) fn toy(globals: &Globals, args: &ToyArgs) -> Result<Option<Dataset>> {
    let Some(toy) = args.toy.map(Toy::from) else { return Ok(None) };
    let ToyArgs { points, noise, .. } = args;
    let (values, labels) = toy.points(*points as usize, *noise, globals.seed)?;
    let about = format!("{points} {} with noise {noise} from seed {}", toy.name(), globals.seed);
    Dataset::of_points(&values, labels, about).map(Some)
}

/// The values of samples.
pub(super) fn rows(data: &Dataset) -> Result<ndarray::Array2<f32>> {
    use tropix::backend::RowSource;
    let mut rows = ndarray::Array2::zeros(data.inputs.shape());
    let values = rows.as_slice_mut().ok_or_else(|| Error::Internal { what: "rows apart".to_owned() })?;
    data.inputs.read_rows(0, values)?;
    Ok(rows)
}
