//! A script that submits a manifest to Slurm: an array of shards, and the merge after it.

use std::path::PathBuf;

/// What the script asks for.
#[derive(Debug, Clone)]
pub struct SlurmOptions {
    /// The manifest.
    pub manifest: PathBuf,
    /// The output folder, on a file system that all nodes share.
    pub output: PathBuf,
    /// The table of the merge.
    pub table: PathBuf,
    /// Tasks of the array.
    pub shards: usize,
    /// How the program is called on the nodes.
    pub program: PathBuf,
    /// Words for `tropix batch run`, beside manifest, output and `--resume`.
    pub run: Vec<String>,
    /// Options of `sbatch` for the tasks, such as `--time=2:00:00`.
    pub sbatch: Vec<String>,
}

/// The script: to be run with `sh` where `sbatch` is.
///
/// Each task runs one shard, which it reads from `SLURM_ARRAY_TASK_ID`, and puts itself back into the queue where it ends
/// with 75, `try again`: after a lost device, or a signal half a minute before the time of the task is over. What is done
/// stays done. The merge runs when all tasks have ended well.
#[must_use]
pub fn slurm_script(options: &SlurmOptions) -> String {
    let path = |path: &PathBuf| quoted(&path.to_string_lossy());
    let words = |words: &[String]| words.iter().map(|word| format!(" {}", quoted(word))).collect::<String>();
    let last = options.shards.saturating_sub(1);
    let (program, output) = (path(&options.program), path(&options.output));
    format!(
        "#!/bin/sh\n\
         # Submits {shards} shards of a batch to Slurm, and the merge of their reports after them.\n\
         set -eu\n\
         array=$(sbatch --parsable --job-name=tropix --array=0-{last} --requeue --signal=B:TERM@30 --open-mode=append{sbatch} <<'TASK'\n\
         #!/bin/sh\n\
         # The signal reaches this shell, which hands it on and waits: the shard stops and says 75, `try again`.\n\
         {program} batch run {manifest} --output {output} --resume{run} &\n\
         child=$!\n\
         trap 'kill -TERM \"$child\"' TERM INT\n\
         code=0\n\
         wait \"$child\" || code=$?\n\
         # A wait that the signal has ended comes back before the shard has: wait for that, too.\n\
         if kill -0 \"$child\" 2>/dev/null; then code=0; wait \"$child\" || code=$?; fi\n\
         if [ \"$code\" = 75 ]; then scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"; fi\n\
         exit \"$code\"\n\
         TASK\n\
         )\n\
         array=${{array%%;*}}\n\
         sbatch --parsable --job-name=tropix-merge --dependency=afterok:\"$array\" <<'MERGE'\n\
         #!/bin/sh\n\
         exec {program} batch merge {output} --output {table} --force\n\
         MERGE\n",
        shards = options.shards,
        sbatch = words(&options.sbatch),
        manifest = path(&options.manifest),
        run = words(&options.run),
        table = path(&options.table),
    )
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_a_shell_as_they_were() {
        assert_eq!(["a/b.toml", "", "it's", "$x"].map(quoted), ["a/b.toml", "''", "'it'\\''s'", "'$x'"]);
    }
}
