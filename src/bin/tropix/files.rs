//! What the arguments say of a command, whichever it is.

use std::path::PathBuf;

use crate::args::{Command, DataArgs, ModelArgs};

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
            Self::RandomModel(_) => "random-model",
            Self::Polynomial(_) => "polynomial",
            Self::Boundary(_) => "boundary",
            Self::Bench(_) => "bench",
        }
    }

    /// Files that the command reads or writes, as far as arguments name them.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of_model = |model: &ModelArgs| [Some(model.model.clone()), model.arch.clone()];
        let of_data = |data: &DataArgs| data.data.as_ref().map(PathBuf::from);
        let files: Vec<Option<PathBuf>> = match self {
            Self::Doctor(_) | Self::Bench(_) => Vec::new(),
            Self::Inspect(args) => [of_model(&args.model).to_vec(), vec![args.emit_arch.clone()]].concat(),
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
            Self::RandomModel(args) => vec![Some(args.output.clone())],
            Self::Polynomial(args) => vec![args.svg.clone()],
            Self::Boundary(args) => {
                [of_model(&args.model).to_vec(), vec![of_data(&args.data), args.svg.clone()]].concat()
            }
        };
        files.into_iter().flatten().collect()
    }
}
