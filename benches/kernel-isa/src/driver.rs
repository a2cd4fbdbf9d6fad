//! Compiles a module as wgpu does and hands it to the driver, which prints the machine code.

use std::collections::BTreeMap;
use std::ffi::CString;

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Compiles the entry point that bears the name of its file, up to a dot. The driver prints to standard error.
pub(crate) fn run(path: &std::path::Path, checked: bool) {
    let source = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let module =
        naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
    let name = path.file_name().and_then(|name| name.to_str()).expect("a file name in UTF-8");
    let entry = name.split('.').next().unwrap_or(name).to_owned();
    let stage = naga::ShaderStage::Compute;
    let constants = overrides(&source);
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, Some((stage, &entry)), &constants)
            .expect("overrides have values");
    let index = if checked { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    let options = spv::Options {
        lang_version: (1, 5),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BoundsCheckPolicies {
            index,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::Native,
        force_loop_bounding: checked,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: stage, entry_point: entry.clone() };
    let spirv = spv::write_vec(&module, &info, &options, Some(&pipeline)).expect("a valid module has SPIR-V");
    compile(&module, &spirv, &entry);
}

/// Values of overrides, from lines `// override NAME = VALUE` that the dump ends with.
fn overrides(source: &str) -> naga::back::PipelineConstants {
    let lines = source.lines().filter_map(|line| line.strip_prefix("// override ")?.split_once(" = "));
    lines.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

fn compile(module: &naga::Module, spirv: &[u32], entry: &str) {
    use ash::vk;
    let mut bindings: Vec<vk::DescriptorSetLayoutBinding<'_>> = Vec::new();
    let mut seen = BTreeMap::new();
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = &variable.binding else { continue };
        let kind = match variable.space {
            naga::AddressSpace::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
            _ => vk::DescriptorType::STORAGE_BUFFER,
        };
        assert!(binding.group == 0 && seen.insert(binding.binding, ()).is_none(), "one group, one buffer a slot");
        let layout = vk::DescriptorSetLayoutBinding::default().binding(binding.binding).descriptor_type(kind);
        bindings.push(layout.descriptor_count(1).stage_flags(vk::ShaderStageFlags::COMPUTE));
    }
    let name = CString::new(entry).expect("an identifier has no zero byte");
    // SAFETY: Vulkan calls in their order, on handles made here; the process ends after them without freeing any.
    unsafe {
        let vulkan = ash::Entry::load().expect("the Vulkan loader, package libvulkan1");
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        let instance = vulkan.create_instance(&create, None).expect("an instance");
        let gpu = instance.enumerate_physical_devices().expect("devices")[0];
        let priority = [1.0_f32];
        let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priority)];
        let mut features_12 = vk::PhysicalDeviceVulkan12Features::default();
        let mut features_13 = vk::PhysicalDeviceVulkan13Features::default();
        let mut features =
            vk::PhysicalDeviceFeatures2::default().push_next(&mut features_12).push_next(&mut features_13);
        instance.get_physical_device_features2(gpu, &mut features);
        let create = vk::DeviceCreateInfo::default().queue_create_infos(&queues).push_next(&mut features);
        let device = instance.create_device(gpu, &create, None).expect("a device");
        let create = vk::ShaderModuleCreateInfo::default().code(spirv);
        let shader = device.create_shader_module(&create, None).expect("a module");
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let sets = [device.create_descriptor_set_layout(&create, None).expect("a set layout")];
        let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        let layout = device.create_pipeline_layout(&create, None).expect("a layout");
        let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
        let create = vk::ComputePipelineCreateInfo::default().stage(stage.module(shader).name(&name)).layout(layout);
        device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None).expect("a pipeline");
    }
    std::process::exit(0);
}
