//! Exit codes after sysexits.

use tropix::Error;

/// The exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    let Some(error) = error.downcast_ref::<Error>() else { return 70 };
    match error {
        Error::CheckFailed { .. } => 1,
        Error::Argument { .. } | Error::Expression { .. } => 2,
        Error::Format { .. }
        | Error::TensorMissing { .. }
        | Error::NonFinite { .. }
        | Error::Chain { .. }
        | Error::Data { .. }
        | Error::Overflow { .. }
        | Error::OutOfRange { .. }
        | Error::TooManyVertices { .. }
        | Error::Unsupported { .. } => 65,
        Error::InputMissing { .. } => 66,
        Error::NoAdapter { .. } | Error::TooLarge { .. } => 69,
        Error::OutputRefused { .. } => 73,
        Error::Io { .. } => 74,
        Error::DeviceLost { .. } | Error::OutOfMemory { .. } => 75,
        _ => 70,
    }
}
