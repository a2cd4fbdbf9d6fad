//! The `tropix` program: parses, chooses a backend, calls one library function, prints.

mod args;
mod body;
mod calibration;
mod commands;
mod device;
mod dispatch;
mod effect;
mod exit;
mod files;
mod fitting;
mod input;
mod invocation;
mod output;
mod page;
mod parse;
mod session;
mod shared;

use std::process::ExitCode;

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
    match dispatch::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(globals, &error);
            ExitCode::from(exit::code(&error))
        }
    }
}
