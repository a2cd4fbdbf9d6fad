//! `tropix methods`.

use tropix::backend::{Backend as _, Reference};
use tropix::prune::catalogue;
use tropix::report::{Heading, MethodsReport, methods_text};

use crate::args::Globals;
use crate::output;

pub(crate) fn run(globals: &Globals) -> anyhow::Result<()> {
    let heading = Heading::new("methods", globals.seed, Reference::new().device());
    let report = MethodsReport { heading, methods: catalogue() };
    output::result(globals, &report, &methods_text(&report))
}
