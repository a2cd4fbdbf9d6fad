//! What the arguments say of a command, whichever it is.

use std::fs;
use std::path::{Path, PathBuf};

use tropix::{Error, Result};

use crate::args::{BatchCommand, Command, DataArgs, Globals, ModelArgs};

/// Endings of models that are written.
const MODELS: &[&str] = &[".onnx", ".safetensors", ".safetensors.index.json"];

/// Endings of tables of reports.
const TABLES: &[&str] = &[".csv", ".json", ".md", ".html"];

/// A file that an option asks for.
struct Output<'a> {
    option: &'static str,
    path: &'a Path,
    /// What its name may end in: the format is known by it.
    endings: &'static [&'static str],
}

impl Output<'_> {
    /// Fails for a name that promises another format than the one that is written. What is there and is no file, such as
    /// `/dev/null`, may have any name.
    fn check(&self) -> Result<()> {
        let Self { option: argument, path, endings } = *self;
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let other_kind = fs::metadata(path).is_ok_and(|about| !about.is_file());
        // `-` is refused with its reason where outputs are checked.
        if other_kind || name == "-" || endings.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
        {
            return Ok(());
        }
        let known = endings.join(", ");
        let problem = match path.extension() {
            Some(ending) => format!("`{}`: tropix does not write .{}, but {known}", path.display(), ending.display()),
            None => format!("`{}` ends in none of {known}, which tell the format", path.display()),
        };
        Err(Error::Argument { argument, problem })
    }
}

impl BatchCommand {
    /// Files that the step reads or writes, as far as arguments name them.
    fn files(&self) -> Vec<Option<PathBuf>> {
        match self {
            Self::Plan(args) => vec![Some(args.manifest.manifest.clone())],
            Self::Run(args) => vec![Some(args.manifest.manifest.clone())],
            Self::Slurm(args) => vec![Some(args.manifest.manifest.clone())],
            Self::Status(_) => Vec::new(),
            Self::Merge(args) => vec![args.output.clone()],
        }
    }

    /// Where a table goes.
    fn table(&self) -> &Option<PathBuf> {
        match self {
            Self::Merge(args) => &args.output,
            _ => &None,
        }
    }
}

impl Command {
    /// The name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Doctor(_) => "doctor",
            Self::Inspect(_) => "inspect",
            Self::Prune(_) => "prune",
            Self::Sweep(_) => "sweep",
            Self::Evaluate(_) => "evaluate",
            Self::Zonotope(_) => "zonotope",
            Self::Hausdorff(_) => "hausdorff",
            Self::Compare(_) => "compare",
            Self::Convert(_) => "convert",
            Self::Certify(_) => "certify",
            Self::Attack(_) => "attack",
            Self::Train(_) => "train",
            Self::Lottery(_) => "lottery",
            Self::RandomModel(_) => "random-model",
            Self::Polynomial(_) => "polynomial",
            Self::Boundary(_) => "boundary",
            Self::Bench(_) => "bench",
            Self::Batch(_) => "batch",
            Self::Methods(_) => "methods",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// Files that the command reads or writes, as far as arguments name them.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of_model = |model: &ModelArgs| [Some(model.model.clone()), model.arch.clone()];
        let of_data = |data: &DataArgs| data.data.as_ref().map(PathBuf::from);
        let files: Vec<Option<PathBuf>> = match self {
            Self::Doctor(_) | Self::Bench(_) | Self::Methods(_) | Self::Completions(_) => Vec::new(),
            // A folder, in which nothing is read.
            Self::Man(_) => Vec::new(),
            Self::Batch(args) => args.step.files(),
            Self::Inspect(args) => {
                [of_model(&args.model).to_vec(), vec![args.emit_arch.clone(), args.svg.clone()]].concat()
            }
            Self::Prune(args) => {
                let training = args.tuning.train.as_ref().map(PathBuf::from);
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), training, args.output.clone()]].concat()
            }
            Self::Sweep(args) => {
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), args.csv.clone(), args.svg.clone()]].concat()
            }
            Self::Evaluate(args) => {
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), args.against.clone()]].concat()
            }
            Self::Zonotope(args) => vec![Some(PathBuf::from(&args.source)), args.body.arch.clone(), args.svg.clone()],
            Self::Hausdorff(args) => {
                let sides = [&args.a, &args.b].map(|side| Some(PathBuf::from(side)));
                [sides.to_vec(), vec![args.body.arch.clone(), args.svg.clone()]].concat()
            }
            Self::Compare(args) => {
                let models = [Some(args.a.clone()), Some(args.b.clone()), args.arch.clone()];
                [models.to_vec(), vec![of_data(&args.data)]].concat()
            }
            Self::Convert(args) => [of_model(&args.model).to_vec(), vec![Some(args.output.clone())]].concat(),
            Self::Certify(args) => {
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), Some(args.compressed.clone())]].concat()
            }
            Self::Attack(args) => {
                let others = vec![of_data(&args.data), args.also.clone(), args.images.clone(), args.svg.clone()];
                [of_model(&args.model).to_vec(), others].concat()
            }
            Self::Train(args) => {
                let data = [&args.data.data, &args.test].map(|data| data.as_ref().map(PathBuf::from));
                let models = vec![args.model.clone(), args.arch.clone(), args.teacher.clone()];
                [
                    models,
                    data.to_vec(),
                    vec![args.toy.save_points.clone(), Some(args.output.clone()), args.state.checkpoint.clone()],
                ]
                .concat()
            }
            Self::Lottery(args) => vec![of_data(&args.data), args.toy.save_points.clone(), args.svg.clone()],
            Self::RandomModel(args) => vec![Some(args.output.clone())],
            Self::Polynomial(args) => vec![args.svg.clone()],
            Self::Boundary(args) => {
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), args.svg.clone()]].concat()
            }
        };
        files.into_iter().flatten().collect()
    }

    /// Where the result goes as a page.
    pub(crate) fn page(&self) -> Option<&Path> {
        let args = match self {
            Self::Inspect(args) => &args.page,
            Self::Prune(args) => &args.page,
            Self::Sweep(args) => &args.page,
            Self::Evaluate(args) => &args.page,
            Self::Compare(args) => &args.page,
            Self::Certify(args) => &args.page,
            Self::Boundary(args) => &args.page,
            _ => return None,
        };
        args.report.as_deref()
    }

    /// Files that options of the command ask for.
    fn outputs<'a>(&'a self, globals: &'a Globals) -> Vec<Output<'a>> {
        let one = |option, path: &'a Option<PathBuf>, endings| {
            path.as_ref().map(|path| Output { option, path: path.as_path(), endings })
        };
        let svg = |path| one("svg", path, &[".svg"]);
        let model = |path: &'a PathBuf| Some(Output { option: "output", path: path.as_path(), endings: MODELS });
        let own = match self {
            Self::Doctor(_) | Self::Bench(_) | Self::Evaluate(_) | Self::Compare(_) | Self::Certify(_) => Vec::new(),
            Self::Methods(_) | Self::Completions(_) | Self::Man(_) => Vec::new(),
            Self::Batch(args) => vec![one("output", args.step.table(), TABLES)],
            Self::Inspect(args) => vec![one("emit-arch", &args.emit_arch, &[".toml"]), svg(&args.svg)],
            Self::Prune(args) => vec![one("output", &args.output, MODELS)],
            Self::Sweep(args) => vec![one("csv", &args.csv, &[".csv", ".txt"]), svg(&args.svg)],
            Self::Zonotope(args) => vec![svg(&args.svg)],
            Self::Hausdorff(args) => vec![svg(&args.svg)],
            Self::Polynomial(args) => vec![svg(&args.svg)],
            Self::Boundary(args) => vec![svg(&args.svg)],
            Self::Attack(args) => vec![one("images", &args.images, &[".png"]), svg(&args.svg)],
            Self::Convert(args) => vec![model(&args.output)],
            Self::Train(args) => {
                let points = one("save-points", &args.toy.save_points, &[".safetensors"]);
                vec![model(&args.output), points, one("checkpoint", &args.state.checkpoint, &[".safetensors"])]
            }
            Self::Lottery(args) => {
                vec![svg(&args.svg), one("save-points", &args.toy.save_points, &[".safetensors"])]
            }
            Self::RandomModel(args) => vec![model(&args.output)],
        };
        let page = self.page().map(|page| Output { option: "report", path: page, endings: &[".html"] });
        own.into_iter().chain([one("profile", &globals.profile, &[".json"]), page]).flatten().collect()
    }

    /// Fails for names of outputs that do not fit what is written. To be called before any work.
    pub(crate) fn check_outputs(&self, globals: &Globals) -> Result<()> {
        let files = self.files();
        // An output that is an input as well is refused as such where outputs are checked against inputs.
        let is_input = |output: &&Output<'_>| {
            let own = usize::from(!["profile", "report"].contains(&output.option));
            files.iter().filter(|file| *file == output.path).count() > own
        };
        self.outputs(globals).iter().filter(|output| !is_input(output)).try_for_each(Output::check)
    }
}
