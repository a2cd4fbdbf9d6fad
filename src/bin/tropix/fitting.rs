//! What weights that stay are refitted on, where weights go.

use ndarray::s;
use tropix::backend::{Backend, RowSource};
use tropix::network::Head;
use tropix::network::format::ModelFile;
use tropix::prune::sparse::{Fitting, head_inputs};
use tropix::prune::structured::{Prior, Refit};
use tropix::{Error, Result};

use crate::args::{Globals, MomentArgs, SynthArgs};
use crate::calibration::Calibration;
use crate::{effect, input};

/// Inputs of a head for one refit.
pub(crate) struct Inputs<'a> {
    refit: Refit,
    rows: Box<dyn RowSource + 'a>,
    ridge: f64,
}

impl<'a> Inputs<'a> {
    /// Draws from the prior, or the calibration samples; none without a refit.
    pub(crate) fn of<B: Backend>(
        backend: &B,
        (model, head): (&ModelFile, &Head),
        (globals, synth): (&Globals, &SynthArgs),
        calibration: &'a Calibration,
        refit: Refit,
    ) -> Result<Option<Self>> {
        let rows: Box<dyn RowSource + 'a> = match refit {
            Refit::None => return Ok(None),
            Refit::Gaussian => {
                let (sampled, count) = (calibration.sampled(), synth.options().inputs);
                head_inputs(&model.network, head, &calibration.prior, sampled, (count, globals.seed))?
            }
            Refit::Data => {
                let missing = || {
                    let problem = "the refit `data` needs calibration samples".to_owned();
                    Error::Argument { argument: "calib", problem }
                };
                let samples = calibration.samples.as_ref().ok_or_else(missing)?;
                match input::features(backend, model, samples)? {
                    Some(features) => {
                        let rows = calibration.count.min(features.nrows());
                        Box::new(features.slice(s![..rows, ..]).to_owned())
                    }
                    None => Box::new(calibration.rows().ok_or_else(missing)?),
                }
            }
        };
        Ok(Some(Self { refit, rows, ridge: synth.ridge }))
    }

    pub(crate) fn fitting(&self) -> Fitting<'_> {
        Fitting { refit: self.refit, inputs: self.rows.as_ref(), ridge: self.ridge }
    }
}

/// The name of the distribution that refits assume, if they do.
pub(crate) fn assumed(refits: &[Refit], calibration: &Calibration) -> Option<&'static str> {
    let name = || calibration.sampled().map_or_else(|| calibration.prior.name(), |sampled| sampled.name());
    refits.contains(&Refit::Gaussian).then(name)
}

/// Fails for what is said of the inputs on the command line where none of the refits looks at it.
pub(crate) fn check_effects(
    globals: &Globals,
    args: &MomentArgs,
    refits: &[Refit],
    calibration: &Calibration,
) -> Result<()> {
    let (drawn, on_samples) = (refits.contains(&Refit::Gaussian), refits.contains(&Refit::Data));
    let moments = drawn && calibration.sampled().is_none() && matches!(calibration.prior, Prior::Moments(_));
    let names: Vec<String> = refits.iter().map(|refit| format!("`{}`", refit.name())).collect();
    let rules: [(bool, &[&'static str]); 3] = [
        (on_samples || moments && args.moments.is_none(), &["--calib", "--calib-samples"]),
        (moments, &["--moments"]),
        (drawn, &["--prior", "--inputs"]),
    ];
    let mut idle = rules.iter().filter(|(looks, _)| !looks);
    idle.try_for_each(|(_, options)| effect::refuse(globals, options, &format!("with the refit {}", names.join(", "))))
}
