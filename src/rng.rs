//! Named random streams: each use of randomness has its own `ChaCha8` stream, so that adding one never shifts another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Returns the generator of the stream `name` under `seed`.
///
/// The stream number is the 64-bit FNV-1a hash of the name; `ChaCha8` keeps streams of one key apart.
#[must_use]
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(hash);
    generator
}
