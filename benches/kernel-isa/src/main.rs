//! Compiles WGSL kernels with Mesa RADV's compiler, for GPUs that need not be there, and reads the machine code.
//!
//! `kernel-isa [--dump FOLDER] [--target FAMILY]... FILE.wgsl...` prints one line for each file, target and choice of
//! run-time checks: the share of floating-point arithmetic among the instructions of the innermost loop with the most
//! of it, what else that loop does (`wide`: accesses of 16 bytes a lane), and the registers, local memory and waves per SIMD of the kernel. A file holds one
//! composed module, whose entry point has its name up to a dot. `unchecked` is what the engine runs: without bounds checks and
//! forced loop bounds; `checked` is wgpu's default. `--dump` keeps what the driver prints.

mod assembly;
mod driver;

use std::path::{Path, PathBuf};
use std::process::Command;

const CHILD: &str = "KERNEL_ISA_CHILD";
const MANIFEST: &str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Ok(checks) = std::env::var(CHILD) {
        return driver::run(Path::new(&arguments[0]), checks == "checked");
    }
    let (mut dump, mut targets, mut files) = (None, Vec::new(), Vec::new());
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--dump" => dump = rest.next().map(PathBuf::from),
            "--target" => targets.extend(rest.next()),
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if files.is_empty() {
        eprintln!("kernel-isa [--dump FOLDER] [--target FAMILY]... FILE.wgsl...");
        std::process::exit(2);
    }
    if targets.is_empty() {
        targets = vec!["NAVI21".to_owned(), "NAVI10".to_owned()];
    }
    println!(
        "kernel                     target  checks     share  loop  math other scalar local global  wide waits  VGPRs spilled    LDS waves/SIMD"
    );
    for file in &files {
        for target in &targets {
            for checks in ["unchecked", "checked"] {
                line(file, target, checks, dump.as_deref());
            }
        }
    }
}

/// Runs itself under RADV's null hardware, and prints what comes of it.
fn line(file: &Path, target: &str, checks: &str, dump: Option<&Path>) {
    let manifest = std::env::var("RADV_ICD").unwrap_or_else(|_| MANIFEST.to_owned());
    let output = Command::new(std::env::current_exe().expect("the path of this program"))
        .arg(file)
        .env(CHILD, checks)
        .env("RADV_FORCE_FAMILY", target)
        .env("RADV_DEBUG", "shaders,shaderstats,nocache")
        .env("VK_DRIVER_FILES", &manifest)
        .env("VK_ICD_FILENAMES", &manifest)
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        .output()
        .expect("this program starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if let Some(folder) = dump {
        std::fs::create_dir_all(folder).expect("the folder of the dump");
        std::fs::write(folder.join(format!("{stem}.{target}.{checks}.txt")), &text).expect("the dump");
    }
    if !output.status.success() {
        eprintln!("{text}\n{stem}: the driver gave up");
        std::process::exit(1);
    }
    let found = assembly::read(&text);
    let hot = found.hottest.unwrap_or_default();
    println!(
        "{stem:<26} {target:<7} {checks:<9} {:>5.1} % {:>5} {:>5} {:>5} {:>6} {:>5} {:>6} {:>5} {:>5} {:>6} {:>7} {:>6} {:>10}",
        hot.share(),
        hot.instructions,
        hot.arithmetic,
        hot.other_vector,
        hot.scalar,
        hot.local,
        hot.global,
        hot.wide,
        hot.waits,
        found.vector_registers,
        found.spilled,
        found.local_memory,
        found.waves,
    );
}
