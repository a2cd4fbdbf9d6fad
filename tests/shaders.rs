//! The shaders, checked without an adapter.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first error")]

use std::collections::BTreeSet;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Shader files that other shaders are composed with.
const LIBRARIES: [&str; 15] = [
    "columns",
    "contraction",
    "fold_memory",
    "fold_subgroups",
    "functions",
    "grid",
    "monomials_broadcast",
    "monomials_uniform",
    "reduce_memory",
    "reduce_subgroups",
    "row_fold",
    "rows_broadcast",
    "rows_direct",
    "rows_registers",
    "rows_workgroup",
];
/// Shader files with a kernel that operations use, but that is none itself.
const HELPERS: [&str; 3] = ["pack", "convolution_grouped", "tropical_eval_narrow"];

/// Stems of the files in a folder of the package, without those named.
fn stems(folder: &str, without: &[&str]) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()
    };
    entries.map(stem).filter(|stem| !without.contains(&stem.as_str())).collect()
}

fn operations() -> BTreeSet<String> {
    let others: Vec<_> = LIBRARIES.into_iter().chain(HELPERS).collect();
    stems("shaders", &others)
}

#[test]
fn every_shader_is_valid_as_the_host_composes_it() {
    let modules = tropix::backend::shader_modules();
    for (stem, variant, text) in &modules {
        let stem = format!("{stem} {variant}");
        let module =
            naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{stem}: {}", error.emit_to_string(text)));
        let mut validator =
            Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16);
        let info = validator.validate(&module).unwrap_or_else(|error| panic!("{stem}: {}", error.emit_to_string(text)));
        assert!(!module.entry_points.is_empty(), "{stem} has no entry point");
        for (handle, variable) in module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some()) {
            let used = (0..module.entry_points.len()).any(|entry| !info.get_entry_point(entry)[handle].is_empty());
            assert!(used, "{stem}: no entry point uses `{}`", variable.name.as_deref().unwrap_or(""));
        }
    }
    let composed: BTreeSet<String> = modules.iter().map(|(stem, ..)| (*stem).to_owned()).collect();
    assert_eq!(composed, stems("shaders", &LIBRARIES), "every shader file is composed");
}

/// Writes what `benches/kernel-isa` compiles: `TROPIX_SHADERS=DIR cargo test --release --test shaders -- --ignored`.
#[test]
#[ignore = "writes files for another program"]
fn the_modules_for_hardware_are_written() {
    let folder = std::env::var("TROPIX_SHADERS").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").to_owned());
    std::fs::create_dir_all(&folder).unwrap();
    // Of the ways to add up the lanes of a row, the last is by subgroups.
    for (_, variant, text) in tropix::backend::shader_modules() {
        let suffix = match variant {
            "workgroup" | "" => "",
            "workgroup, f16" => ".f16",
            "workgroup, wave64" => ".wave64",
            _ => continue,
        };
        for entry in naga::front::wgsl::parse_str(&text).unwrap().entry_points {
            std::fs::write(Path::new(&folder).join(format!("{}{suffix}.wgsl", entry.name)), &text).unwrap();
        }
    }
}

#[test]
fn every_operation_has_its_stem_in_shader_twins_and_test() {
    let infrastructure = [
        "mod",
        "adapter",
        "cache",
        "column_sums",
        "context",
        "contraction",
        "grid",
        "kernel",
        "launch",
        "matrix",
        "modules",
        "pack",
        "pool",
        "shares",
        "tile",
        "trace",
        "tuning",
        "transfer",
    ];
    assert_eq!(operations(), stems("src/backend/gpu", &infrastructure));
    assert_eq!(
        operations(),
        stems(
            "tests/backends",
            &[
                "main",
                "harness",
                "tolerance",
                "classify_at",
                "device",
                "half",
                "limits",
                "lloyd",
                "images",
                "networks",
                "reshape"
            ]
        )
    );
    if Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/cpu").exists() {
        let cpu = stems("src/backend/cpu", &["mod"]);
        let missing: Vec<_> = operations().difference(&cpu).cloned().collect();
        assert!(missing.is_empty(), "without a file in src/backend/cpu: {missing:?}");
    }
}
