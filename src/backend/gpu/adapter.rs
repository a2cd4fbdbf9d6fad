//! Which adapters there are, and which one to take.

use serde::Serialize;

use super::GpuOptions;
use crate::error::{Error, Result};

/// What a wgpu adapter says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct AdapterSummary {
    /// Name of the adapter.
    pub name: String,
    /// Graphics API.
    pub backend: String,
    /// Type of device, such as `DiscreteGpu`.
    pub device_type: String,
    /// Whether the adapter is a software rasteriser that runs on the host processor.
    pub software: bool,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver.
    pub driver_info: String,
    /// Bytes of the largest storage binding.
    pub max_binding: u64,
    /// Bytes of the largest buffer.
    pub max_buffer: u64,
    /// Bytes of workgroup memory.
    pub max_workgroup_memory: u32,
    /// Lanes of the largest workgroup.
    pub max_workgroup_lanes: u32,
    /// Workgroups along one dimension of a dispatch.
    pub max_workgroups: u32,
}

impl AdapterSummary {
    pub(super) fn new(adapter: &wgpu::Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        Self {
            software: info.device_type == wgpu::DeviceType::Cpu,
            backend: info.backend.to_string(),
            device_type: format!("{:?}", info.device_type),
            name: info.name,
            driver: info.driver,
            driver_info: info.driver_info,
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_workgroup_lanes: limits.max_compute_invocations_per_workgroup,
            max_workgroups: limits.max_compute_workgroups_per_dimension,
        }
    }
}

/// Lists the adapters of this host that can compute, software adapters among them.
#[must_use]
pub fn adapters() -> Vec<AdapterSummary> {
    found().iter().map(AdapterSummary::new).collect()
}

/// The adapters of the first API that has any: loading a second one takes time and lists the same devices again.
fn found() -> Vec<wgpu::Adapter> {
    for backends in [wgpu::Backends::PRIMARY, wgpu::Backends::GL] {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            flags: wgpu::InstanceFlags::empty(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
        adapters.retain(|adapter| {
            adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        });
        if !adapters.is_empty() {
            return adapters;
        }
    }
    Vec::new()
}

/// Takes the adapter that is named, else the best one in hardware, else, if it is allowed, one in software.
pub(super) fn choose(options: &GpuOptions) -> Result<wgpu::Adapter> {
    let mut adapters = found();
    // Stable: among adapters of one type the order of the driver decides.
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    let available = adapters.iter().map(|adapter| adapter.get_info().name).collect();
    let fits = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        match &options.adapter {
            Some(wanted) => info.name.to_lowercase().contains(&wanted.to_lowercase()),
            None => options.allow_software || info.device_type != wgpu::DeviceType::Cpu,
        }
    };
    let wanted = options.adapter.clone().unwrap_or_else(|| "hardware adapter".to_owned());
    adapters.into_iter().find(fits).ok_or(Error::NoAdapter { wanted, available })
}
