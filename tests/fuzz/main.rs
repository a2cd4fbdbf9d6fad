//! Damaged inputs for every reader: each is read or refused, within bounds of time and memory, and nothing panics.
//!
//! `TROPIX_FUZZ_INPUTS` says how many inputs are made, `TROPIX_FUZZ_SEED` from which seed: the same seed makes the same
//! inputs. What fails is left in the folder of temporary files, and is to be kept as a case of `tests/cases`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test stops at the first surprise")]

mod allocations;
mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tropix::rng;

use allocations::largest_allocation;
use mutate::mutated;
use targets::{Target, targets};

/// Inputs in a run of all tests.
const INPUTS: usize = 6_000;
/// What one input may take; a machine that does other things beside is slow, too.
const LONGEST: Duration = Duration::from_secs(2);
/// Bytes in one allocation beside what the input has.
const BASE: usize = 16 << 20;
/// Bytes in one allocation for each byte of the input: values in f64 from bits, hash tables, a copy.
const PER_BYTE: usize = 64;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn damaged_inputs_are_read_or_refused_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let targets = targets();
    let (inputs, seed) = (number("TROPIX_FUZZ_INPUTS", INPUTS), number("TROPIX_FUZZ_SEED", 1));
    let mut random = rng::stream(seed as u64, "fuzz");
    // Each reader takes its seeds first, so that mutations begin with what it understands.
    for target in &targets {
        for (at, seed) in target.seeds.iter().enumerate() {
            assert!((target.read)(folder.path(), seed), "{}: seed {at} is refused", target.name);
        }
    }
    let mut accepted = vec![0_usize; targets.len()];
    for number in 0..inputs {
        let at = number % targets.len();
        let target = &targets[at];
        let seed = &target.seeds[random.random_range(0..target.seeds.len())];
        let other = &target.seeds[random.random_range(0..target.seeds.len())];
        let input = mutated(seed, other, &mut random);
        accepted[at] += usize::from(check(folder.path(), target, &input, number));
    }
    for (target, accepted) in targets.iter().zip(&accepted) {
        let all = inputs / targets.len();
        eprintln!("{}: {accepted} of about {all} damaged inputs can still be read", target.name);
        // A reader that refuses everything, or takes anything, is not being tested.
        assert!(all < 100 || (1..all).contains(accepted), "{}: {accepted} of {all} were read", target.name);
    }
}

/// Reads one input; whether it was taken.
fn check(folder: &Path, target: &Target, input: &[u8], number: usize) -> bool {
    let fail = |what: String| -> ! {
        let kept = std::env::temp_dir().join(format!("tropix-fuzz-{}-{number}", target.name));
        fs::write(&kept, input).unwrap();
        panic!("{}: {what}; the input is {}", target.name, kept.display())
    };
    let began = Instant::now();
    let (result, largest) = largest_allocation(|| catch_unwind(AssertUnwindSafe(|| (target.read)(folder, input))));
    let Ok(taken) = result else { fail("the reader panics".to_owned()) };
    if began.elapsed() > LONGEST {
        fail(format!("takes {:?}", began.elapsed()));
    }
    if largest > BASE + PER_BYTE * input.len() {
        fail(format!("{largest} bytes are allocated at once for {} bytes of input", input.len()));
    }
    taken
}

#[test]
fn a_large_allocation_is_noticed() {
    let (_, largest) = largest_allocation(|| drop(std::hint::black_box(vec![0_u8; 100 << 20])));
    assert!(largest >= 100 << 20);
    let (_, largest) = largest_allocation(|| drop(std::hint::black_box(vec![0_u8; 1 << 10])));
    assert!(largest < 1 << 20);
}
