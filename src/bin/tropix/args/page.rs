//! Where a result goes as a page.

use std::path::PathBuf;

use clap::Args;

use super::heading;

#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Write the result as a page for a browser, pictures included: .html
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) report: Option<PathBuf>,
}
