//! Runs the program in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) fn asset(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path).display().to_string()
}

/// A file of `tests/cases`.
pub(crate) fn case(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name).display().to_string()
}

pub(crate) fn model() -> String {
    asset("models/mlp-mnist.safetensors")
}

pub(crate) fn data() -> String {
    asset("data/mnist/mnist-test2000.safetensors")
}

/// What a run said.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless the run ended with `code`; an error ends with a message that holds all of `parts`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// The program, without what the caller's environment says of it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tropix"));
    for name in ["DEVICE", "THREADS", "SEED", "JSON", "QUIET", "LOG_FORMAT", "COLOR", "FORCE", "VERIFY", "PROFILE"] {
        command.env_remove(format!("TROPIX_{name}"));
    }
    // Tests leave nothing in the user's folders.
    command.env("TROPIX_CACHE", "");
    command
}

/// Runs the program with arguments separated by spaces.
pub(crate) fn tropix(folder: &Path, arguments: &str) -> Ran {
    Ran::of(program().current_dir(folder).args(arguments.split_whitespace()).output().unwrap())
}

/// The names of the files in a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A file in safetensors form from F32 tensors.
pub(crate) fn write_model(path: &PathBuf, tensors: &[(&str, &[usize], Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, v)| v.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}
