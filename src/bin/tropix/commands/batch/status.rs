//! `tropix batch status`.

use serde::Serialize;
use tropix::Error;
use tropix::batch::{Folder, JobState};
use tropix::report::{SCHEMA, rows_table};

use crate::args::{BatchStatusArgs, Globals};
use crate::output;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    command: &'static str,
    version: &'static str,
    folder: String,
    done: usize,
    failed: usize,
    left: usize,
    jobs: Vec<Job>,
}

#[derive(Serialize)]
struct Job {
    id: String,
    job: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

pub(super) fn run(globals: &Globals, args: &BatchStatusArgs) -> anyhow::Result<()> {
    let folder = Folder::open(&args.folder)?;
    let job = |(id, job): (String, String)| {
        let (state, code, message) = match folder.state(&id) {
            JobState::Done(_) => ("done", None, None),
            JobState::Failed(code, message) => ("failed", Some(code), Some(message)),
            JobState::Open => ("left", None, None),
        };
        Job { id, job, state, code, message }
    };
    let jobs: Vec<Job> = folder.planned()?.into_iter().map(job).collect();
    let count = |state: &str| jobs.iter().filter(|job| job.state == state).count();
    let report = Report {
        schema: SCHEMA,
        command: "batch status",
        version: env!("CARGO_PKG_VERSION"),
        folder: args.folder.display().to_string(),
        done: count("done"),
        failed: count("failed"),
        left: count("left"),
        jobs,
    };
    output::result(globals, &report, &text(&report))?;
    match (report.failed, report.left) {
        (0, 0) => Ok(()),
        (0, left) => {
            Err(Error::Stopped { reason: format!("{left} jobs are left; `batch run --resume` goes on") }.into())
        }
        (failed, _) => Err(Error::CheckFailed { problem: format!("{failed} jobs failed") }.into()),
    }
}

/// Counts, and the jobs that are not done.
fn text(report: &Report) -> String {
    let (done, failed, left) = (report.done, report.failed, report.left);
    let counts = format!("{}: {} jobs, {done} done, {failed} failed, {left} left", report.folder, report.jobs.len());
    let rows = report.jobs.iter().filter(|job| job.state == "failed").map(|job| {
        let code = job.code.map(|code| code.to_string()).unwrap_or_default();
        vec![job.id.clone(), job.job.clone(), code, job.message.clone().unwrap_or_default()]
    });
    match failed {
        0 => counts,
        _ => format!("{counts}\n{}", rows_table(&["failed", "job", "code", "message"], rows)),
    }
}
