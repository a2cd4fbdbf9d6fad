//! When an adapter ran which kernel, by its own clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::context::{PATIENCE, lock};
use crate::error::{Error, Result};

/// One dispatch on an adapter.
#[derive(Debug, Clone, Copy)]
pub struct DeviceSpan {
    /// Entry point of the kernel.
    pub kernel: &'static str,
    /// When it began: by the adapter's clock, which is set by the host's once, to about a tenth of a millisecond.
    pub start: Instant,
    /// How long it took.
    pub duration: Duration,
}

/// Collects what adapters do: give it to [`GpuOptions::trace`](super::GpuOptions::trace), and read it when the adapter was
/// dropped. Clones share what they collect. Copies between host and adapter are no kernels and are not in it.
#[derive(Debug, Clone, Default)]
pub struct DeviceTrace {
    spans: Arc<Mutex<Vec<DeviceSpan>>>,
}

impl DeviceTrace {
    /// What was collected, in the order in which it was submitted.
    #[must_use]
    pub fn spans(&self) -> Vec<DeviceSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Dispatches that share a set of queries, the most that wgpu allows.
const BATCH: u32 = wgpu::QUERY_SET_MAX_QUERIES / 2;

/// The timestamps of one context. They stay on the device until its end: nothing waits for them.
#[derive(Debug)]
pub(super) struct Profiler {
    trace: DeviceTrace,
    /// Nanoseconds of a tick.
    period: f64,
    /// When the first dispatch, which does nothing, was known to be done.
    anchor: Instant,
    batches: Mutex<Batches>,
}

/// Query sets that are full and copied to a staging buffer, and the one that fills.
#[derive(Debug)]
struct Batches {
    queries: wgpu::QuerySet,
    kernels: Vec<&'static str>,
    full: Vec<(wgpu::Buffer, Vec<&'static str>)>,
}

impl Profiler {
    /// Starts the clock, where the device has one.
    pub(super) fn new(device: &wgpu::Device, queue: &wgpu::Queue, trace: DeviceTrace) -> Result<Option<Self>> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            tracing::warn!("the adapter has no timestamps: the trace shows the host alone");
            return Ok(None);
        }
        let batches = Batches { queries: query_set(device), kernels: Vec::new(), full: Vec::new() };
        let profiler = Self {
            trace,
            period: f64::from(queue.get_timestamp_period()),
            anchor: Instant::now(),
            batches: Mutex::new(batches),
        };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        profiler.timed(device, queue, "anchor", |writes| {
            let descriptor = wgpu::ComputePassDescriptor { timestamp_writes: Some(writes), ..Default::default() };
            drop(encoder.begin_compute_pass(&descriptor));
            queue.submit(Some(encoder.finish()));
            Ok(())
        })?;
        let done = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        done.map_err(|error| Error::DeviceLost { reason: error.to_string() })?;
        Ok(Some(Self { anchor: Instant::now(), ..profiler }))
    }

    /// Runs `submit` with the timestamps of a pass that it submits. One thread at a time: a set of queries is copied when
    /// all that write to it are submitted.
    pub(super) fn timed<T>(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        kernel: &'static str,
        submit: impl FnOnce(wgpu::ComputePassTimestampWrites<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut batches = lock(&self.batches);
        let at = u32::try_from(batches.kernels.len()).unwrap_or(0) * 2;
        let result = submit(wgpu::ComputePassTimestampWrites {
            query_set: &batches.queries,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        })?;
        batches.kernels.push(kernel);
        if batches.kernels.len() >= BATCH as usize {
            batches.copy(device, queue);
        }
        Ok(result)
    }

    /// Reads all timestamps and hands them to the trace.
    pub(super) fn finish(&self, device: &wgpu::Device, queue: &wgpu::Queue) -> Result<()> {
        let mut batches = lock(&self.batches);
        batches.copy(device, queue);
        let lost = |reason: String| Error::DeviceLost { reason };
        let mut anchor = None;
        let mut spans = Vec::new();
        for (staging, kernels) in batches.full.drain(..) {
            staging.map_async(wgpu::MapMode::Read, .., |_| ());
            let done = device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
            done.map_err(|error| lost(error.to_string()))?;
            let view = staging.get_mapped_range(..).map_err(|error| lost(error.to_string()))?;
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
            for (kernel, pair) in kernels.into_iter().zip(ticks.chunks_exact(2)) {
                let &[start, end] = pair else { continue };
                // The end of the first pass is the moment of the anchor.
                let Some(zero) = anchor else {
                    anchor = Some(end);
                    continue;
                };
                let nanoseconds = |from: u64, to: u64| {
                    Duration::try_from_secs_f64(to.saturating_sub(from) as f64 * self.period * 1e-9).unwrap_or_default()
                };
                spans.push(DeviceSpan {
                    kernel,
                    start: self.anchor + nanoseconds(zero, start),
                    duration: nanoseconds(start, end),
                });
            }
        }
        lock(&self.trace.spans).extend(spans);
        Ok(())
    }
}

impl Batches {
    /// Copies the queries to a staging buffer and begins a new set.
    fn copy(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) {
        let count = u32::try_from(self.kernels.len()).unwrap_or(0) * 2;
        if count == 0 {
            return;
        }
        let buffer = |usage| {
            let size = u64::from(count) * 8;
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.resolve_query_set(&self.queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, u64::from(count) * 8);
        queue.submit(Some(encoder.finish()));
        self.queries = query_set(device);
        self.full.push((staging, std::mem::take(&mut self.kernels)));
    }
}

fn query_set(device: &wgpu::Device) -> wgpu::QuerySet {
    let descriptor = wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count: 2 * BATCH };
    device.create_query_set(&descriptor)
}
