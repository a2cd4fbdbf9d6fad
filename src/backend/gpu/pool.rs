//! Buffers that come back: a loop over pruning rates allocates in its first turn only.

use std::sync::{Arc, Mutex, PoisonError};

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Rows, indices and panels on the device.
    Storage,
    /// Parameters of a dispatch.
    Uniform,
    /// A window through which the host reads.
    Staging,
}

impl Use {
    fn usages(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Self::Storage => U::STORAGE | U::COPY_SRC | U::COPY_DST,
            Self::Uniform => U::UNIFORM | U::COPY_DST,
            Self::Staging => U::MAP_READ | U::COPY_DST,
        }
    }
}

/// Idle bytes that the pool keeps; the oldest buffers beyond it are freed.
const IDLE_BYTES: u64 = 128 << 20;
/// Idle buffers that the pool keeps.
const IDLE_BUFFERS: usize = 256;

/// Idle buffers, oldest first.
#[derive(Debug)]
pub(super) struct Pool {
    device: wgpu::Device,
    idle: Mutex<Vec<(Use, wgpu::Buffer)>>,
}

impl Pool {
    pub(super) fn new(device: wgpu::Device) -> Arc<Self> {
        Arc::new(Self { device, idle: Mutex::new(Vec::new()) })
    }

    /// Takes an idle buffer of exactly this size, or creates one. Old contents are left in it.
    pub(super) fn take(self: &Arc<Self>, purpose: Use, size: u64) -> Buffer {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().rposition(|(other, raw)| *other == purpose && raw.size() == size);
        let raw = found.map(|at| idle.remove(at).1);
        drop(idle);
        let raw = raw.unwrap_or_else(|| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: purpose.usages(),
                mapped_at_creation: false,
            })
        });
        Buffer { raw, purpose, pool: Arc::clone(self) }
    }

    /// Frees all idle buffers.
    pub(super) fn trim(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put(&self, purpose: Use, raw: wgpu::Buffer) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((purpose, raw));
        let mut bytes: u64 = idle.iter().map(|(_, raw)| raw.size()).sum();
        while bytes > IDLE_BYTES || idle.len() > IDLE_BUFFERS {
            bytes -= idle.remove(0).1.size();
        }
    }
}

/// A buffer on loan from the pool.
///
/// Its next user may write to it while earlier submissions still read it on the device: there is one queue, and it
/// keeps the order in which work was submitted.
#[derive(Debug)]
pub(super) struct Buffer {
    raw: wgpu::Buffer,
    purpose: Use,
    pool: Arc<Pool>,
}

impl Buffer {
    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.put(self.purpose, self.raw.clone());
    }
}
