//! `tropix batch plan`.

use serde::Serialize;
use tropix::batch::{Plan, PlannedJob};
use tropix::report::SCHEMA;

use super::{planned, shard};
use crate::args::{BatchPlanArgs, Globals};
use crate::output;

/// Jobs of the table for people.
const SHOWN: usize = 50;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    command: &'static str,
    version: &'static str,
    jobs: Vec<Planned<'a>>,
}

#[derive(Serialize)]
struct Planned<'a> {
    id: &'a str,
    name: Option<&'a str>,
    #[serde(flatten)]
    job: serde_json::Map<String, serde_json::Value>,
    inputs: Vec<String>,
}

pub(super) fn run(globals: &Globals, args: &BatchPlanArgs) -> anyhow::Result<()> {
    let (_, plan) = planned(globals, &args.manifest, 0)?;
    let shard = shard(globals, &args.shard)?;
    let held = |(place, job): (usize, PlannedJob)| shard.is_none_or(|shard| shard.holds(place)).then_some(job);
    let plan = Plan { jobs: plan.jobs.into_iter().enumerate().filter_map(held).collect() };
    if args.jsonl {
        return output::print(plan.to_jsonl()?.trim_end());
    }
    let report = Report {
        schema: SCHEMA,
        command: "batch plan",
        version: env!("CARGO_PKG_VERSION"),
        jobs: plan.jobs.iter().map(planned_job).collect(),
    };
    let line = |planned: &PlannedJob| format!("{}  {}\n", planned.id, planned.label);
    let mut text: String = plan.jobs.iter().take(SHOWN).map(line).collect();
    if plan.jobs.len() > SHOWN {
        text.push_str(&format!("and {} more\n", plan.jobs.len() - SHOWN));
    }
    text.push_str(&format!("{} jobs", plan.jobs.len()));
    output::result(globals, &report, &text)
}

fn planned_job(planned: &PlannedJob) -> Planned<'_> {
    Planned {
        id: &planned.id,
        name: planned.job.name.as_deref(),
        job: planned.job.value(),
        inputs: planned.inputs.iter().map(|(file, _)| file.display().to_string()).collect(),
    }
}
