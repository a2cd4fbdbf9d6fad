//! Which options of commands name files, and where those of a job are.

use std::path::{Component, Path, PathBuf};

/// What the value of an option names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// No file.
    Plain,
    /// A model or its architecture.
    Model,
    /// Some other file that is read.
    File,
    /// A data set: a file, or a folder behind the name of its format.
    Data,
    /// Zonotopes or points: a model, a table, a data set, or the numbers themselves.
    Body,
    /// A file that is written.
    Output,
}

/// The role of an option, by the name of its field.
pub(super) fn role(command: &str, option: &str) -> Role {
    match option {
        "a" | "b" | "source" if matches!(command, "hausdorff" | "zonotope") => Role::Body,
        "model" | "against" | "also" | "teacher" | "compressed" | "a" | "b" => Role::Model,
        "arch" | "moments" => Role::File,
        "data" | "calib" | "train" | "test" => Role::Data,
        "output" | "svg" | "csv" | "emit_arch" | "keep_inputs" | "save_points" | "images" | "profile" | "report"
        | "checkpoint" => Role::Output,
        _ => Role::Plain,
    }
}

/// What stands before the path in a value.
const FORMATS: &[&str] = &["mnist:", "cifar10:", "cifar100:"];

/// A value of an option in which the path begins at `path.0` and ends at `path.1`; `None` where there is no path.
fn span(role: Role, word: &str) -> Option<(usize, usize)> {
    let mut start = 0;
    match role {
        Role::Plain => return None,
        Role::Body if word.starts_with(['[', '{']) => return None,
        Role::Body => {
            start = ["points:", "zonotope:"].iter().find(|kind| word.starts_with(**kind)).map_or(0, |kind| kind.len());
        }
        Role::Model | Role::File | Role::Data | Role::Output => {}
    }
    let mut end = word.len();
    let format = FORMATS.iter().find(|format| word.get(start..).is_some_and(|rest| rest.starts_with(**format)));
    if let Some(format) = format.filter(|_| matches!(role, Role::Data | Role::Body)) {
        start += format.len();
        end -= [":train", ":test"].iter().find(|part| word.ends_with(**part)).map_or(0, |part| part.len());
    }
    (start <= end).then_some((start, end))
}

/// A value as the job sees it, with its path below `folder`.
pub(super) fn below(folder: &Path, role: Role, word: &str) -> String {
    let Some((start, end)) = span(role, word) else { return word.to_owned() };
    let [before, path, after] = [&word[..start], &word[start..end], &word[end..]];
    format!("{before}{}{after}", folder.join(path).display())
}

/// The path in a value that a job reads.
pub(super) fn path(role: Role, word: &str) -> Option<PathBuf> {
    let (start, end) = span(role, word).filter(|_| role != Role::Output)?;
    Some(PathBuf::from(&word[start..end]))
}

/// Whether a path lies in `folder`, by its name and behind all links.
pub(super) fn is_inside(folder: &Path, path: &Path) -> bool {
    let named = path.strip_prefix(folder).unwrap_or(path);
    if named.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return false;
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match (folder.canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        // What is not there is found missing elsewhere.
        _ => true,
    }
}

/// What is wrong with the name of a file that a job writes: it belongs to the folder of the job, beside its report.
pub(super) fn refused_output(word: &str) -> Option<&'static str> {
    let mut parts = Path::new(word).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == word => {
            let taken = ["report.json", "error.json"].contains(&word) || word.starts_with(".tmp");
            taken.then_some("is a name that the batch uses itself")
        }
        _ => Some("is not a plain file name: a job writes into its own folder"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::NO_JOBS;
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_option_that_is_a_path_has_a_role() {
        let program = crate::args::Arguments::command();
        for command in program.get_subcommands().filter(|command| !NO_JOBS.contains(&command.get_name())) {
            for arg in command.get_arguments().chain(program.get_arguments()) {
                if arg.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>() {
                    let (command, option) = (command.get_name(), arg.get_id().as_str());
                    assert_ne!(role(command, option), Role::Plain, "{command} {option}");
                }
            }
        }
    }

    #[test]
    fn paths_of_values_lie_below_the_folder_and_formats_stay() {
        let folder = Path::new("jobs");
        for (role, word, wanted) in [
            (Role::Model, "m.onnx", "jobs/m.onnx"),
            (Role::Data, "mnist:d:train", "mnist:jobs/d:train"),
            (Role::Data, "d.npz", "jobs/d.npz"),
            (Role::Body, "points:mnist:d", "points:mnist:jobs/d"),
            (Role::Body, "[[1,0]]", "[[1,0]]"),
            (Role::Plain, "a", "a"),
        ] {
            assert_eq!(below(folder, role, word), wanted);
        }
        assert_eq!(path(Role::Data, "mnist:d:train"), Some(PathBuf::from("d")));
    }

    #[test]
    fn outputs_are_plain_names() {
        for word in ["a.onnx", "table.csv"] {
            assert_eq!(refused_output(word), None, "{word}");
        }
        for word in ["../a.onnx", "/a.onnx", "b/a.onnx", "", ".", "./a", "a/", "report.json", ".tmpx"] {
            assert!(refused_output(word).is_some(), "{word}");
        }
    }
}
