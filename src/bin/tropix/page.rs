//! A result as a page for a browser, beside what is printed.

use serde::Serialize;
use tropix::Result;
use tropix::network::format::{check_output, write_text};
use tropix::report::html::Page;

use crate::args::{Globals, PageArgs};
use crate::output;

/// Fails if the page must not be written where it is to go. To be called when files were read and before other work.
pub(crate) fn check(globals: &Globals, args: &PageArgs) -> Result<()> {
    args.report.iter().try_for_each(|file| check_output(file, &globals.run.inputs(), globals.force))
}

/// Writes the page, if one is asked for, and prints the result.
pub(crate) fn result(
    globals: &Globals,
    args: &PageArgs,
    report: &impl Serialize,
    mut text: String,
    page: impl FnOnce() -> Page,
) -> anyhow::Result<()> {
    if let Some(file) = &args.report {
        // Files that were read after the first check are inputs as well.
        check(globals, args)?;
        write_text(file, &page().html(globals.run.command_line(), &output::json(globals, report)?))?;
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    output::result(globals, report, &text)
}
