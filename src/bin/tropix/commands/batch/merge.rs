//! `tropix batch merge`.

use std::path::PathBuf;

use tropix::Error;
use tropix::batch::{Folder, MergeFormat, MergeOptions, merge};
use tropix::network::format::{check_output, write_text};

use crate::args::{BatchMergeArgs, Globals};
use crate::output;

pub(super) fn run(globals: &Globals, args: &BatchMergeArgs) -> anyhow::Result<()> {
    let folders = args.folders.iter().map(|folder| Folder::open(folder)).collect::<tropix::Result<Vec<_>>>()?;
    if let Some(file) = &args.output {
        let plans: Vec<PathBuf> = folders.iter().map(Folder::plan_file).collect();
        check_output(file, &plans, globals.force)?;
    }
    let options = MergeOptions { columns: args.columns.clone(), partial: args.partial };
    let merged = merge(&folders, &options)?;
    for (id, why) in &merged.missing {
        output::note(globals, &format!("left out: {id} ({why})"));
    }
    if let Some(file) = &args.output {
        let format =
            format(file).ok_or_else(|| Error::Internal { what: "an ending that was not checked".to_owned() })?;
        write_text(file, &merged.text(format)?)?;
        let rows = merged.rows.len();
        return output::result(globals, &merged.value(), &format!("wrote {}: {rows} jobs", file.display()));
    }
    let format = if globals.json { MergeFormat::Json } else { args.format.into() };
    output::print(merged.text(format)?.trim_end())
}

/// The form that the ending of a name promises.
fn format(file: &std::path::Path) -> Option<MergeFormat> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(MergeFormat::Csv),
        "json" => Some(MergeFormat::Json),
        "md" => Some(MergeFormat::Markdown),
        "html" => Some(MergeFormat::Html),
        _ => None,
    }
}
