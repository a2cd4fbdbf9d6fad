//! `tropix doctor`.

use serde::Serialize;
use tropix::Error;
use tropix::backend::Backend as _;
use tropix::backend::{
    AdapterSummary, Cpu, Device, Gpu, GpuOptions, SelfTest, StartUp, Tuning, adapters, cache_folder, self_test,
};
use tropix::prune::Timing;
use tropix::report::{SCHEMA, rows_table};

use crate::args::{DeviceChoice, DoctorArgs, Globals};
use crate::output;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    command: &'static str,
    version: &'static str,
    adapters: Vec<AdapterSummary>,
    tests: Vec<Tested>,
    ok: bool,
}

#[derive(Serialize)]
struct Tested {
    device: Device,
    /// Of an adapter, with the pipelines of the tests.
    start_up: Option<StartUp>,
    /// What `bench --tune` found on this adapter; the defaults where absent.
    tuning: Option<Tuning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    operations: Vec<SelfTest>,
}

pub(crate) fn run(globals: &Globals, _: &DoctorArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let adapters = timing.phase("list adapters", adapters);
    let mut tests = Vec::new();
    if !matches!(globals.device, DeviceChoice::Gpu(_)) {
        let cpu = Cpu::new();
        tests.push(tested(cpu.device().clone(), timing.phase("test host", || self_test(&cpu))));
    }
    let wanted = |name: &str| match &globals.device {
        DeviceChoice::Gpu(Some(part)) => name.to_lowercase().contains(&part.to_lowercase()),
        DeviceChoice::Cpu | DeviceChoice::Reference => false,
        DeviceChoice::Auto | DeviceChoice::Gpu(None) => true,
    };
    let mut names: Vec<&str> =
        adapters.iter().map(|adapter| adapter.name.as_str()).filter(|name| wanted(name)).collect();
    names.dedup();
    for name in &names {
        let options = GpuOptions {
            adapter: Some((*name).to_owned()),
            cache: cache_folder(),
            trace: globals.device_trace(),
            ..GpuOptions::default()
        };
        let gpu = timing.phase(&format!("start {name}"), || Gpu::new(&options))?;
        let operations = timing.phase(&format!("test {name}"), || self_test(&gpu));
        tests.push(Tested {
            tuning: gpu.tuning(),
            start_up: Some(gpu.start_up()),
            ..tested(gpu.device().clone(), operations)
        });
    }
    if tests.is_empty() {
        let available = adapters.iter().map(|adapter| adapter.name.clone()).collect();
        return Err(Error::NoAdapter { wanted: format!("{:?}", globals.device), available }.into());
    }
    let ok = tests.iter().all(|test| test.error.is_none() && test.operations.iter().all(|operation| operation.ok));
    let version = env!("CARGO_PKG_VERSION");
    let report = Report { schema: SCHEMA, command: "doctor", version, adapters, tests, ok };
    output::result(globals, &report, &text(&report))?;
    if ok { Ok(()) } else { Err(Error::CheckFailed { problem: "a self-test failed".to_owned() }.into()) }
}

fn tested(device: Device, operations: tropix::Result<Vec<SelfTest>>) -> Tested {
    let (error, operations) = match operations {
        Ok(operations) => (None, operations),
        Err(error) => (Some(error.to_string()), Vec::new()),
    };
    Tested { device, start_up: None, tuning: None, error, operations }
}

fn text(report: &Report) -> String {
    let mut text = rows_table(
        &["adapter", "backend", "kind", "driver", "binding limit"],
        report.adapters.iter().map(|adapter| {
            let kind = if adapter.software { "software" } else { "hardware" };
            let limit = format!("{} MiB", adapter.max_binding >> 20);
            vec![adapter.name.clone(), adapter.backend.clone(), kind.to_owned(), adapter.driver_info.clone(), limit]
        }),
    );
    if report.adapters.is_empty() {
        text = "no graphics adapter; on Debian `apt-get install mesa-vulkan-drivers` gives a software one".to_owned();
    }
    for test in &report.tests {
        let device = &test.device;
        let kind = if device.software { ", software" } else { "" };
        text.push_str(&format!("\n{} ({}{kind})\n", device.name, device.backend));
        if let Some(start_up) = &test.start_up {
            text.push_str(&format!("{start_up}\n"));
        }
        if let Some(Tuning { many_rows, few_rows }) = test.tuning {
            text.push_str(&format!("tuned: {many_rows:?} for many rows, {few_rows:?} for few\n"));
        }
        text.push_str(&rows_table(
            &["operation", "largest deviation", "tolerance", ""],
            test.operations.iter().map(|test| {
                let verdict = if test.ok { "ok" } else { "FAILED" };
                let number = |value: f64| format!("{value:.2e}");
                vec![test.operation.to_owned(), number(test.deviation), number(test.tolerance), verdict.to_owned()]
            }),
        ));
        if let Some(error) = &test.error {
            text.push_str(&format!("\n{error}"));
        }
    }
    text
}
