//! What is never overwritten, and what a failed write leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tropix::Error;
use tropix::network::format::{self, check_output};

use crate::files::{folder, load, put, safetensors, small};

fn refused(output: &Path, inputs: &[PathBuf], force: bool) -> Option<&'static str> {
    match check_output(output, inputs, force) {
        Ok(()) => None,
        Err(Error::OutputRefused { problem, file }) => {
            assert_eq!(file, output);
            Some(problem)
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_input_is_never_the_output_not_even_by_link_or_force() {
    let folder = folder();
    let input = put(&folder, "in.safetensors", "model");
    let inputs = [folder.path().join("other"), input.clone()];
    let dotted = folder.path().join(".").join("in.safetensors");
    let mut aliases = vec![input.clone(), dotted];
    let hard = folder.path().join("hard.safetensors");
    std::fs::hard_link(&input, &hard).unwrap();
    aliases.push(hard);
    #[cfg(unix)]
    {
        let soft = folder.path().join("soft.safetensors");
        std::os::unix::fs::symlink(&input, &soft).unwrap();
        aliases.push(soft);
    }
    for alias in aliases {
        for force in [false, true] {
            assert_eq!(refused(&alias, &inputs, force), Some("is an input of this command"), "{}", alias.display());
        }
    }
    // A copy is another file, so that the comparison is of files and not of names or contents.
    let copy = put(&folder, "copy.safetensors", "model");
    assert_eq!(refused(&copy, &inputs, true), None);
}

#[test]
fn an_output_that_exists_needs_force() {
    let folder = folder();
    let output = put(&folder, "out.safetensors", "old");
    assert_eq!(refused(&output, &[], false), Some("exists; `--force` replaces it"));
    assert_eq!(refused(&output, &[], true), None);
    assert_eq!(refused(folder.path(), &[], true), Some("is a folder"));
    assert_eq!(refused(&folder.path().join("new"), &[], false), None);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_input_output_error_and_nothing_is_left() {
    let folder = folder();
    let model = load(&put(&folder, "in.safetensors", safetensors("", &small([])))).unwrap();
    let save = |output: &Path| format::save(&model, &model.network, output, false, &BTreeMap::new());
    let absent = save(&folder.path().join("no/out.safetensors"));
    assert!(matches!(absent, Err(Error::Io { .. })), "{absent:?}");
    let file = save(&folder.path().join("in.safetensors/out.safetensors"));
    assert!(matches!(file, Err(Error::Io { .. })), "{file:?}");
    // No user may create files here, the superuser included.
    #[cfg(target_os = "linux")]
    {
        let refused = save(Path::new("/proc/out.safetensors"));
        assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn force_replaces_a_file_that_is_still_mapped() {
    let folder = folder();
    let model = load(&put(&folder, "in.safetensors", safetensors("", &small([])))).unwrap();
    let output = put(&folder, "out.safetensors", safetensors("", &small([])));
    let old = load(&output).unwrap();
    let before: Vec<Vec<f32>> = old.network.tensors().map(|tensor| tensor.to_vec()).collect();
    format::save(&model, &model.network, &output, true, &BTreeMap::new()).unwrap();
    let after: Vec<Vec<f32>> = old.network.tensors().map(|tensor| tensor.to_vec()).collect();
    assert_eq!(before, after);
    assert!(load(&output).unwrap().metadata.contains_key("tropix.arch"));
}
