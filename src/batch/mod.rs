//! Many runs from one file: planned, run in one process, resumed after whatever stopped them, merged into one table.
//!
//! ```text
//! jobs.toml | jobs.jsonl -> manifest -> Job (matrices multiplied out) -> plan: id = hash(command, options, inputs)
//!   -> shards: jobs k, k + n, k + 2n, .. -> run -> FOLDER/<id>/report.json, written last -> merge: one row per job
//! ```
//!
//! The folder is the only state. A job is done if its report is there, bears its id and the files that it lists are whole;
//! anything else is done again. What runs a job is not known here: the program gives an [`Execute`].

mod folder;
mod hash;
mod job;
mod journal;
mod lock;
mod manifest;
mod merge;
mod plan;
mod run;
mod shards;
mod slurm;
mod stop;

pub use folder::{Folder, JobState};
pub use hash::{FileHash, Hashes};
pub use job::{Job, Setting};
pub use journal::{Journal, Note};
pub use lock::Lock;
pub use manifest::{MOST_JOBS, Manifest};
pub use merge::{Column, MergeFormat, MergeOptions, Merged, merge};
pub use plan::{Commands, Plan, PlannedJob};
pub use run::{Cost, Event, Execute, Failure, RunOptions, Summary, run};
pub use shards::Shard;
pub use slurm::{SlurmOptions, slurm_script};
pub use stop::Stop;
