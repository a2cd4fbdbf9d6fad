//! `tropix completions`.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsArgs};
use crate::output;

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "tropix", &mut script);
    output::print(String::from_utf8(script)?.trim_end())
}
