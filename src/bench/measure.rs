//! How a time is taken.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Result;

/// Below this, a run repeats its work: a clock and a scheduler disturb shorter ones.
const SHORTEST: Duration = Duration::from_millis(20);

/// Seconds of some runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stats {
    /// The median.
    pub median_s: f64,
    /// The slowest minus the fastest, over the median.
    pub spread: f64,
    /// How many runs.
    pub runs: usize,
}

impl Stats {
    /// Median and spread of seconds; zeros for none.
    #[must_use]
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let median_s = median(&seconds);
        let range = seconds.last().unwrap_or(&0.0) - seconds.first().unwrap_or(&0.0);
        let spread = if median_s > 0.0 { range / median_s } else { 0.0 };
        Self { median_s, spread, runs: seconds.len() }
    }
}

/// The median of ascending values.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match (sorted.get(middle), middle.checked_sub(1).and_then(|below| sorted.get(below))) {
        (Some(above), Some(below)) if sorted.len().is_multiple_of(2) => f64::midpoint(*above, *below),
        (Some(value), _) => *value,
        (None, _) => 0.0,
    }
}

/// Times `work` in `runs` runs after a warm-up; `wait` returns when all work that was started is done, and `between`
/// happens before each run, outside of its time.
///
/// # Errors
///
/// What `work` and `wait` return.
pub fn measure(
    runs: usize,
    mut work: impl FnMut() -> Result<()>,
    mut wait: impl FnMut() -> Result<()>,
    mut between: impl FnMut(),
) -> Result<Stats> {
    let mut once = |repeats: u32| -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..repeats {
            work()?;
        }
        wait()?;
        Ok(start.elapsed())
    };
    // The first run compiles pipelines and fills pools; the second tells how long one takes.
    let mut one = once(1)?;
    if one < 10 * SHORTEST {
        one = once(1)?;
    }
    let repeats = u32::try_from(SHORTEST.as_nanos() / one.as_nanos().max(1)).unwrap_or(u32::MAX).saturating_add(1);
    let repeats = repeats.min(100_000);
    let mut seconds = Vec::with_capacity(runs);
    for _ in 0..runs {
        between();
        seconds.push(once(repeats)?.as_secs_f64() / f64::from(repeats));
    }
    Ok(Stats::of(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread_of_few() {
        let stats = Stats::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((stats.median_s, stats.spread, stats.runs), (2.0, 1.0, 3));
        assert_eq!(Stats::of(vec![1.0, 2.0]).median_s, 1.5);
        assert_eq!(Stats::of(Vec::new()).median_s, 0.0);
    }

    #[test]
    fn short_work_repeats_until_it_can_be_timed() -> Result<()> {
        let (mut calls, mut waits, mut pauses) = (0, 0, 0);
        let stats = measure(
            5,
            || {
                calls += 1;
                std::thread::sleep(Duration::from_millis(1));
                Ok(())
            },
            || {
                waits += 1;
                Ok(())
            },
            || pauses += 1,
        )?;
        assert!(calls > 2 + 5 && stats.median_s >= 1e-3, "{calls} {stats:?}");
        assert_eq!((waits, pauses, stats.runs), (7, 5, 5));
        Ok(())
    }
}
