//! The `tropix` program: parses, chooses a backend, calls one library function, prints.

mod args;
mod body;
mod calibration;
mod commands;
mod device;
mod effect;
mod exit;
mod files;
mod fitting;
mod input;
mod invocation;
mod output;
mod parse;

use std::process::ExitCode;

use tropix::network::format::{check_output, write_text};
use tropix::prune::Timing;
use tropix::report::trace_json;

use args::{Arguments, Command};

/// Mesa's device-select layer asks the window system which GPU to prefer, and complains on standard error where there is
/// none. tropix chooses by itself.
fn silence_device_select() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        #[expect(unsafe_code, reason = "called first in main: no other thread reads the environment yet")]
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

fn main() -> ExitCode {
    silence_device_select();
    let line: Vec<_> = std::env::args_os().collect();
    let arguments = match parse::parse(&line) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not errors; a closed pipe is nobody's concern.
            let _ = error.print();
            if error.use_stderr() && parse::asks_for_json(&line) {
                output::usage_error(&error);
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    output::start_logging(&arguments.globals);
    if let Some(threads) = arguments.globals.threads {
        // Only fails when a pool exists already, and then its size is the user's.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let globals = &arguments.globals;
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(globals, &error);
            ExitCode::from(exit::code(&error))
        }
    }
}

/// Runs the command, and writes the trace of its phases however it ends.
fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (globals, command) = (&arguments.globals, &arguments.command);
    effect::check(arguments)?;
    command.check_outputs(globals)?;
    if let Some(file) = &globals.profile {
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
        Command::RandomModel(args) => commands::random::run(globals, args, timing),
        Command::Boundary(args) => commands::boundary::run(globals, args, timing),
        Command::Polynomial(args) => commands::polynomial::run(globals, args, timing),
        Command::Bench(args) => commands::bench::run(globals, args, timing),
    };
    let Some(file) = &globals.profile else { return result };
    let written = write_text(file, &trace_json(command.name(), timing, &globals.trace.spans()));
    result.and_then(|()| Ok(written?))
}
