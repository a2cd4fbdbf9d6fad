//! Small damage to inputs that are right.

use rand::RngExt;

/// Numbers at which things break.
const NUMBERS: [i64; 12] =
    [0, 1, -1, 127, 255, 65_535, 1 << 31, (1 << 31) - 1, 1 << 32, i64::MAX, i64::MIN, 1_000_000_000_000];
/// The same as text, and what is none.
const WORDS: [&str; 18] = [
    "0",
    "-1",
    "4294967295",
    "9223372036854775807",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-0.0",
    "NaN",
    "Infinity",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "..",
    "\u{fffd}",
    "\0",
];

/// `seed` with one to four damages; some of them take a part of `other`.
pub(crate) fn mutated(seed: &[u8], other: &[u8], random: &mut impl RngExt) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..random.random_range(1..=4) {
        damage(&mut input, other, random);
    }
    input
}

fn damage(input: &mut Vec<u8>, other: &[u8], random: &mut impl RngExt) {
    if input.is_empty() {
        input.extend_from_slice(&other[..other.len().min(64)]);
        return;
    }
    // Most of what a reader decides on stands at the beginning or at the end.
    let length = input.len();
    let at = match random.random_range(0..4) {
        0 => random.random_range(0..length.min(64)),
        1 => length - 1 - random.random_range(0..length.min(64)),
        _ => random.random_range(0..length),
    };
    match random.random_range(0..10) {
        0 => input[at] ^= 1 << random.random_range(0..8),
        1 => input[at] = random.random(),
        2 => input.truncate(at),
        3 => {
            let end = (at + random.random_range(1..=32)).min(length);
            input.drain(at..end);
        }
        4 => {
            let end = (at + random.random_range(1..=64)).min(length);
            let part = input[at..end].to_vec();
            input.splice(at..at, part);
        }
        5 => {
            let number = NUMBERS[random.random_range(0..NUMBERS.len())];
            let width = [1, 2, 4, 8][random.random_range(0..4)];
            let mut bytes = number.to_le_bytes()[..width].to_vec();
            if random.random() {
                bytes.reverse();
            }
            let end = (at + width).min(length);
            input.splice(at..end, bytes);
        }
        6 | 7 => word(input, at, random),
        8 => {
            let from = random.random_range(0..other.len().max(1)).min(other.len());
            let to = (from + random.random_range(1..=128)).min(other.len());
            let end = (at + (to - from)).min(length);
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let open = [b'[', b'{', b'(', b'"'][random.random_range(0..4)];
            input.splice(at..at, std::iter::repeat_n(open, random.random_range(1..=200)));
        }
    }
}

/// Puts another word for the number or the name at `at`.
fn word(input: &mut Vec<u8>, at: usize, random: &mut impl RngExt) {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let start = input[..at].iter().rposition(|byte| !part(byte)).map_or(0, |before| before + 1);
    let end = input[at..].iter().position(|byte| !part(byte)).map_or(input.len(), |length| at + length);
    let word = WORDS[random.random_range(0..WORDS.len())];
    input.splice(start..end.max(start), word.bytes());
}
