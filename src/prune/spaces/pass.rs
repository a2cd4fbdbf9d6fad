//! One pass over a graph: so many units of each space go, and what is left is checked.

use std::collections::HashSet;
use std::time::Instant;

use super::fit::SpaceRefit;
use super::refit::Refitter;
use super::{Importance, SpaceOptions, choose};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::OnnxSource;
use crate::network::spaces::{Analysis, OperatorGraph, Space, check, cut, repair};
use crate::prune::{Observer, Timing};

/// What all passes of a run share.
pub(super) struct Passes<'a, B: Backend> {
    pub(super) backend: &'a B,
    pub(super) source: &'a OnnxSource,
    pub(super) inputs: Option<&'a dyn RowSource>,
    pub(super) options: &'a SpaceOptions,
    pub(super) observer: &'a dyn Observer,
    pub(super) timing: &'a mut Timing,
    /// Passes that are done, and all of them.
    pub(super) done: usize,
    pub(super) all: usize,
}

/// What a pass has left.
pub(super) struct Passed {
    pub(super) graph: OperatorGraph,
    /// Values that have another shape.
    pub(super) changed: Vec<String>,
    /// For each space the units that went, and what a refit did.
    pub(super) spaces: Vec<(Vec<usize>, Option<SpaceRefit>)>,
}

impl<B: Backend> Passes<'_, B> {
    /// Takes units out of every space in the order of the graph: all but `keeps` of each cell, those with the least scores, or
    /// those that a refit chooses, each on what the earlier ones have left.
    pub(super) fn pass(
        &mut self,
        (graph, analysis): (&OperatorGraph, &Analysis<'_>),
        spaces: &[Space],
        keeps: &[Vec<usize>],
        score: &dyn Fn(&Space, Importance) -> Result<Vec<f64>>,
    ) -> Result<Passed> {
        let fits = self.options.importance == Importance::SynthRefit;
        let mut refitter = match self.inputs.filter(|_| fits) {
            Some(inputs) => {
                let sizes = (self.options.ridge, self.options.seed, self.options.batch_statistics);
                Some(Refitter::new(self.backend, self.source, (graph, analysis), inputs, sizes)?)
            }
            None if fits => return Err(Error::Internal { what: "a refit without inputs".to_owned() }),
            None => None,
        };
        let (mut gone, mut outcomes) = (HashSet::new(), Vec::<(Vec<usize>, Option<SpaceRefit>)>::new());
        for (at, (space, keeps)) in spaces.iter().zip(keeps).enumerate() {
            self.observer.step(self.done * spaces.len() + at, self.all * spaces.len(), &space.name)?;
            let less = keeps.iter().sum::<usize>() < space.units.len();
            if let Some(refitter) = refitter.as_mut().filter(|_| less) {
                let score = |space: &Space| score(space, scored(self.options.importance));
                let start = Instant::now();
                let (kept, refit) = refitter.space(space, keeps, &score)?;
                self.timing.stretch(&format!("prune {}", space.name), start);
                let [streams, moments] = refitter.clock.take();
                let rest = start.elapsed().as_secs_f64() - streams - moments;
                for (part, seconds) in [("streams", streams), ("moments", moments), ("solve", rest)] {
                    self.timing.part(&format!("prune/{part}"), seconds);
                }
                let went = (0..space.units.len()).filter(|unit| kept.binary_search(unit).is_err());
                outcomes.push((went.collect(), refit));
                continue;
            }
            let importance = scored(self.options.importance);
            let leaving = if less { choose::leaving(space, &score(space, importance)?, keeps) } else { Vec::new() };
            gone.extend(leaving.iter().map(|unit| space.units[*unit].class));
            outcomes.push((leaving, None));
        }
        self.done += 1;
        self.observer.step(self.done * spaces.len(), self.all * spaces.len(), "")?;
        let (smaller, edits) = match refitter {
            Some(refitter) => refitter.smaller()?,
            None => {
                let edits = cut(graph, analysis, &gone)?;
                let mut smaller = graph.edited(&edits)?;
                repair(graph, &mut smaller, &edits)?;
                (smaller, edits)
            }
        };
        check(graph, &smaller, &edits)?;
        let changed = edits.shapes.keys().map(|value| graph.values[*value].clone()).collect();
        Ok(Passed { graph: smaller, changed, spaces: outcomes })
    }
}

/// What scores are made of where nothing is fitted.
pub(super) fn scored(importance: Importance) -> Importance {
    if importance == Importance::SynthRefit { Importance::PathL2 } else { importance }
}
