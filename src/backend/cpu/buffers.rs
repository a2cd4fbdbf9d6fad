//! Memory of dropped matrices, kept for the next ones: for the system, to map fresh pages takes longer than a pass over them.

use std::sync::{Mutex, PoisonError};

/// Smaller buffers cost less than the search for one.
const SMALLEST: usize = 1 << 20;

/// Bytes kept at most.
const KEPT: usize = 512 << 20;

static BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `length` values that the caller overwrites: they are zeros or what a dropped matrix held.
pub(super) fn take(length: usize) -> Vec<f32> {
    if length * size_of::<f32>() < SMALLEST {
        return vec![0.0; length];
    }
    let mut buffers = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    // The smallest one that fits, unless it would waste as much as it gives.
    let fitting = (0..buffers.len()).filter(|at| (length..2 * length).contains(&buffers[*at].capacity()));
    let best = fitting.min_by_key(|at| buffers[*at].capacity()).map(|at| buffers.swap_remove(at));
    drop(buffers);
    best.map_or_else(
        || vec![0.0; length],
        |mut buffer| {
            buffer.resize(length, 0.0);
            buffer
        },
    )
}

/// Takes back what a matrix held; the oldest buffers go when there are too many.
pub(super) fn give(buffer: Vec<f32>) {
    if (SMALLEST..=KEPT).contains(&(buffer.capacity() * size_of::<f32>())) {
        let mut buffers = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.push(buffer);
        let mut bytes: usize = buffers.iter().map(|buffer| buffer.capacity() * size_of::<f32>()).sum();
        let surplus = buffers.iter().take_while(|buffer| {
            let over = bytes > KEPT;
            bytes = bytes.saturating_sub(buffer.capacity() * size_of::<f32>());
            over
        });
        let surplus = surplus.count();
        let dropped: Vec<_> = buffers.drain(..surplus).collect();
        drop(buffers);
        drop(dropped);
    }
}

/// Gives all kept buffers back to the system.
pub(super) fn trim() {
    let dropped = std::mem::take(&mut *BUFFERS.lock().unwrap_or_else(PoisonError::into_inner));
    drop(dropped);
}
