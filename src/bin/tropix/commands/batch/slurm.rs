//! `tropix batch slurm`.

use std::path::{Path, PathBuf};

use tropix::Error;
use tropix::batch::{SlurmOptions, slurm_script};

use super::planned;
use crate::args::{BatchSlurmArgs, Globals};
use crate::output;

pub(super) fn run(globals: &Globals, args: &BatchSlurmArgs) -> anyhow::Result<()> {
    // What is wrong with a manifest is better said here than by every task.
    let (_, plan) = planned(globals, &args.manifest, 0)?;
    let shards = usize::try_from(args.shards)?;
    if shards > plan.jobs.len() {
        output::note(globals, &format!("{} of {shards} shards have no job", shards - plan.jobs.len()));
    }
    let absolute = |path: &Path| -> tropix::Result<PathBuf> {
        std::path::absolute(path).map_err(|source| Error::Io { file: path.to_owned(), source })
    };
    let output = absolute(&args.output)?;
    let mut run = args.run.clone();
    if args.manifest.allow_outside {
        run.push("--allow-outside".to_owned());
    }
    let options = SlurmOptions {
        manifest: absolute(&args.manifest.manifest)?,
        table: args.table.as_deref().map_or_else(|| Ok(output.join("table.csv")), absolute)?,
        output,
        shards,
        program: std::env::current_exe()?,
        run,
        sbatch: args.sbatch.clone(),
    };
    output::print(slurm_script(&options).trim_end())
}
