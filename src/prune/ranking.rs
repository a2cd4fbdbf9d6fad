//! A method made ready for a head: its scores are known, and any rate is a cut in their order.

use super::alternating::{BlockTrace, RowPlan, RowProtocol};
use super::magnitude::{LampScores, ProductScores, RandomScores, UniformScores};
use super::options::{AlternatingOptions, Target};
use super::{Method, path, removals, select};
use crate::backend::{Backend, Cutoff, RowSource};
use crate::error::{Error, Result};
use crate::network::{DeviceHead, Head, LayerPlan, Mask, PendingAnswers, Plan, Samples, rewritten_head};

type Scores = Box<dyn RowSource + Send>;

enum Order {
    /// One order over all layers.
    Global(Vec<Scores>),
    /// One order per layer, the same rate in each.
    PerLayer(Vec<Scores>),
    /// One order per row: scores are ranks within the row.
    PerRow(Vec<Scores>),
    /// The row protocol, which depends on the rate beyond its first block.
    Blocks(Box<RowProtocol>),
}

/// A method made ready for one head on one backend.
pub struct Ranking<'a, B: Backend> {
    backend: &'a B,
    head: &'a Head,
    device: &'a DeviceHead<B>,
    method: Method,
    seed: u64,
    order: Order,
    /// Score matrices on the device, for orders that are the same at every rate.
    resident: Vec<B::Matrix>,
}

/// A rate made into something that can be carried out, on the host or on the device.
#[derive(Debug, Clone)]
pub struct Planned {
    /// How many weights go.
    pub removed: u64,
    cut: Cut,
}

#[derive(Debug, Clone)]
enum Cut {
    /// One cut-off per layer.
    Cutoffs(Vec<Cutoff>),
    /// The plan itself.
    Rows(RowPlan),
}

impl<'a, B: Backend> Ranking<'a, B> {
    /// Scores every weight of a head.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] where a score leaves the range of f32, [`Error::Unsupported`] where the method needs a
    /// hidden layer and there is none.
    pub fn new(
        backend: &'a B,
        head: &'a Head,
        device: &'a DeviceHead<B>,
        method: Method,
        seed: u64,
        options: AlternatingOptions,
    ) -> Result<Self> {
        let weights = || head.layers.iter().map(|layer| layer.weight.clone());
        let boxed = |scores: Vec<ProductScores>| scores.into_iter().map(|s| Box::new(s) as Scores).collect();
        let order = match method {
            Method::TropicalPath => Order::Global(boxed(path::scores(backend, head, device)?)),
            Method::ClassBlind => Order::Global(boxed(weights().map(ProductScores::magnitude).collect())),
            Method::ClassBlindLayer => Order::PerLayer(boxed(weights().map(ProductScores::magnitude).collect())),
            Method::ClassDistribution => {
                Order::PerLayer(boxed(weights().map(ProductScores::distribution).collect::<Result<_>>()?))
            }
            Method::ClassUniform => Order::PerRow(weights().map(|w| Box::new(UniformScores(w)) as Scores).collect()),
            Method::Lamp => {
                let lamp = weights().map(|w| Ok(Box::new(LampScores::new(Box::new(w))?) as Scores));
                Order::Global(lamp.collect::<Result<_>>()?)
            }
            Method::TropicalLamp => {
                let scores = path::scores(backend, head, device)?.into_iter();
                let lamp = scores.map(|s| Ok(Box::new(LampScores::new(Box::new(s))?) as Scores));
                Order::Global(lamp.collect::<Result<_>>()?)
            }
            Method::Random => Order::PerLayer(
                weights()
                    .enumerate()
                    .map(|(layer, w)| Box::new(RandomScores::new(w.matrix_shape(), seed, layer)) as Scores)
                    .collect(),
            ),
            Method::Tropical => Order::Blocks(Box::new(RowProtocol::new(backend, head, device, options)?)),
        };
        Ok(Self { backend, head, device, method, seed, order, resident: Vec::new() })
    }

    /// Copies the scores to the device, so that masks of many rates are made there.
    ///
    /// # Errors
    ///
    /// What [`Backend::upload`] returns.
    pub fn make_resident(&mut self) -> Result<()> {
        if let Some(scores) = self.scores() {
            let upload = |scores: &Scores| self.backend.upload(scores.as_ref());
            self.resident = scores.iter().map(upload).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &Head {
        self.head
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The share of the head's weights that goes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn rate(&self, planned: &Planned) -> f64 {
        planned.removed as f64 / self.head.weights().max(1) as f64
    }

    /// How many rates to plan together: one where a plan holds masks; where it is a list of cut-offs, as many as share
    /// the passes over the scores without many counters.
    pub(crate) fn rates_at_a_time(&self) -> usize {
        if self.scores().is_some() { 64 } else { 1 }
    }

    fn scores(&self) -> Option<&[Scores]> {
        match &self.order {
            Order::Global(scores) | Order::PerLayer(scores) | Order::PerRow(scores) => Some(scores),
            Order::Blocks(_) => None,
        }
    }

    /// What each target removes. A rate is met to the nearest weight (of the head, a layer or a row, as the method goes).
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for a lambda with a method that has none; what the backend returns.
    pub fn plan_all(&self, targets: &[Target]) -> Result<Vec<Planned>> {
        let Some(scores) = self.scores() else {
            return targets.iter().map(|target| self.walk_blocks(*target)).collect();
        };
        let rates = targets
            .iter()
            .map(|target| match target {
                Target::Rate(rate) => Ok(*rate),
                Target::Lambda(_) => Err(Error::Argument {
                    argument: "lambda",
                    problem: "only the method `tropical` has a penalty; give a rate".to_owned(),
                }),
            })
            .collect::<Result<Vec<f64>>>()?;
        let sources: Vec<&dyn RowSource> = scores.iter().map(|s| s.as_ref() as &dyn RowSource).collect();
        // Each group of layers shares an order; each layer or row meets the rate on its own where it is its own group.
        let groups: Vec<&[&dyn RowSource]> = match &self.order {
            Order::Global(_) => vec![&sources],
            _ => sources.chunks(1).collect(),
        };
        let mut planned = vec![Planned { removed: 0, cut: Cut::Cutoffs(Vec::new()) }; rates.len()];
        for group in groups {
            let sizes: Vec<[usize; 2]> = group.iter().map(|source| source.shape()).collect();
            let of_group: Vec<(u64, Vec<Cutoff>)> = if let Order::PerRow(_) = self.order {
                rates.iter().map(|rate| cut_rows(*rate, sizes[0])).collect()
            } else {
                let total: u64 = sizes.iter().map(|[rows, columns]| *rows as u64 * *columns as u64).sum();
                let counts: Vec<u64> = rates.iter().map(|rate| removals(*rate, total)).collect();
                counts.iter().copied().zip(select::cutoffs(group, &counts).map_err(|e| self.named(e))?).collect()
            };
            for (planned, (removed, cutoffs)) in planned.iter_mut().zip(of_group) {
                planned.removed += removed;
                if let Cut::Cutoffs(all) = &mut planned.cut {
                    all.extend(cutoffs);
                }
            }
        }
        Ok(planned)
    }

    fn walk_blocks(&self, target: Target) -> Result<Planned> {
        let Order::Blocks(protocol) = &self.order else {
            return Err(Error::Internal { what: "blocks without a protocol".to_owned() });
        };
        let rows = protocol.plan(self.backend, self.head, self.device, target)?;
        let [all, kept] = rows.plan.weights();
        Ok(Planned { removed: all - kept, cut: Cut::Rows(rows) })
    }

    fn named(&self, error: Error) -> Error {
        match error {
            Error::Overflow { what, .. } => {
                let layers: Vec<&str> = self.head.layers.iter().map(|layer| layer.name.as_str()).collect();
                Error::Overflow { what, layer: layers.join("`, `") }
            }
            other => other,
        }
    }

    /// The plan of one target, with the trace of the alternation where there is one.
    ///
    /// # Errors
    ///
    /// What reading the scores returns.
    pub fn plan(&self, planned: Planned) -> Result<(Plan, Vec<BlockTrace>)> {
        let cutoffs = match planned.cut {
            Cut::Rows(rows) => return Ok((rows.plan, rows.trace)),
            Cut::Cutoffs(cutoffs) => cutoffs,
        };
        let layers = self.scores().unwrap_or_default().iter().zip(&self.head.layers).zip(cutoffs);
        let layers = layers.map(|((scores, layer), cutoff)| {
            let keep = Mask::from_scores(scores.as_ref(), cutoff)?;
            Ok(LayerPlan { name: layer.name.clone(), keep, removed_rows: Vec::new(), rewrites: Vec::new() })
        });
        Ok((Plan { layers: layers.collect::<Result<_>>()? }, Vec::new()))
    }

    /// What the pruned head of each target says of samples; the answers stay on the device. Weights are cut there by
    /// resident scores; the row protocol, whose plan depends on the rate, sends its rewritten weights.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] before [`Ranking::make_resident`]; what the backend returns.
    pub fn classify_all(&self, samples: &Samples<B>, planned: &[Planned]) -> Result<Vec<PendingAnswers<B>>> {
        let mut cutoffs = Vec::with_capacity(planned.len());
        let mut answers = Vec::new();
        for planned in planned {
            match &planned.cut {
                Cut::Rows(rows) => {
                    let head = DeviceHead::upload(self.backend, &rewritten_head(self.head, &rows.plan)?)?;
                    answers.push(samples.classify(self.backend, &head)?);
                }
                Cut::Cutoffs(of_layers) if self.resident.len() == of_layers.len() => cutoffs.push(of_layers.clone()),
                Cut::Cutoffs(_) => return Err(Error::Internal { what: "scores are not on the device".to_owned() }),
            }
        }
        if cutoffs.is_empty() {
            return Ok(answers);
        }
        samples.classify_at(self.backend, &self.device.scored(&self.resident), &cutoffs)
    }

    /// The score that decided on element `(i, j)` of a layer in a plan of this ranking, and the score at the cut.
    ///
    /// # Errors
    ///
    /// What reading the scores returns.
    pub fn nearest_cut(&self, planned: &Planned, layer: usize, i: usize, j: usize) -> Result<(f64, f64)> {
        let (scores, cutoff) = match &planned.cut {
            Cut::Rows(rows) => return Ok(rows.nearest_cut(layer, i, j)),
            Cut::Cutoffs(cutoffs) => (self.scores().and_then(|scores| scores.get(layer)), cutoffs.get(layer)),
        };
        let (Some(scores), Some(cutoff)) = (scores, cutoff) else {
            return Err(Error::Internal { what: format!("no layer {layer} in a plan") });
        };
        let mut row = vec![0.0; scores.shape()[1]];
        scores.read_rows(i, &mut row)?;
        Ok((f64::from(row.get(j).copied().unwrap_or(0.0)), f64::from(cutoff.score)))
    }
}

/// The cut through ranks within rows.
#[expect(clippy::cast_precision_loss, reason = "a row has at most 2^24 weights")]
fn cut_rows(rate: f64, [rows, columns]: [usize; 2]) -> (u64, Vec<Cutoff>) {
    let per_row = removals(rate, columns as u64);
    (per_row * rows as u64, vec![Cutoff { score: per_row as f32, index: 0 }])
}
