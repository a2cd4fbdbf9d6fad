//! Chooses a backend. A hardware adapter is taken by default, a software adapter only when it is named.

use std::sync::Arc;

use tropix::backend::{Backend, Cpu, Device, Gpu, GpuOptions, Reference, cache_folder};
use tropix::{Error, Result};

use crate::args::{DeviceChoice, Globals};
use crate::output;

/// A backend that jobs may share.
#[derive(Clone)]
pub(crate) enum AnyBackend {
    Reference(Arc<Reference>),
    Cpu(Arc<Cpu>),
    Gpu(Arc<Gpu>),
}

impl AnyBackend {
    pub(crate) fn device(&self) -> &Device {
        with_backend!(self, backend => backend.device())
    }
}

/// Runs a generic body with whichever backend was chosen.
macro_rules! with_backend {
    ($any:expr, $backend:ident => $body:expr) => {
        match $any {
            $crate::device::AnyBackend::Reference(reference) => {
                let $backend = &**reference;
                $body
            }
            $crate::device::AnyBackend::Cpu(cpu) => {
                let $backend = &**cpu;
                $body
            }
            $crate::device::AnyBackend::Gpu(gpu) => {
                let $backend = &**gpu;
                $body
            }
        }
    };
}
pub(crate) use with_backend;

pub(crate) fn choose(globals: &Globals) -> Result<AnyBackend> {
    choose_storing(globals, false)
}

/// The same with contractions that store their operands in f16, on an adapter.
pub(crate) fn choose_storing(globals: &Globals, half: bool) -> Result<AnyBackend> {
    globals.session.check()?;
    match &globals.session.shared {
        // A trace is one of a device of its own.
        Some(shared) if globals.device_trace().is_none() => {
            shared.device(format!("{:?} {half}", globals.device), || start(globals, half))
        }
        _ => start(globals, half),
    }
}

fn start(globals: &Globals, half: bool) -> Result<AnyBackend> {
    let gpu = |adapter: Option<&String>| {
        let options = GpuOptions {
            adapter: adapter.cloned(),
            cache: cache_folder(),
            half,
            trace: globals.device_trace(),
            ..GpuOptions::default()
        };
        Gpu::new(&options).map(|gpu| AnyBackend::Gpu(Arc::new(gpu)))
    };
    let backend = match &globals.device {
        DeviceChoice::Reference => AnyBackend::Reference(Arc::new(Reference::new())),
        DeviceChoice::Cpu => AnyBackend::Cpu(Arc::new(Cpu::new())),
        DeviceChoice::Gpu(name) => gpu(name.as_ref())?,
        DeviceChoice::Auto => gpu(None).or_else(|error| -> Result<AnyBackend> {
            let why = match &error {
                Error::NoAdapter { available, .. } if available.is_empty() => "no adapter at all".to_owned(),
                Error::NoAdapter { available, .. } => format!("there is {}", available.join(", ")),
                other => other.to_string(),
            };
            output::note(globals, &format!("no hardware GPU ({why}): computing on the CPU"));
            Ok(AnyBackend::Cpu(Arc::new(Cpu::new())))
        })?,
    };
    let device = backend.device();
    if device.software && matches!(backend, AnyBackend::Gpu(_)) {
        output::note(globals, &format!("`{}` is a software adapter: it runs on the CPU", device.name));
    }
    Ok(backend)
}
