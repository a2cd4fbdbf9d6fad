//! What the jobs of a batch share: models and data that were read, devices with their pipelines, hashes of files.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tropix::Result;
use tropix::batch::Hashes;
use tropix::network::dataset::{self, DataOptions, Dataset};
use tropix::network::format::{self, InputShape, ModelFile};

use crate::device::AnyBackend;

/// Everything that is loaded once for many jobs.
pub(crate) struct Shared {
    models: Cache<ModelFile>,
    data: Cache<Dataset>,
    devices: Cache<AnyBackend>,
    pub(crate) hashes: Hashes,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    /// With at most so many bytes of files that no job is using.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            models: Cache::new(bytes / 2),
            data: Cache::new(bytes / 2),
            devices: Cache::new(u64::MAX),
            hashes: Hashes::default(),
        }
    }

    pub(crate) fn model(&self, path: &Path, arch: Option<&Path>, shapes: &[InputShape]) -> Result<ModelFile> {
        self.models.get(format!("{path:?} {arch:?} {shapes:?}"), || {
            let model = format::load_shaped(path, arch, shapes)?;
            tracing::info!("read {}", path.display());
            let bytes = bytes_of(&model.paths);
            Ok((model, bytes))
        })
    }

    pub(crate) fn data(&self, spec: &str, options: &DataOptions) -> Result<Dataset> {
        self.data.get(format!("{spec} {options:?}"), || {
            let data = dataset::load(spec, options)?;
            tracing::info!("read {spec}");
            let bytes = bytes_of(&data.paths);
            Ok((data, bytes))
        })
    }

    pub(crate) fn device(&self, key: String, start: impl FnOnce() -> Result<AnyBackend>) -> Result<AnyBackend> {
        self.devices.get(key, || {
            let device = start()?;
            tracing::info!("started {}", device.device().name);
            Ok((device, 0))
        })
    }

    /// Lets go of all devices: one of them was lost, or has no memory left.
    pub(crate) fn forget_devices(&self) {
        self.devices.clear();
    }
}

fn bytes_of(paths: &[std::path::PathBuf]) -> u64 {
    paths.iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum()
}

/// Values by name, each made once, however many threads ask for it; the least recently used go first.
struct Cache<V> {
    entries: Mutex<Entries<V>>,
    budget: u64,
}

struct Entries<V> {
    slots: HashMap<String, Entry<V>>,
    clock: u64,
}

struct Entry<V> {
    /// Locked while the value is made, so that others wait for it.
    value: Arc<Mutex<Option<V>>>,
    bytes: u64,
    used: u64,
}

impl<V: Clone> Cache<V> {
    fn new(budget: u64) -> Self {
        Self { entries: Mutex::new(Entries { slots: HashMap::new(), clock: 0 }), budget }
    }

    fn get(&self, key: String, make: impl FnOnce() -> Result<(V, u64)>) -> Result<V> {
        let slot = {
            let mut entries = self.lock();
            entries.clock += 1;
            let used = entries.clock;
            let entry =
                entries.slots.entry(key.clone()).or_insert_with(|| Entry { value: Arc::default(), bytes: 0, used });
            entry.used = used;
            Arc::clone(&entry.value)
        };
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = value.as_ref() {
            return Ok(value.clone());
        }
        // An error is not kept: the next job may have better luck.
        let (made, bytes) = make()?;
        *value = Some(made.clone());
        drop(value);
        self.trim(&key, bytes);
        Ok(made)
    }

    /// Notes the size of a value, and lets go of old ones until all fit, but never of this one.
    fn trim(&self, key: &str, bytes: u64) {
        let mut entries = self.lock();
        if let Some(entry) = entries.slots.get_mut(key) {
            entry.bytes = bytes;
        }
        while entries.slots.values().map(|entry| entry.bytes).sum::<u64>() > self.budget {
            let others = entries.slots.iter().filter(|(other, entry)| other.as_str() != key && entry.bytes > 0);
            let Some(oldest) = others.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else { return };
            entries.slots.remove(&oldest);
        }
    }

    fn clear(&self) {
        self.lock().slots.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Entries<V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_value_is_made_once_and_the_least_recently_used_one_goes() {
        let cache = Cache::new(10);
        let made = std::cell::RefCell::new(Vec::new());
        let get = |key: &'static str| {
            let make = || {
                made.borrow_mut().push(key);
                Ok((key, 4))
            };
            assert_eq!(cache.get(key.to_owned(), make).unwrap(), key);
        };
        for key in ["a", "b", "a", "b", "a", "c", "a", "b"] {
            get(key);
        }
        assert_eq!(*made.borrow(), ["a", "b", "c", "b"]);
    }
}
