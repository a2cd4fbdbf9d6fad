//! What a structured run is told of the inputs, read from files.

use tropix::network::Network;
use tropix::network::dataset::{self, Dataset, First};
use tropix::prune::structured::{InputMoments, Prior, Refit, UnitMethod};
use tropix::prune::synth;
use tropix::{Error, Result};

use crate::args::{DataArgs, Globals, MomentArgs, PriorArg, SynthArgs};
use crate::{effect, input, output};

/// Calibration samples and the prior.
pub(crate) struct Calibration {
    pub(crate) samples: Option<Dataset>,
    pub(crate) count: usize,
    pub(crate) prior: Prior,
    /// The prior on the command line.
    given: Option<PriorArg>,
    pub(crate) warnings: Vec<String>,
}

impl Calibration {
    pub(crate) fn read(
        globals: &Globals,
        args: &MomentArgs,
        drawn: &SynthArgs,
        data: &DataArgs,
        network: &Network,
    ) -> anyhow::Result<Self> {
        let spec = DataArgs { data: args.calib.clone(), ..data.clone() };
        let samples = input::data_for(globals, &spec, network)?;
        let count = usize::try_from(args.calib_samples)?;
        let mut warnings = Vec::new();
        let prior = match (drawn.prior, &args.moments, &samples) {
            (None, None, _) => Prior::default(),
            (Some(PriorArg::Iso), ..) => Prior::Iso,
            (Some(prior), ..) if prior.sampled().is_some() => Prior::default(),
            (Some(PriorArg::Image), ..) => Prior::Image,
            (_, Some(file), _) => {
                let (mean, covariance) = dataset::load_moments(file)?;
                globals.run.note([file]);
                let moments = InputMoments::checked(mean, covariance)?;
                if let Some(smallest) = moments.projected {
                    let file = file.display();
                    warnings.push(format!(
                        "{file}: the covariance is not positive semi-definite, its smallest eigenvalue is {smallest:.3e}; \
                         projected"
                    ));
                }
                Prior::Moments(moments)
            }
            (Some(_), None, Some(samples)) => {
                Prior::Moments(InputMoments::of_samples(&First { source: &samples.inputs, rows: count })?)
            }
            (Some(_), None, None) => {
                let problem = "moments come from `--moments` or `--calib`".to_owned();
                return Err(Error::Argument { argument: "prior", problem }.into());
            }
        };
        for warning in &warnings {
            output::note(globals, &format!("warning: {warning}"));
        }
        Ok(Self { samples, count, prior, given: drawn.prior, warnings })
    }

    /// The prior of samples that was asked for, if it has no closed form.
    pub(crate) fn sampled(&self) -> Option<synth::Prior> {
        self.given.filter(|prior| !prior.is_closed()).and_then(PriorArg::sampled)
    }

    /// The samples as rows, no more than were asked for.
    pub(crate) fn rows(&self) -> Option<First<'_>> {
        self.samples.as_ref().map(|samples| First { source: &samples.inputs, rows: self.count })
    }

    /// The refit of a method where none is asked for.
    pub(crate) fn usual_refit(&self, method: UnitMethod) -> Refit {
        match method {
            UnitMethod::SynthRefit if self.samples.is_some() => Refit::Data,
            method => method.usual_refit(),
        }
    }

    /// The method and refit where none is asked for, and why.
    pub(crate) fn default_method(&self, network: &Network) -> (UnitMethod, Refit, &'static str) {
        let greedy = UnitMethod::GreedyGaussian;
        let samples = self.sampled().is_some();
        match (UnitMethod::of(network), &self.samples, &self.prior) {
            (UnitMethod::SynthRefit, Some(_), _) => (
                UnitMethod::SynthRefit,
                Refit::Data,
                "convolutions or activations other than ReLU: greedy least squares on the calibration samples",
            ),
            (UnitMethod::SynthRefit, None, _) => (
                UnitMethod::SynthRefit,
                Refit::None,
                "convolutions or activations other than ReLU, and no data: greedy least squares on synthetic inputs",
            ),
            _ if samples => (UnitMethod::SynthRefit, Refit::None, "a prior of samples: greedy least squares on them"),
            (_, Some(_), Prior::Arrangement | Prior::Iso) => {
                (greedy, Refit::Data, "linear layers: greedy least squares on the calibration samples")
            }
            (_, _, Prior::Moments(_)) => (greedy, Refit::Gaussian, "linear layers: closed form with the given moments"),
            (_, _, Prior::Image) => {
                (greedy, Refit::Gaussian, "linear layers and no data: closed form with the covariance of images")
            }
            (_, None, Prior::Arrangement) => (
                greedy,
                Refit::Gaussian,
                "linear layers and no data: closed form over inputs where the hyperplanes of the first layer lie",
            ),
            (_, None, Prior::Iso) => (greedy, Refit::Gaussian, "linear layers and no data: closed form over N(0, I)"),
        }
    }
}

/// Fails for a prior that a method does not look at.
pub(crate) fn check_prior(method: UnitMethod, calibration: &Calibration) -> Result<()> {
    let is_of = |prior: PriorArg| match method {
        UnitMethod::SynthRefit => prior.sampled().is_some(),
        _ => prior.is_closed(),
    };
    if calibration.given.is_some_and(|prior| !is_of(prior)) {
        let problem = format!("the prior of {} is not one of this kind", method.name());
        return Err(Error::Argument { argument: "prior", problem });
    }
    Ok(())
}

/// Fails for a refit that a method cannot take.
pub(crate) fn check(method: UnitMethod, refit: Refit, calibration: &Calibration) -> Result<()> {
    if !method.takes(refit) {
        let problem = format!("`{}` does not go with the method `{}`", refit.name(), method.name());
        return Err(Error::Argument { argument: "refit", problem });
    }
    if (refit == Refit::Data || method.needs_data()) && calibration.samples.is_none() {
        let problem = if method.needs_data() {
            format!("`{}` needs calibration samples; `tropix methods` lists methods that need none", method.name())
        } else {
            format!("the refit `{}` needs calibration samples; `--refit gaussian` needs none", refit.name())
        };
        return Err(Error::Argument { argument: "calib", problem });
    }
    Ok(())
}

/// Fails for what is said of the inputs on the command line where none of the runs looks at it.
pub(crate) fn check_effects(
    globals: &Globals,
    args: &MomentArgs,
    network: &Network,
    runs: &[(UnitMethod, Refit)],
    calibration: &Calibration,
) -> Result<()> {
    let any = |looks: fn(UnitMethod, Refit) -> bool| runs.iter().any(|(method, refit)| looks(*method, *refit));
    let on_samples = any(|method, refit| refit == Refit::Data || method.needs_data());
    let in_closed_form = any(|_, refit| refit == Refit::Gaussian);
    let on_synthetic = any(|method, refit| method == UnitMethod::SynthRefit && refit != Refit::Data);
    let solves = on_samples || in_closed_form || any(|method, _| method == UnitMethod::SynthRefit);
    let moments = in_closed_form && matches!(calibration.prior, Prior::Moments(_));
    let prior = calibration
        .given
        .is_none_or(|prior| in_closed_form && prior.is_closed() || on_synthetic && prior.sampled().is_some());
    // Samples are normalised as they are read, images that are made up like those that the network is for.
    let images = network.normalize.is_none()
        && network.input.len() == 3
        && (on_synthetic || in_closed_form && matches!(calibration.prior, Prior::Image));
    let read = ["--data", "--calib", "--train"].iter().any(|option| globals.run.gives(option));
    let why = match runs {
        [(method, refit)] => format!("with the method `{}` and the refit `{}`", method.name(), refit.name()),
        _ => "with these methods and refits".to_owned(),
    };
    let rules: [(bool, &[&'static str]); 6] = [
        (on_samples || moments && args.moments.is_none(), &["--calib", "--calib-samples"]),
        (moments, &["--moments"]),
        (prior, &["--prior"]),
        (on_synthetic, &["--inputs"]),
        (solves, &["--ridge"]),
        (read || images, &["--scale", "--mean", "--std"]),
    ];
    let mut idle = rules.iter().filter(|(looks, _)| !looks);
    idle.try_for_each(|(_, options)| effect::refuse(globals, options, &why))
}
