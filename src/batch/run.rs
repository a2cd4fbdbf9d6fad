//! Runs the jobs of a plan beside one another, in one process.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Folder, Journal, Note, PlannedJob, Stop};
use crate::error::{Error, Result};

/// How often signals and limits of time are looked at while nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// Bytes of the stack of a job: what the main thread of a process has.
const STACK: usize = 8 << 20;

/// What runs a job.
pub trait Execute: Send + Sync + 'static {
    /// What a job takes.
    fn cost(&self, job: &PlannedJob) -> Cost;

    /// Runs a job that may write into `folder`, and returns its report, a JSON object as text. Ends early with an error if
    /// `stop` says so.
    ///
    /// # Errors
    ///
    /// Whatever went wrong.
    fn execute(&self, job: &PlannedJob, folder: &std::path::Path, stop: &Stop) -> std::result::Result<String, Failure>;
}

/// What a job takes, for the decision what may run beside it.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Bytes of memory, estimated.
    pub bytes: u64,
    /// Whether it measures time, and nothing else may run.
    pub alone: bool,
}

/// Why a job failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exit code that it would have had alone.
    pub code: u8,
    /// Kind of the error, for programs.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// The report, if it came as far: a check of it failed.
    pub report: Option<String>,
}

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Jobs at a time.
    pub jobs: usize,
    /// Bytes that jobs which run at a time may take by their estimates; one always runs.
    pub memory: u64,
    /// How long one job may take.
    pub timeout: Option<Duration>,
    /// How long a job that was told to stop may go on before it is given up.
    pub grace: Duration,
    /// Whether other jobs go on when one has failed.
    pub keep_going: bool,
}

/// What happens to jobs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A job begins.
    Started(&'a PlannedJob),
    /// Its report is written; seconds.
    Done(&'a PlannedJob, f64),
    /// It ended with an error; seconds.
    Failed(&'a PlannedJob, &'a Failure, f64),
    /// It was stopped with the run and will be done again.
    Stopped(&'a PlannedJob),
}

/// What became of the jobs.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Jobs that this run has done.
    pub done: usize,
    /// Jobs that failed: id and why.
    pub failed: Vec<(String, Failure)>,
    /// Jobs that were stopped or never begun.
    pub left: usize,
    /// Whether a signal ended the run.
    pub stopped: bool,
}

/// The states of a job that two threads may want to end.
const RUNNING: u8 = 0;
/// Its own thread writes the report.
const ENDING: u8 = 1;
/// Nobody waits for it any more; it may not write its report.
const GIVEN_UP: u8 = 2;

struct Running {
    job: Arc<PlannedJob>,
    cost: Cost,
    began: Instant,
    stop: Stop,
    /// When it was told to stop.
    told: Option<Instant>,
    state: Arc<AtomicU8>,
}

struct Ended {
    number: usize,
    result: std::result::Result<(), Failure>,
    /// Whether the work was stopped, not broken.
    stopped: bool,
}

/// Runs jobs in their order, as many at a time as options allow.
///
/// A job is done when its report is on the disk. A job that was told to stop and goes on for longer than the grace is
/// given up: its thread runs on, but its report is never written. After the first failure no job is begun, unless
/// `keep_going`.
///
/// # Errors
///
/// [`Error::Io`] if the journal cannot be written: then nothing new is begun, and what runs is left to be done again.
pub fn run<E: Execute>(
    folder: &Folder,
    jobs: impl IntoIterator<Item = PlannedJob>,
    executor: &Arc<E>,
    options: RunOptions,
    stop: &Stop,
    journal: &mut Journal,
    tell: &mut dyn FnMut(&Event<'_>),
) -> Result<Summary> {
    let (send, receive) = channel();
    let mut run = Run {
        folder,
        executor,
        options,
        stop,
        send,
        queue: jobs.into_iter().map(Arc::new).collect(),
        running: HashMap::new(),
        begun: 0,
        summary: Summary::default(),
    };
    run.all(&receive, journal, tell)?;
    Ok(run.summary)
}

struct Run<'a, E> {
    folder: &'a Folder,
    executor: &'a Arc<E>,
    options: RunOptions,
    stop: &'a Stop,
    send: Sender<Ended>,
    queue: VecDeque<Arc<PlannedJob>>,
    running: HashMap<usize, Running>,
    begun: usize,
    summary: Summary,
}

impl<E: Execute> Run<'_, E> {
    fn all(
        &mut self,
        receive: &Receiver<Ended>,
        journal: &mut Journal,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<()> {
        loop {
            self.summary.stopped |= self.stop.is_run_stopped();
            let halted = self.summary.stopped || !self.options.keep_going && !self.summary.failed.is_empty();
            while !halted && self.begin(journal, tell)? {}
            if self.running.is_empty() && (halted || self.queue.is_empty()) {
                self.summary.left += self.queue.len();
                return Ok(());
            }
            match receive.recv_timeout(TICK) {
                Ok(ended) => self.end(ended, journal, tell)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal { what: "the channel of jobs is closed".to_owned() });
                }
            }
            self.watch(journal, tell)?;
        }
    }

    /// Begins the next job, if it may run beside those that run.
    fn begin(&mut self, journal: &mut Journal, tell: &mut dyn FnMut(&Event<'_>)) -> Result<bool> {
        let Some(next) = self.queue.front() else { return Ok(false) };
        let cost = self.executor.cost(next);
        let taken: u64 = self.running.values().map(|running| running.cost.bytes).sum();
        let alone = cost.alone || self.running.values().any(|running| running.cost.alone);
        let fits =
            self.running.len() < self.options.jobs.max(1) && taken.saturating_add(cost.bytes) <= self.options.memory;
        if !self.running.is_empty() && (alone || !fits) {
            return Ok(false);
        }
        let Some(job) = self.queue.pop_front() else { return Ok(false) };
        journal.append(&Note { event: "job started", job: Some(&job.id), seconds: None, code: None, message: None })?;
        tell(&Event::Started(&job));
        let number = self.begun;
        self.begun += 1;
        let (stop, state) = (self.stop.for_job(), Arc::new(AtomicU8::new(RUNNING)));
        let work = Work {
            number,
            job: Arc::clone(&job),
            folder: self.folder.clone(),
            executor: Arc::clone(self.executor),
            stop: stop.clone(),
            state: Arc::clone(&state),
            send: self.send.clone(),
        };
        let thread = thread::Builder::new().stack_size(STACK).name(format!("job {}", job.id)).spawn(move || work.run());
        thread.map_err(|source| Error::Io { file: self.folder.of(&job.id), source })?;
        self.running.insert(number, Running { job, cost, began: Instant::now(), stop, told: None, state });
        Ok(true)
    }

    fn end(&mut self, ended: Ended, journal: &mut Journal, tell: &mut dyn FnMut(&Event<'_>)) -> Result<()> {
        // Of a job that was given up nothing is left here.
        let Some(Running { job, began, told, .. }) = self.running.remove(&ended.number) else { return Ok(()) };
        let seconds = began.elapsed().as_secs_f64();
        let note = |event, code, message| Note { event, job: Some(&job.id), seconds: Some(seconds), code, message };
        match ended.result {
            Ok(()) => {
                self.summary.done += 1;
                journal.append(&note("job done", None, None))?;
                tell(&Event::Done(&job, seconds));
            }
            Err(_) if ended.stopped && self.stop.is_run_stopped() => {
                self.summary.left += 1;
                journal.append(&note("job stopped", None, None))?;
                tell(&Event::Stopped(&job));
            }
            Err(failure) => {
                let failure = if ended.stopped && told.is_some() { self.late() } else { failure };
                self.folder.fail(&job.id, &failure);
                journal.append(&note("job failed", Some(failure.code), Some(failure.message.clone())))?;
                tell(&Event::Failed(&job, &failure, seconds));
                self.summary.failed.push((job.id.clone(), failure));
            }
        }
        Ok(())
    }

    /// Tells jobs to stop whose time is over, and gives up those that do not.
    fn watch(&mut self, journal: &mut Journal, tell: &mut dyn FnMut(&Event<'_>)) -> Result<()> {
        let now = Instant::now();
        let mut given_up = Vec::new();
        for (number, running) in &mut self.running {
            let over = self.options.timeout.is_some_and(|limit| now.duration_since(running.began) >= limit);
            if running.told.is_none() && (over || self.summary.stopped) {
                running.told = Some(now);
                running.stop.stop_job();
            }
            let patient = running.told.is_none_or(|told| now.duration_since(told) < self.options.grace);
            let take =
                || running.state.compare_exchange(RUNNING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if !patient && take() {
                given_up.push(*number);
            }
        }
        for number in given_up {
            let failure = self.late();
            self.end(Ended { number, result: Err(failure), stopped: true }, journal, tell)?;
        }
        Ok(())
    }

    fn late(&self) -> Failure {
        let limit = self.options.timeout.map_or(0.0, |limit| limit.as_secs_f64());
        let message = format!("the job took longer than the {limit} s of `--timeout`");
        Failure { code: 1, kind: "timeout".to_owned(), message, report: None }
    }
}

/// What the thread of a job owns.
struct Work<E> {
    number: usize,
    job: Arc<PlannedJob>,
    folder: Folder,
    executor: Arc<E>,
    stop: Stop,
    state: Arc<AtomicU8>,
    send: Sender<Ended>,
}

impl<E: Execute> Work<E> {
    fn run(self) {
        let span = tracing::info_span!("job", id = self.job.id);
        let result = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| self.report())));
        let result = result.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let stopped = result.as_ref().is_err_and(|failure| failure.kind == "stopped");
        if self.state.compare_exchange(RUNNING, ENDING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let result =
            result.and_then(|report| self.folder.finish(&self.job, &report).map_err(|error| unwritten(&error)));
        // Nobody listens after the run: the process ends.
        let _ = self.send.send(Ended { number: self.number, result, stopped });
    }

    fn report(&self) -> std::result::Result<String, Failure> {
        let folder = self.folder.prepare(&self.job.id).map_err(|error| unwritten(&error))?;
        self.executor.execute(&self.job, &folder, &self.stop)
    }
}

fn unwritten(error: &Error) -> Failure {
    Failure { code: 74, kind: "io".to_owned(), message: error.to_string(), report: None }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let message = format!("internal error, please report it: {}", text.unwrap_or("a panic"));
    Failure { code: 70, kind: "internal".to_owned(), message, report: None }
}
