//! The `tropix` program: parses, chooses a backend, calls one library function, prints.

mod args;
mod commands;
mod device;
mod exit;
mod input;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not errors; a closed pipe is nobody's concern.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    output::start_logging(&arguments.globals);
    if let Some(threads) = arguments.globals.threads {
        // Only fails when a pool exists already, and then its size is the user's.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let globals = &arguments.globals;
    let result = match &arguments.command {
        Command::Doctor(args) => commands::doctor::run(globals, args),
        Command::Inspect(args) => commands::inspect::run(globals, args),
        Command::Prune(args) => commands::prune::run(globals, args),
        Command::Sweep(args) => commands::sweep::run(globals, args),
        Command::Evaluate(args) => commands::evaluate::run(globals, args),
        Command::RandomModel(args) => commands::random::run(globals, args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(globals, &error);
            ExitCode::from(exit::code(&error))
        }
    }
}
