//! The device: its limits, its queue, its errors.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::GpuOptions;
use super::adapter::AdapterSummary;
use super::cache::Pipelines;
use super::kernel::{Kernel, KernelKey};
use super::pool::{Buffer, Pool, Use};
use super::tile::Variants;
use super::trace::Profiler;
use super::tuning::Tuning;
use crate::error::{Error, Result};

/// Submissions that may wait on the device: enough to keep it busy, few enough to bound what they hold.
const IN_FLIGHT: usize = 8;
/// A submission takes well below a second; one that takes this long never ends.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// Indices into a binding, and the ends of strides over it, stay below 2^32.
const INDEXABLE: u64 = 1 << 31;

/// The first thing that went wrong outside of every error scope.
#[derive(Debug, Clone)]
enum Failure {
    Lost(String),
    Memory(String),
}

/// A device with its queue, its limits and its compiled kernels.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pool: Arc<Pool>,
    /// Bytes of the largest binding, a multiple of 16.
    pub(super) max_binding: u64,
    /// Workgroups along one dimension of a dispatch.
    pub(super) max_groups: u32,
    /// Which variants of the contraction run here.
    pub(super) variants: Variants,
    /// Whether the adapter is software: barriers between lanes cost it dear.
    pub(super) software: bool,
    /// Whether kernels reduce by subgroups.
    pub(super) subgroups: bool,
    /// Whether contractions store their operands in f16.
    pub(super) half: bool,
    /// Workgroups that keep the adapter busy.
    pub(super) groups: usize,
    /// Whether all shaders run with the checks of wgpu.
    pub(super) checked: bool,
    /// Multiply-adds in one submission, a fraction of a tenth of a second: longer ones stall the desktop or are killed.
    pub(super) work: u64,
    /// Elements that one submission reads, for the same reason.
    pub(super) traffic: u64,
    pub(super) kernels: Mutex<HashMap<KernelKey, Arc<Kernel>>>,
    /// Pipelines that were compiled, and the time that it took.
    pub(super) compiled: Mutex<(usize, Duration)>,
    /// The clock of the device, if somebody wants to see it.
    pub(super) profiler: Option<Profiler>,
    /// Pipelines of earlier runs.
    pub(super) pipelines: Option<Pipelines>,
    empty: Buffer,
    in_flight: Mutex<VecDeque<wgpu::SubmissionIndex>>,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl Context {
    pub(super) fn new(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<Self> {
        let summary = AdapterSummary::new(adapter);
        let limits = adapter.limits();
        let mut max_binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(INDEXABLE);
        if let Some(artificial) = options.max_binding {
            if artificial < 256 {
                let problem = format!("{artificial} is below 256 bytes");
                return Err(Error::Argument { argument: "max_binding", problem });
            }
            max_binding = max_binding.min(artificial);
        }
        if options.half && !adapter.features().contains(wgpu::Features::SHADER_F16) {
            let problem = format!("`{}` has no `shader-f16`", summary.name);
            return Err(Error::Argument { argument: "half", problem });
        }
        let mut wanted = wgpu::Features::SUBGROUP | wgpu::Features::PIPELINE_CACHE;
        wanted.set(wgpu::Features::SHADER_F16, options.half);
        wanted.set(wgpu::Features::TIMESTAMP_QUERY, options.trace.is_some());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("tropix"),
            required_limits: limits.clone(),
            required_features: adapter.features() & wanted,
            // The pool keeps what is used again; large reserves below it would only cost memory.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|refusal| Error::DeviceLost { reason: refusal.to_string() })?;
        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Mutex<Option<Failure>>, found: Failure| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(found);
        };
        let shared = Arc::clone(&failure);
        device.on_uncaptured_error(Arc::new(move |error| {
            tracing::error!(%error, "wgpu");
            note(
                &shared,
                match error {
                    wgpu::Error::OutOfMemory { source } => Failure::Memory(source.to_string()),
                    other => Failure::Lost(other.to_string()),
                },
            );
        }));
        let shared = Arc::clone(&failure);
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device also ends here, when nobody is left to ask.
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&shared, Failure::Lost(message));
            }
        });
        let pool = Pool::new(device.clone());
        let info = adapter.get_info();
        let fixed = info.subgroup_min_size == info.subgroup_max_size;
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP) && !options.no_subgroups;
        let subgroup = (subgroups && fixed).then_some(info.subgroup_min_size);
        let tuning = options.cache.as_deref().and_then(|folder| Tuning::load(folder, &summary));
        let variants = Variants::new(options.variant, tuning, summary.software, subgroup)?.with_wave64(options.wave64);
        let profiler = match &options.trace {
            Some(trace) => Profiler::new(&device, &queue, trace.clone())?,
            None => None,
        };
        Ok(Self {
            software: summary.software && options.variant.is_none(),
            subgroups,
            half: options.half,
            compiled: Mutex::default(),
            profiler,
            empty: pool.take(Use::Storage, 16),
            pool,
            pipelines: Pipelines::open(&device, &info, options.cache.as_deref()),
            device,
            queue,
            max_binding: max_binding / 16 * 16,
            max_groups: limits.max_compute_workgroups_per_dimension,
            variants,
            groups: if summary.software { 16 } else { 256 },
            checked: options.checked,
            work: if summary.software { 1 << 29 } else { 1 << 33 },
            traffic: if summary.software { 1 << 23 } else { 1 << 28 },
            kernels: Mutex::new(HashMap::new()),
            in_flight: Mutex::new(VecDeque::new()),
            failure,
        })
    }

    /// What is bound in place of an operand that is absent.
    pub(super) fn empty(&self) -> &Buffer {
        &self.empty
    }

    /// Fails if the device was lost or ran out of memory since it was created.
    pub(super) fn health(&self, operation: &'static str) -> Result<()> {
        match lock(&self.failure).clone() {
            None => Ok(()),
            Some(Failure::Lost(reason)) => Err(Error::DeviceLost { reason }),
            Some(Failure::Memory(reason)) => Err(Error::OutOfMemory { operation, reason }),
        }
    }

    /// Runs `work` and returns the first error that wgpu finds in it.
    pub(super) fn scoped<T>(&self, operation: &'static str, work: impl FnOnce() -> T) -> Result<T> {
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = work();
        let found = [validation.pop(), memory.pop(), internal.pop()].map(pollster::block_on);
        // A lost device also fails validation: its own message says more.
        self.health(operation)?;
        match found.into_iter().flatten().next() {
            None => Ok(result),
            Some(wgpu::Error::OutOfMemory { source }) => {
                Err(Error::OutOfMemory { operation, reason: source.to_string() })
            }
            Some(wgpu::Error::Validation { description, .. }) => {
                Err(Error::Shader { kernel: operation, diagnostic: description })
            }
            Some(wgpu::Error::Internal { description, .. }) => Err(Error::DeviceLost { reason: description }),
        }
    }

    /// Takes a buffer for storage of at least `bytes`.
    pub(super) fn storage(&self, operation: &'static str, bytes: u64) -> Result<Buffer> {
        let size = bytes.next_multiple_of(16).max(16);
        if size > self.max_binding {
            return Err(Error::TooLarge { operation, bytes, limit: self.max_binding });
        }
        self.scoped(operation, || self.pool.take(Use::Storage, size))
    }

    /// Submits commands, after which at most a few earlier submissions are under way. Returns what to wait for.
    pub(super) fn submit(&self, commands: Option<wgpu::CommandBuffer>) -> Result<wgpu::SubmissionIndex> {
        let index = self.queue.submit(commands);
        let mut in_flight = lock(&self.in_flight);
        in_flight.push_back(index.clone());
        let oldest = if in_flight.len() > IN_FLIGHT { in_flight.pop_front() } else { None };
        drop(in_flight);
        oldest.map_or(Ok(()), |index| self.wait(Some(index)))?;
        Ok(index)
    }

    /// Waits for one submission, or for all of them.
    pub(super) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        match self.device.poll(wgpu::PollType::Wait { submission_index, timeout: Some(PATIENCE) }) {
            Ok(_) => self.health("wait"),
            Err(error) => {
                self.health("wait")?;
                Err(Error::DeviceLost { reason: error.to_string() })
            }
        }
    }
}

impl Drop for Context {
    /// What the device did is known when everything that it was asked for is done.
    fn drop(&mut self) {
        if let Some(profiler) = &self.profiler
            && let Err(error) = profiler.finish(&self.device, &self.queue)
        {
            tracing::warn!(%error, "no timestamps of the device");
        }
    }
}

/// Locks a mutex whose data stay valid when a thread panics while holding it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
