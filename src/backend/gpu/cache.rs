//! Compiled pipelines on disk, so that later runs start sooner. A cache that is missing, foreign or damaged costs time,
//! never a result: whatever fails here is a line in the log.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Drivers do not shrink a cache: one beyond this many bytes starts afresh.
const LARGEST: usize = 64 << 20;

/// The folder for what `tropix` keeps between runs: `TROPIX_CACHE`, which disables it if empty, else `tropix` in the
/// user's cache folder.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    folder(|name| std::env::var_os(name))
}

fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(wanted) = variable("TROPIX_CACHE") {
        return (!wanted.is_empty()).then(|| wanted.into());
    }
    // A relative path is invalid there.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(absolute("HOME")?.join(".cache"));
    let user = absolute("XDG_CACHE_HOME").or_else(|| absolute("LOCALAPPDATA")).or_else(home);
    user.map(|folder| folder.join("tropix"))
}

/// The pipelines of one adapter.
#[derive(Debug)]
pub(super) struct Pipelines {
    pub(super) cache: wgpu::PipelineCache,
    path: PathBuf,
    /// Whether pipelines of an earlier run were read.
    pub(super) warm: bool,
    /// Whether pipelines were compiled since the file was read or written.
    grown: AtomicBool,
}

impl Pipelines {
    /// Reads the cache of an adapter, where there is a folder and the adapter can use it.
    pub(super) fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo, folder: Option<&Path>) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder?.join(wgpu::util::pipeline_cache_key(adapter)?);
        let data = match fs::read(&path) {
            Ok(bytes) => verified(&bytes).map(<[u8]>::to_vec),
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "no pipeline cache");
                None
            }
        };
        tracing::debug!(path = %path.display(), bytes = data.as_ref().map_or(0, Vec::len), "pipeline cache");
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("tropix"), data: data.as_deref(), fallback: true };
        #[expect(unsafe_code, reason = "a driver trusts the contents of its cache")]
        // SAFETY: the data come from `PipelineCache::get_data`: `verified` has found the checksum that `save` wrote with
        // them, and wgpu compares adapter and driver with those that made them.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, path, warm: data.is_some(), grown: AtomicBool::new(false) })
    }

    /// Notes that a pipeline was compiled.
    pub(super) fn grow(&self) {
        self.grown.store(true, Ordering::Relaxed);
    }

    fn save(&self) -> io::Result<()> {
        let Some(data) = self.cache.get_data() else { return Ok(()) };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Write beside, then rename: another process reads the old file or the new one, never half of one.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&checksum(&data).to_le_bytes())?;
        file.write_all(&data)?;
        file.persist(&self.path)?;
        tracing::debug!(path = %self.path.display(), bytes = data.len(), "pipeline cache written");
        Ok(())
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        if self.grown.load(Ordering::Relaxed)
            && let Err(error) = self.save()
        {
            tracing::debug!(%error, path = %self.path.display(), "pipeline cache not written");
        }
    }
}

/// What follows the checksum, if it is what the checksum was made from.
fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let (sum, data) = bytes.split_first_chunk::<8>()?;
    (data.len() <= LARGEST && checksum(data).to_le_bytes() == *sum).then_some(data)
}

fn checksum(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{checksum, folder, verified};
    use crate::backend::{Backend, Gpu, GpuOptions, self_test};
    use crate::error::Error;

    #[test]
    fn the_folder_is_what_the_user_set() {
        for (set, want) in [
            (&[("TROPIX_CACHE", "here"), ("HOME", "/home/u")][..], Some("here")),
            (&[("TROPIX_CACHE", ""), ("HOME", "/home/u")], None),
            (&[("XDG_CACHE_HOME", "/cache"), ("HOME", "/home/u")], Some("/cache/tropix")),
            (&[("XDG_CACHE_HOME", "relative"), ("HOME", "/home/u")], Some("/home/u/.cache/tropix")),
            (&[], None),
        ] {
            let variable = |name: &str| set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).into());
            assert_eq!(folder(variable), want.map(PathBuf::from), "{set:?}");
        }
    }

    #[test]
    fn a_changed_byte_is_seen() {
        let mut file = checksum(b"pipelines").to_le_bytes().to_vec();
        file.extend(b"pipelines");
        assert_eq!(verified(&file), Some(&b"pipelines"[..]));
        file[12] ^= 1;
        assert_eq!(verified(&file), None);
        assert_eq!(verified(&file[..5]), None);
    }

    #[test]
    #[cfg_attr(no_adapter, ignore = "needs an adapter")]
    fn a_run_leaves_its_pipelines_and_survives_damaged_ones() -> Result<(), Error> {
        let problem = |error: std::io::Error| Error::Internal { what: error.to_string() };
        let folder = tempfile::tempdir().map_err(problem)?;
        let run = || -> Result<bool, Error> {
            let cache = Some(folder.path().to_owned());
            let gpu = Gpu::new(&GpuOptions { allow_software: true, cache, ..GpuOptions::default() })?;
            let passed = self_test(&gpu)?.iter().all(|test| test.ok);
            // Only Vulkan has such a cache.
            Ok(passed && gpu.device().backend == "vulkan")
        };
        if run()? {
            let files: Vec<_> = std::fs::read_dir(folder.path()).map_err(problem)?.flatten().collect();
            let path = files.first().map(|file| file.path()).ok_or(Error::Internal { what: "no file".to_owned() })?;
            assert_eq!(files.len(), 1);
            let written = std::fs::read(&path).map_err(problem)?;
            assert!(verified(&written).is_some());
            std::fs::write(&path, b"damaged, and longer than a checksum").map_err(problem)?;
            assert!(run()?);
            assert!(verified(&std::fs::read(&path).map_err(problem)?).is_some());
        }
        Ok(())
    }
}
