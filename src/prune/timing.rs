//! When the phases of a run began and ended.

use std::time::Instant;

use serde::{Serialize, Serializer};

/// One stretch of a phase, in seconds since the run began.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Name of the phase.
    pub name: String,
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub end: f64,
}

/// The phases of a run. Serializes as the seconds of each, in the order in which phases first ended.
#[derive(Debug, Clone)]
pub struct Timing {
    origin: Instant,
    spans: Vec<Span>,
    totals: Vec<(String, f64)>,
}

impl Default for Timing {
    /// A run that begins now.
    fn default() -> Self {
        Self { origin: Instant::now(), spans: Vec::new(), totals: Vec::new() }
    }
}

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.phases())
    }
}

impl Timing {
    /// Runs a phase and adds the time it took.
    pub fn phase<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let start = self.origin.elapsed().as_secs_f64();
        let result = work();
        self.add(name, start, self.origin.elapsed().as_secs_f64());
        result
    }

    fn add(&mut self, name: &str, start: f64, end: f64) {
        tracing::info!(phase = name, seconds = end - start, "phase done");
        self.part(name, end - start);
        self.spans.push(Span { name: name.to_owned(), start, end });
    }

    /// Adds seconds to a phase that is spread over another one, such as `prune/streams` over `prune`.
    pub fn part(&mut self, name: &str, seconds: f64) {
        match self.totals.iter_mut().find(|(known, _)| known == name) {
            Some((_, total)) => *total += seconds,
            None => self.totals.push((name.to_owned(), seconds)),
        }
    }

    /// Notes a stretch from a moment until now that is no phase of its own: for [`Timing::spans`] alone.
    pub fn stretch(&mut self, name: &str, from: Instant) {
        let (start, end) = (self.seconds_at(from), self.origin.elapsed().as_secs_f64());
        self.spans.push(Span { name: name.to_owned(), start, end });
    }

    /// An empty record that counts from the same moment.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { origin: self.origin, spans: Vec::new(), totals: Vec::new() }
    }

    /// Takes up what another record holds.
    pub fn absorb(&mut self, other: Self) {
        other.totals.iter().for_each(|(name, seconds)| self.part(name, *seconds));
        self.spans.extend(other.spans);
    }

    /// Seconds from the beginning of the run to a moment; 0 for an earlier one.
    #[must_use]
    pub fn seconds_at(&self, moment: Instant) -> f64 {
        moment.saturating_duration_since(self.origin).as_secs_f64()
    }

    /// Phases and their seconds.
    pub fn phases(&self) -> impl Iterator<Item = (&str, f64)> {
        self.totals.iter().map(|(name, seconds)| (name.as_str(), *seconds))
    }

    /// All stretches of all phases, in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_a_phase_add_up_and_stay_apart() {
        let mut timing = Timing::default();
        assert_eq!(timing.phase("a", || 1), 1);
        timing.phase("b", || ());
        timing.phase("a", || ());
        let names: Vec<&str> = timing.phases().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
        let spans = timing.spans();
        assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["a", "b", "a"]);
        assert!(spans.windows(2).all(|pair| pair[0].start <= pair[0].end && pair[0].end <= pair[1].start));
        let of_a: f64 = spans.iter().filter(|span| span.name == "a").map(|span| span.end - span.start).sum();
        assert_eq!(timing.phases().next(), Some(("a", of_a)));
    }

    #[test]
    fn parts_are_no_stretches_and_stretches_no_phases() {
        let mut timing = Timing::default();
        let mut parts = timing.beside();
        let start = Instant::now();
        timing.phase("a", || {
            parts.part("a/x", 0.5);
            parts.part("a/x", 0.25);
            parts.stretch("a first", start);
        });
        timing.absorb(parts);
        assert_eq!(timing.phases().nth(1), Some(("a/x", 0.75)));
        assert_eq!(timing.spans().iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["a", "a first"]);
        assert!(timing.spans()[1].start <= timing.spans()[0].start && timing.spans()[1].end <= timing.spans()[0].end);
    }
}
