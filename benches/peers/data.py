"""The data of `tropix::bench::value`, computed with numpy."""

import numpy as np

CHUNK = 1 << 22


def values(operand, shape, seed=0):
    """Operand number `operand` of a workload: uniform multiples of 2^-23 in [-1, 1), float32, row-major."""
    count = int(np.prod(shape))
    out = np.empty(count, np.float32)
    base = np.uint64(((seed * 256 + operand) << 40) % 2**64)
    for first in range(0, count, CHUNK):
        last = min(first + CHUNK, count)
        z = np.arange(first + 1, last + 1, dtype=np.uint64) + base
        z *= np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        out[first:last] = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return out.reshape(shape)


if __name__ == "__main__":
    # The entries that the unit test of `value` holds.
    print(values(1, (3,), 0).tolist(), values(2, (1_000_003,), 7)[1_000_000:].tolist())
