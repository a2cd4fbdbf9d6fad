//! From arguments to the command that they name.

use tropix::network::format::{check_output, write_text};
use tropix::prune::Timing;
use tropix::report::trace_json;

use crate::args::{Arguments, Command};
use crate::{commands, effect};

/// Runs the command, and writes the trace of its phases however it ends.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (globals, command) = (&arguments.globals, &arguments.command);
    effect::check(arguments)?;
    command.check_outputs(globals)?;
    for file in globals.profile.as_deref().into_iter().chain(command.page()) {
        check_output(file, &command.files(), globals.force)?;
    }
    let mut timing = Timing::default();
    let timing = &mut timing;
    let result = match command {
        Command::Doctor(args) => commands::doctor::run(globals, args, timing),
        Command::Inspect(args) => commands::inspect::run(globals, args, timing),
        Command::Prune(args) => commands::prune::run(globals, args, timing),
        Command::Sweep(args) => commands::sweep::run(globals, args, timing),
        Command::Evaluate(args) => commands::evaluate::run(globals, args, timing),
        Command::Zonotope(args) => commands::zonotope::run(globals, args, timing),
        Command::Hausdorff(args) => commands::hausdorff::run(globals, args, timing),
        Command::Compare(args) => commands::compare::run(globals, args, timing),
        Command::Convert(args) => commands::convert::run(globals, args, timing),
        Command::Certify(args) => commands::certify::run(globals, args, timing),
        Command::Attack(args) => commands::attack::run(globals, args, timing),
        Command::Lottery(args) => commands::lottery::run(globals, args, timing),
        Command::Train(args) => commands::train::run(globals, args, timing),
        Command::RandomModel(args) => commands::random::run(globals, args, timing),
        Command::Boundary(args) => commands::boundary::run(globals, args, timing),
        Command::Polynomial(args) => commands::polynomial::run(globals, args, timing),
        Command::Batch(args) => commands::batch::run(globals, args, timing),
        Command::Bench(args) => commands::bench::run(globals, args, timing),
        Command::Methods(_) => commands::methods::run(globals),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man(args) => commands::man::run(globals, args),
    };
    let Some(file) = &globals.profile else { return result };
    let written = write_text(file, &trace_json(command.name(), timing, &globals.trace.spans()));
    result.and_then(|()| Ok(written?))
}
