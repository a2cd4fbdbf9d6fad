//! `tropix batch`.

mod files;
mod merge;
mod plan;
mod program;
mod run;
mod signals;
mod slurm;
mod status;
mod words;

use std::sync::Arc;

use tropix::batch::{Manifest, Plan, Shard};
use tropix::prune::Timing;
use tropix::{Error, Result};

use crate::args::{BatchArgs, BatchCommand, Globals, ManifestArgs, ShardArgs};
use crate::effect;
use crate::output;
use program::Program;

pub(crate) fn run(globals: &Globals, args: &BatchArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let of_jobs = "of `batch`: it is set in the manifest, for each job";
    effect::refuse(globals, &["--seed", "--verify", "--profile"], of_jobs)?;
    match &args.step {
        BatchCommand::Plan(args) => plan::run(globals, args),
        BatchCommand::Run(args) => run::run(globals, args, timing),
        BatchCommand::Status(args) => status::run(globals, args),
        BatchCommand::Merge(args) => merge::run(globals, args),
        BatchCommand::Slurm(args) => slurm::run(globals, args),
    }
}

/// Reads a manifest and plans it.
fn planned(globals: &Globals, args: &ManifestArgs, memory: u64) -> Result<(Arc<Program>, Plan)> {
    let manifest = Manifest::read(&args.manifest, args.max_jobs)?;
    let program = Program::new(globals, &manifest, args.allow_outside, memory);
    let plan = Plan::of(&manifest, &program, program.hashes())?;
    Ok((Arc::new(program), plan))
}

/// The shard that is asked for, by an option or by Slurm.
fn shard(globals: &Globals, args: &ShardArgs) -> Result<Option<Shard>> {
    if args.shard.is_some() {
        return Ok(args.shard);
    }
    let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
    let (Some(id), Some(count)) = (number("SLURM_ARRAY_TASK_ID"), number("SLURM_ARRAY_TASK_COUNT")) else {
        return Ok(None);
    };
    let first = number("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
    let step = number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
    let index = id.saturating_sub(first) / step;
    if index >= count {
        let problem =
            format!("task {id} of an array of {count} tasks from {first} on in steps of {step}; give `--shard`");
        return Err(Error::Argument { argument: "shard", problem });
    }
    let shard = Shard { index, count };
    output::note(globals, &format!("shard {shard}, from SLURM_ARRAY_TASK_ID"));
    Ok(Some(shard))
}
