//! `tropix batch run`.

use std::time::Duration;

use serde::Serialize;
use tropix::Error;
use tropix::batch::{Event, Folder, JobState, Journal, Lock, Note, PlannedJob, RunOptions, Summary};
use tropix::prune::Timing;
use tropix::report::{Memory, SCHEMA};

use super::{planned, shard, signals};
use crate::args::{BatchRunArgs, Globals};
use crate::output;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    command: &'static str,
    version: &'static str,
    folder: String,
    shard: Option<String>,
    /// Jobs of the plan, or of the shard.
    jobs: usize,
    /// Jobs that were done before.
    kept: usize,
    done: usize,
    failed: Vec<Failed>,
    left: usize,
    stopped: bool,
    memory: Memory,
    timing: Timing,
}

#[derive(Serialize)]
struct Failed {
    job: String,
    code: u8,
    kind: String,
    message: String,
}

pub(super) fn run(globals: &Globals, args: &BatchRunArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let stop = signals::stop()?;
    let memory = args.max_memory.map_or_else(|| free_memory() / 2, |megabytes| megabytes.saturating_mul(1_000_000));
    let (program, plan) = timing.phase("plan", || planned(globals, &args.manifest, memory / 2))?;
    let shard = shard(globals, &args.shard)?;
    let folder = Folder::create(&args.output)?;
    let lock = Lock::take(folder.root(), shard)?;
    if lock.exclusive {
        folder.sweep(&lock)?;
    }
    // A manifest that has grown may go on in its folder, but not while others work by the old plan.
    folder.keep_plan(&plan, globals.force || args.resume && lock.exclusive)?;
    let jobs = plan.jobs.into_iter().enumerate().filter(|(place, _)| shard.is_none_or(|shard| shard.holds(*place)));
    let jobs: Vec<PlannedJob> = jobs.map(|(_, job)| job).collect();
    let all = jobs.len();
    if !args.resume
        && !globals.force
        && let Some(known) = jobs.iter().find(|job| folder.holds(&job.id))
    {
        let problem = "is there already; `--resume` keeps what is done, `--force` does it again";
        return Err(Error::OutputRefused { file: folder.of(&known.id), problem }.into());
    }
    let is_done = |job: &PlannedJob| args.resume && matches!(folder.state(&job.id), JobState::Done(_));
    let jobs: Vec<PlannedJob> = jobs.into_iter().filter(|job| !is_done(job)).collect();
    let kept = all - jobs.len();

    let mut journal = Journal::open(&folder.journal(shard))?;
    let about = format!("{} of {all} jobs to do, {kept} done before", jobs.len());
    tracing::info!(target: "batch", "{about}");
    journal.append(&Note { event: "run started", job: None, seconds: None, code: None, message: Some(about) })?;
    let options = RunOptions {
        jobs: args.jobs.map_or_else(rayon::current_num_threads, usize::from),
        memory,
        timeout: args.timeout.map(Duration::from_secs_f64),
        grace: Duration::from_secs_f64(args.grace),
        keep_going: args.keep_going,
    };
    let mut told = Told { ended: kept, all };
    let run =
        || tropix::batch::run(&folder, jobs, &program, options, &stop, &mut journal, &mut |event| told.tell(event));
    let summary = timing.phase("run", run)?;
    let about = format!("{} done, {} failed, {} left", summary.done, summary.failed.len(), summary.left);
    journal.append(&Note { event: "run ended", job: None, seconds: None, code: None, message: Some(about) })?;

    let report = Report {
        schema: SCHEMA,
        command: "batch run",
        version: env!("CARGO_PKG_VERSION"),
        folder: folder.root().display().to_string(),
        shard: shard.map(|shard| shard.to_string()),
        jobs: all,
        kept,
        done: summary.done,
        failed: summary.failed.iter().map(failed).collect(),
        left: summary.left,
        stopped: summary.stopped,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    output::result(globals, &report, &text(&report))?;
    outcome(&summary)
}

fn failed((id, failure): &(String, tropix::batch::Failure)) -> Failed {
    let (kind, message) = (failure.kind.clone(), failure.message.clone());
    Failed { job: id.clone(), code: failure.code, kind, message }
}

/// The error that tells a caller what became of the run: 75 where another try may do what this one did not.
fn outcome(summary: &Summary) -> anyhow::Result<()> {
    let (failed, left) = (summary.failed.len(), summary.left);
    let passing = summary.failed.iter().filter(|(_, failure)| failure.code == 75).count();
    if summary.stopped && passing == failed {
        return Err(Error::Stopped { reason: format!("by a signal; {left} jobs are left, `--resume` goes on") }.into());
    }
    match summary.failed.first() {
        None => Ok(()),
        Some((id, failure)) if passing == failed => {
            let reason = format!("{failed} jobs failed that may succeed later, the first is {id}: {}", failure.message);
            Err(Error::Stopped { reason }.into())
        }
        Some((id, failure)) => {
            let problem = format!("{failed} jobs failed, the first is {id}: {}", failure.message);
            Err(Error::CheckFailed { problem }.into())
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{}: {} jobs, {} done, {} done before, {} failed, {} left\n{}",
        report.folder,
        report.jobs,
        report.done,
        report.kept,
        report.failed.len(),
        report.left,
        output::costs(&report.timing, report.memory.peak_bytes),
    );
    for failed in &report.failed {
        text.push_str(&format!("\nfailed: {} ({}): {}", failed.job, failed.code, failed.message));
    }
    text
}

/// The log of a run.
struct Told {
    ended: usize,
    all: usize,
}

impl Told {
    fn tell(&mut self, event: &Event<'_>) {
        let all = self.all;
        match event {
            Event::Started(job) => tracing::debug!(target: "batch", job = job.id, "started: {}", job.label),
            Event::Done(job, seconds) => {
                self.ended += 1;
                let (number, what) = (self.ended, &job.label);
                tracing::info!(target: "batch", job = job.id, seconds, "{number} of {all} done: {what}");
            }
            Event::Failed(job, failure, seconds) => {
                self.ended += 1;
                let (number, code, why) = (self.ended, failure.code, &failure.message);
                let what = &job.label;
                tracing::error!(target: "batch", job = job.id, seconds, code, "{number} of {all} failed: {what}: {why}");
            }
            Event::Stopped(job) => tracing::info!(target: "batch", job = job.id, "stopped"),
        }
    }
}

/// Bytes of memory that are free, where the system tells it.
fn free_memory() -> u64 {
    let kilobytes = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.trim().to_owned();
        line.split(' ').next()?.parse::<u64>().ok()
    };
    let system = std::fs::read_to_string("/proc/meminfo").ok().and_then(kilobytes).map(|free| free << 10);
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    // A container has its own limit.
    let group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    system.into_iter().chain(group).min().unwrap_or(8 << 30)
}
