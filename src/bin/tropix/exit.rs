//! Exit codes after sysexits, and errors for programs that read reports.

use std::path::Path;

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
        Error::DeviceLost { .. } | Error::OutOfMemory { .. } | Error::Locked { .. } | Error::Stopped { .. } => 75,
        Error::Manifest { .. } => 78,
        _ => 70,
    }
}

/// The name of the kind of an error in JSON: that of its variant.
pub(crate) fn kind(error: &anyhow::Error) -> &'static str {
    let Some(error) = error.downcast_ref::<Error>() else { return "internal" };
    match error {
        Error::Shape { .. } => "shape",
        Error::TooLarge { .. } => "too_large",
        Error::TooManyVertices { .. } => "too_many_vertices",
        Error::Overflow { .. } => "overflow",
        Error::OutOfRange { .. } => "out_of_range",
        Error::NoAdapter { .. } => "no_adapter",
        Error::DeviceLost { .. } => "device_lost",
        Error::OutOfMemory { .. } => "out_of_memory",
        Error::Shader { .. } => "shader",
        Error::Format { .. } => "format",
        Error::TensorMissing { .. } => "tensor_missing",
        Error::NonFinite { .. } => "non_finite",
        Error::Chain { .. } => "chain",
        Error::Data { .. } => "data",
        Error::Unsupported { .. } => "unsupported",
        Error::Argument { .. } => "argument",
        Error::Expression { .. } => "expression",
        Error::InputMissing { .. } => "input_missing",
        Error::OutputRefused { .. } => "output_refused",
        Error::Io { .. } => "io",
        Error::CheckFailed { .. } => "check_failed",
        Error::Manifest { .. } => "manifest",
        Error::Locked { .. } => "locked",
        Error::Stopped { .. } => "stopped",
        _ => "internal",
    }
}

/// The file that an error is about.
pub(crate) fn path(error: &anyhow::Error) -> Option<&Path> {
    match error.downcast_ref::<Error>()? {
        Error::Format { file, .. }
        | Error::TensorMissing { file, .. }
        | Error::NonFinite { file, .. }
        | Error::Chain { file, .. }
        | Error::InputMissing { file }
        | Error::OutputRefused { file, .. }
        | Error::Manifest { file, .. }
        | Error::Locked { file }
        | Error::Io { file, .. } => Some(file),
        _ => None,
    }
}
