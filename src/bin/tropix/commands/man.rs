//! `tropix man`.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use serde::Serialize;
use tropix::Error;
use tropix::backend::{Backend as _, Reference};
use tropix::network::format::{check_output, write_text};
use tropix::report::Heading;

use crate::args::{Arguments, Globals, ManArgs};
use crate::output;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    heading: Heading,
    files: Vec<String>,
}

pub(crate) fn run(globals: &Globals, args: &ManArgs) -> anyhow::Result<()> {
    let mut command = Arguments::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, "tropix", &mut pages)?;
    let io = |source| Error::Io { file: args.folder.clone(), source };
    let paths: Vec<_> = pages.iter().map(|(name, _)| args.folder.join(format!("{name}.1"))).collect();
    std::fs::create_dir_all(&args.folder).map_err(io)?;
    for path in &paths {
        check_output(path, &[], globals.force)?;
    }
    for ((_, page), path) in pages.iter().zip(&paths) {
        write_text(path, page)?;
    }
    let report = Report {
        heading: Heading::new("man", globals.seed, Reference::new().device()),
        files: paths.iter().map(|path| path.display().to_string()).collect(),
    };
    let first = Path::new(&args.folder).join("tropix.1");
    let text = format!("wrote {} pages; the first is {}", report.files.len(), first.display());
    output::result(globals, &report, &text)
}

/// The page of a command and those of what it is divided into, by name.
fn collect(command: &Command, name: &str, pages: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    pages.push((name.to_owned(), String::from_utf8(page)?));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        collect(inner, &format!("{name}-{}", inner.get_name()), pages)?;
    }
    Ok(())
}
