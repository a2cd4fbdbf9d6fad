//! The experiment.

use serde::Serialize;

use super::mask::Gone;
use super::measures::{Measures, Picture};
use super::options::{LotteryOptions, Start};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::clip::Bounds;
use crate::network::Network;
use crate::network::format::ModelFile;
use crate::prune::{Data, Observer, Timing};
use crate::train::{Initial, Layout, Target, TrainReport, Trainee};

/// The original network of a seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Original {
    /// The seed of its first weights and of the order of samples.
    pub seed: u64,
    /// Its accuracy on the held-out samples.
    pub accuracy: f64,
}

/// A pruned network that was trained again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ticket {
    /// The seed of the original network.
    pub seed: u64,
    /// The share of the weights that is gone.
    pub rate: f64,
    /// Where it began again.
    pub start: Start,
    /// Its accuracy on the held-out samples.
    pub accuracy: f64,
    /// How far it is from the original network.
    #[serde(flatten)]
    pub measures: Measures,
}

/// What came out.
#[derive(Debug)]
pub struct Lottery {
    /// The original networks.
    pub originals: Vec<Original>,
    /// All others, by seed, rate and start.
    pub tickets: Vec<Ticket>,
    /// Of the first seed the original network and, by rate and start, the others.
    pub pictures: (Picture, Vec<Picture>),
    /// What the networks were looked at in.
    pub window: Bounds,
}

/// Draws, trains, prunes and trains again.
///
/// Every network of a seed sees the samples in one order. A start other than the rewound one draws its weights from the streams
/// `train/initial/<tensor>` of the seed `seed + 1000 (number of the start)`, and of each rate anew where masks are iterative.
///
/// # Errors
///
/// [`Error::Argument`] for rates that do not ascend between 0 and 1, no seeds or no neurons, [`Error::Data`] for samples that are no
/// points in the plane with two or more classes; what training and the analysis of boundaries return.
pub fn lottery<B: Backend>(
    backend: &B,
    training: Data<'_>,
    held_out: Data<'_>,
    options: &LotteryOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Lottery> {
    check(&training, options)?;
    let labels = training.labels.unwrap_or_default();
    let classes = labels.iter().max().map_or(0, |label| *label as usize + 1);
    let window = window(&training)?;
    let layout: Layout = format!("2-{}-{classes}", options.hidden)
        .parse()
        .map_err(|problem| Error::Argument { argument: "hidden", problem })?;
    let mut run = Run { backend, training, held_out, options, layout: layout.network()?, window, timing };
    let (mut originals, mut tickets, mut pictures) = (Vec::new(), Vec::new(), None);
    let all = options.seeds * (1 + options.rates.len() * Start::ALL.len());
    for number in 0..options.seeds {
        let seed = options.training.seed + number as u64;
        let tell = |done: usize| observer.step(number * all / options.seeds + done, all, &format!("seed {seed}"));
        tell(0)?;
        let first = run.drawn(Initial::Pytorch, seed)?;
        let (original, report) = run.trained(&first, seed)?;
        originals.push(Original { seed, accuracy: accuracy(&report) });
        let before = run.picture(&original)?;
        let mut others = Vec::new();
        let mut last = Start::ALL.map(|_| original.clone());
        for (at, rate) in options.rates.iter().enumerate() {
            for (place, start) in Start::ALL.into_iter().enumerate() {
                tell(1 + at * Start::ALL.len() + place)?;
                let from = if options.iterative { &last[place] } else { &original };
                let gone = Gone::smallest(from, *rate);
                let again = if options.iterative { at as u64 } else { 0 };
                let begun = match start.initial() {
                    None => first.clone(),
                    Some(initial) => {
                        run.drawn(initial, seed + 1000 * (place as u64 + Start::ALL.len() as u64 * again))?
                    }
                };
                let (network, report) = run.trained(&gone.apply(&begun)?, seed)?;
                let picture = run.picture(&network)?;
                let measures = picture.beside(&before);
                tickets.push(Ticket { seed, rate: *rate, start, accuracy: accuracy(&report), measures });
                last[place] = network;
                if number == 0 {
                    others.push(picture);
                }
            }
        }
        pictures.get_or_insert((before, others));
    }
    observer.step(all, all, "done")?;
    let pictures = pictures.ok_or_else(|| Error::Internal { what: "no seed was run".to_owned() })?;
    Ok(Lottery { originals, tickets, pictures, window })
}

fn accuracy(report: &TrainReport) -> f64 {
    report.epochs.last().map_or(report.before, |epoch| epoch.held_out)
}

struct Run<'a, B: Backend> {
    backend: &'a B,
    training: Data<'a>,
    held_out: Data<'a>,
    options: &'a LotteryOptions,
    /// Before any weights.
    layout: Network,
    window: Bounds,
    timing: &'a mut Timing,
}

impl<B: Backend> Run<'_, B> {
    /// A network with first weights.
    fn drawn(&self, initial: Initial, seed: u64) -> Result<Network> {
        let mut trainee = Trainee::of(&ModelFile::new(self.layout.clone()))?;
        trainee.initialise(initial, seed, false)?;
        trainee.network(&self.layout)
    }

    fn trained(&mut self, network: &Network, seed: u64) -> Result<(Network, TrainReport)> {
        let mut trainee = Trainee::of(&ModelFile::new(network.clone()))?;
        let options = crate::train::TrainOptions { seed, ..self.options.training };
        let (data, held) = ((self.training, None), self.held_out);
        let report = trainee.train(self.backend, data, &Target::Labels, held, (&options, None), self.timing, &())?;
        Ok((trainee.network(network)?, report))
    }

    fn picture(&mut self, network: &Network) -> Result<Picture> {
        let Self { backend, window, options, .. } = *self;
        self.timing.phase("boundary", || Picture::of(backend, network, window, options.grid))
    }
}

/// What training samples lie in, with a margin.
fn window(training: &Data<'_>) -> Result<Bounds> {
    let mut values = vec![0.0_f32; 2 * training.inputs.shape()[0]];
    training.inputs.read_rows(0, &mut values)?;
    let points = values.chunks(2).map(|point| [f64::from(point[0]), f64::from(point[1])]);
    let bounds = Bounds::around(points, 0.15).map(|bounds| bounds.squared());
    bounds.ok_or_else(|| Error::Data { problem: "no samples to look at".to_owned() })
}

fn check(training: &Data<'_>, options: &LotteryOptions) -> Result<()> {
    let wrong = |argument: &'static str, problem: String| Err(Error::Argument { argument, problem });
    let [_, width] = training.inputs.shape();
    if width != 2 {
        return Err(Error::Data { problem: format!("a sample has {width} values, lottery takes points in the plane") });
    }
    if !training.labels.is_some_and(|labels| labels.iter().any(|label| *label > 0)) {
        return Err(Error::Data { problem: "lottery needs labels of two classes or more".to_owned() });
    }
    let inside = options.rates.iter().all(|rate| *rate > 0.0 && *rate < 1.0);
    if options.rates.is_empty() || !inside || !options.rates.is_sorted_by(|a, b| a < b) {
        return wrong("rates", format!("{:?}: expected ascending shares above 0 and below 1", options.rates));
    }
    if options.seeds == 0 {
        return wrong("seeds", "0: expected at least one".to_owned());
    }
    Ok(())
}
