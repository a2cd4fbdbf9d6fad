//! The one error type of the library. Variants carry the values that a reader needs to mend the input.

use std::path::PathBuf;

/// What a library function returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong in the library.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operand of a backend operation has a shape that the contract of the operation excludes.
    #[error("`{operation}`: `{operand}` has shape {got:?}, expected {expected}")]
    Shape {
        /// Name of the operation.
        operation: &'static str,
        /// Name of the operand in the contract.
        operand: &'static str,
        /// The rule that was broken, such as `n x 512`.
        expected: String,
        /// The shape that was given, rows and columns.
        got: [usize; 2],
    },
    /// One row, one index or one allocation is larger than the device can hold.
    #[error("`{operation}` needs {bytes} bytes in one piece; the limit of this device is {limit}")]
    TooLarge {
        /// Name of the operation.
        operation: &'static str,
        /// Bytes needed.
        bytes: u64,
        /// Bytes that the device allows.
        limit: u64,
    },
    /// The vertices of a zonotope may take more memory than they may have.
    #[error(
        "up to {} vertices would take {} bytes, more than the {limit} that they may take: sample them, or allow more memory",
        saturated(vertices),
        saturated(bytes)
    )]
    TooManyVertices {
        /// The largest possible number, attained in general position.
        vertices: u128,
        /// Bytes of so many patterns and vertices.
        bytes: u128,
        /// Bytes that they may take.
        limit: u64,
    },
    /// A product or sum left the range of f32.
    #[error("{what} of layer `{layer}` overflows f32; rescale its weights")]
    Overflow {
        /// The quantity, such as `path norm`.
        what: &'static str,
        /// The layer in which it happened.
        layer: String,
    },
    /// No adapter fits the request.
    #[error("no adapter for `{wanted}`; there are: {}; `--device cpu` needs none", list(available))]
    NoAdapter {
        /// What was asked for.
        wanted: String,
        /// Names of the adapters that exist.
        available: Vec<String>,
    },
    /// The device was lost or a submission failed; the work may succeed when it is tried again.
    #[error("device lost: {reason}")]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// The device has no memory left.
    #[error("out of device memory in `{operation}`: {reason}")]
    OutOfMemory {
        /// Name of the operation.
        operation: &'static str,
        /// What the driver said.
        reason: String,
    },
    /// A shader does not parse, validate or match the host's bindings.
    #[error("shader `{kernel}`: {diagnostic}")]
    Shader {
        /// Stem of the kernel.
        kernel: &'static str,
        /// The diagnostic, with the WGSL variable or line.
        diagnostic: String,
    },
    /// A file is not what its format demands.
    #[error("{}: {problem}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong, naming the tensor and the values.
        problem: String,
    },
    /// A tensor that the architecture names is not in the file.
    #[error("{}: tensor `{name}` not found; nearest names: {}", file.display(), list(nearest))]
    TensorMissing {
        /// The file.
        file: PathBuf,
        /// The name that was looked for.
        name: String,
        /// The nearest names that exist.
        nearest: Vec<String>,
    },
    /// A tensor holds NaN or infinity.
    #[error("{}: tensor `{tensor}` has {count} values that are not finite, the first at index {index}", file.display())]
    NonFinite {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Flat index of the first such value.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Layers do not fit together, or their order cannot be known.
    #[error("{}: {}", file.display(), breaks.join("; "))]
    Chain {
        /// The file.
        file: PathBuf,
        /// Each place where the chain breaks.
        breaks: Vec<String>,
    },
    /// The data do not fit the network or the labels.
    #[error("data do not fit the network: {problem}")]
    Data {
        /// What does not fit, with the values.
        problem: String,
    },
    /// A result is larger than f64 holds, or so small that it would be zero.
    #[error("{what} is beyond the range of f64; scale the numbers by a common factor")]
    OutOfRange {
        /// Which result.
        what: String,
    },
    /// The network has nothing that the request can work on.
    #[error("{problem}")]
    Unsupported {
        /// What is asked for and why it cannot be done.
        problem: String,
    },
    /// An argument has a value outside its range.
    #[error("`{argument}`: {problem}")]
    Argument {
        /// Name of the argument.
        argument: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// An expression cannot be read.
    #[error("column {column}: {problem}\n  {expression}\n  {:>column$}", "^")]
    Expression {
        /// The expression as it was given.
        expression: String,
        /// Where it breaks, in characters from 1 on.
        column: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// An input does not exist.
    #[error("{}: no such file", file.display())]
    InputMissing {
        /// The path that was given.
        file: PathBuf,
    },
    /// An output exists and `--force` was not given, or it is one of the inputs.
    #[error("{}: {problem}", file.display())]
    OutputRefused {
        /// The output.
        file: PathBuf,
        /// Why it is not written.
        problem: &'static str,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A batch manifest cannot be read, or a job of it cannot be run.
    #[error("{}:{line}: {problem}", file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// Line in the file, from 1 on.
        line: usize,
        /// What is wrong, naming the key and its value.
        problem: String,
    },
    /// Another run holds the output folder.
    #[error("{}: another run works in this folder; try again when it has ended", file.display())]
    Locked {
        /// The lock file.
        file: PathBuf,
    },
    /// Somebody asked for the work to stop before it was done.
    #[error("stopped: {reason}")]
    Stopped {
        /// Who, or what limit.
        reason: String,
    },
    /// A requested check found a deviation.
    #[error("{problem}")]
    CheckFailed {
        /// What deviates, and by how much.
        problem: String,
    },
    /// A state that the code excludes: a bug of tropix.
    #[error("internal error, please report it: {what}")]
    Internal {
        /// The broken assumption.
        what: String,
    },
}

fn saturated(number: &u128) -> String {
    if *number == u128::MAX { "more than 10^38".to_owned() } else { number.to_string() }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
