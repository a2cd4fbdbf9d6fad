//! Kernels: a WGSL entry point, the bindings that it declares, and the pipeline.
//!
//! Bindings are declared once, in WGSL. The host reads them back by reflection, builds the layout from them and checks
//! every launch against them.

use std::sync::Arc;
use std::time::Instant;

use naga::valid::{Capabilities, GlobalUse, ValidationFlags, Validator};
use naga::{AddressSpace, ScalarKind, StorageAccess, TypeInner};

use super::context::{Context, lock};
use crate::error::{Error, Result};

/// A WGSL module as it is written: kernel first, libraries after it, so that diagnostics carry the kernel's own lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Stem of the shader file.
    pub(super) stem: &'static str,
    /// Name of the entry point.
    pub(super) entry: &'static str,
    /// The text of the kernel and its libraries.
    pub(super) wgsl: &'static str,
    /// Whether the host proves every index and every loop bound, so that wgpu need not insert checks.
    pub(super) trusted: bool,
}

/// Values that the host fixes before a kernel is compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Constants {
    /// `const` lines appended to the module: sizes of register tiles.
    pub(super) consts: Vec<(&'static str, u32)>,
    /// Values of `override`s: sizes of workgroups.
    pub(super) overrides: Vec<(&'static str, u32)>,
    /// Libraries that are chosen for the adapter.
    pub(super) libraries: Vec<&'static str>,
    /// Whether the module uses f16.
    pub(super) half: bool,
}

impl Constants {
    /// How `shaders/pack.wgsl` stores entries.
    pub(super) fn store_packed(&mut self, half: bool) {
        self.half = half;
        self.libraries.push(if half {
            "alias Packed = f16; const LARGEST: f32 = 65504.0;"
        } else {
            "alias Packed = f32; const LARGEST: f32 = 0x1.fffffep+127f;"
        });
    }
}

/// What a kernel is cached by.
pub(super) type KernelKey = (&'static str, Constants);

/// What a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A uniform buffer of this many bytes.
    Uniform(u64),
    /// A storage buffer that is only read.
    Read(ScalarKind),
    /// A storage buffer that is written.
    Write(ScalarKind),
}

/// A buffer that an entry point uses.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) slot: u32,
    pub(super) kind: Kind,
}

/// A compiled entry point with its bindings, in the order of their slots.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) stem: &'static str,
    pub(super) entry: &'static str,
    pub(super) bindings: Vec<Binding>,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) pipeline: wgpu::ComputePipeline,
}

impl Context {
    /// Returns the kernel, compiled on first use.
    pub(super) fn kernel(&self, source: &Source, constants: Constants) -> Result<Arc<Kernel>> {
        let key = (source.entry, constants);
        if let Some(kernel) = lock(&self.kernels).get(&key) {
            return Ok(Arc::clone(kernel));
        }
        // Compiled outside of the lock: another thread may do the same work, and one of the two kernels stays.
        let kernel = Arc::new(Kernel::new(self, source, &key.1)?);
        Ok(Arc::clone(lock(&self.kernels).entry(key).or_insert(kernel)))
    }
}

impl Source {
    /// The module with its `const` lines.
    pub(super) fn module(&self, constants: &Constants) -> String {
        // On the kernel's first line, a comment: diagnostics keep its line numbers.
        let enable = if constants.half { "enable f16; " } else { "" };
        let mut text = format!("{enable}{}\n{}", self.wgsl, constants.libraries.join("\n"));
        for (name, value) in &constants.consts {
            text.push_str(&format!("\nconst {name}: u32 = {value}u;"));
        }
        // For readers of the composed module; the pipeline gets the same values.
        for (name, value) in &constants.overrides {
            text.push_str(&format!("\n// override {name} = {value}"));
        }
        text
    }
}

impl Kernel {
    fn new(context: &Context, source: &Source, constants: &Constants) -> Result<Self> {
        let begun = Instant::now();
        let text = source.module(constants);
        let bindings = reflect(source, &text)?;
        let device = &context.device;
        let entries: Vec<_> = bindings.iter().map(Binding::layout).collect();
        let overrides: Vec<_> = constants.overrides.iter().map(|(name, value)| (*name, f64::from(*value))).collect();
        let (layout, pipeline) = context.scoped(source.stem, || {
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(source.entry),
                entries: &entries,
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(source.entry),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(source.entry),
                layout: Some(&pipeline_layout),
                module: &shader(context, source, text),
                entry_point: Some(source.entry),
                compilation_options: wgpu::PipelineCompilationOptions { constants: &overrides, ..Default::default() },
                cache: context.pipelines.as_ref().map(|pipelines| &pipelines.cache),
            });
            (layout, pipeline)
        })?;
        if let Some(pipelines) = &context.pipelines {
            pipelines.grow();
        }
        let mut compiled = lock(&context.compiled);
        *compiled = (compiled.0 + 1, compiled.1 + begun.elapsed());
        drop(compiled);
        Ok(Self { stem: source.stem, entry: source.entry, bindings, layout, pipeline })
    }
}

#[expect(unsafe_code, reason = "checks in the hot loop keep drivers from unrolling register tiles")]
fn shader(context: &Context, source: &Source, text: String) -> wgpu::ShaderModule {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(source.stem), source: wgpu::ShaderSource::Wgsl(text.into()) };
    if context.checked || !source.trusted {
        return context.device.create_shader_module(descriptor);
    }
    let checks = wgpu::ShaderRuntimeChecks {
        bounds_checks: false,
        force_loop_bounding: false,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: modules marked as trusted are the contractions and `tropical_eval_narrow`. They clamp rows, columns and
    // monomials to the operands' sizes, read panels that the host pads to whole tiles, guard every store, and all their
    // loops count to a bound that is fixed before the loop. The same tests run on them with the checks on.
    unsafe { context.device.create_shader_module_trusted(descriptor, checks) }
}

impl Binding {
    fn layout(&self) -> wgpu::BindGroupLayoutEntry {
        let (ty, size) = match self.kind {
            Kind::Uniform(size) => (wgpu::BufferBindingType::Uniform, wgpu::BufferSize::new(size)),
            Kind::Read(_) => (wgpu::BufferBindingType::Storage { read_only: true }, None),
            Kind::Write(_) => (wgpu::BufferBindingType::Storage { read_only: false }, None),
        };
        wgpu::BindGroupLayoutEntry {
            binding: self.slot,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: size },
            count: None,
        }
    }
}

/// Returns the buffers that the entry point uses.
fn reflect(source: &Source, text: &str) -> Result<Vec<Binding>> {
    let wrong = |diagnostic: String| Error::Shader { kernel: source.stem, diagnostic };
    let module = naga::front::wgsl::parse_str(text).map_err(|error| wrong(error.emit_to_string(text)))?;
    let info = Validator::new(
        ValidationFlags::all(),
        Capabilities::default() | Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16,
    )
    .validate(&module)
    .map_err(|error| wrong(error.emit_to_string(text)))?;
    let entry = module
        .entry_points
        .iter()
        .position(|entry| entry.name == source.entry)
        .ok_or_else(|| wrong(format!("no entry point `{}`", source.entry)))?;
    let usage = info.get_entry_point(entry);
    let mut bindings = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        let Some(resource) = variable.binding else { continue };
        if usage[handle] == GlobalUse::empty() {
            continue;
        }
        let name = variable.name.clone().unwrap_or_default();
        let kind = match variable.space {
            AddressSpace::Uniform => {
                let size = module.types[variable.ty].inner.try_size(module.to_ctx());
                Kind::Uniform(u64::from(size.ok_or_else(|| wrong(format!("`{name}` has no fixed size")))?))
            }
            AddressSpace::Storage { access } => {
                let scalar = element(&module, variable.ty)
                    .ok_or_else(|| wrong(format!("`{name}` is not an array of scalars or vectors")))?;
                if access.contains(StorageAccess::STORE) { Kind::Write(scalar) } else { Kind::Read(scalar) }
            }
            _ => return Err(wrong(format!("`{name}` is not a buffer"))),
        };
        if resource.group != 0 {
            return Err(wrong(format!("`{name}` is not in group 0")));
        }
        bindings.push(Binding { name, slot: resource.binding, kind });
    }
    bindings.sort_by_key(|binding| binding.slot);
    Ok(bindings)
}

fn element(module: &naga::Module, array: naga::Handle<naga::Type>) -> Option<ScalarKind> {
    let TypeInner::Array { base, .. } = module.types[array].inner else { return None };
    match module.types[base].inner {
        TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. } => Some(scalar.kind),
        _ => None,
    }
}
