//! Phases as a trace that browsers open: the JSON object form of the trace event format, one complete event per stretch
//! of a phase (`chrome://tracing`, <https://ui.perfetto.dev>, `about:profiling`).

use serde_json::{Value, json};

use crate::backend::DeviceSpan;
use crate::prune::Timing;

/// The threads on which phases of the host and kernels of a device are drawn.
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// The phases of a command, and what a device did meanwhile, as trace events in microseconds since the command began.
#[must_use]
pub fn trace_json(command: &str, timing: &Timing, device: &[DeviceSpan]) -> String {
    let name = |thread: u32, kind: &str, name: &str| json!({ "ph": "M", "pid": 1, "tid": thread, "name": kind, "args": { "name": name } });
    let mut events = vec![name(HOST, "process_name", &format!("tropix {command}")), name(HOST, "thread_name", "host")];
    if !device.is_empty() {
        events.push(name(DEVICE, "thread_name", "device"));
    }
    events.extend(device.iter().map(|span| {
        json!({
            "ph": "X",
            "pid": 1,
            "tid": DEVICE,
            "cat": "kernel",
            "name": span.kernel,
            "ts": timing.seconds_at(span.start) * 1e6,
            "dur": span.duration.as_secs_f64() * 1e6,
        })
    }));
    events.extend(timing.spans().iter().map(|span| {
        json!({
            "ph": "X",
            "pid": 1,
            "tid": HOST,
            "cat": "phase",
            "name": span.name,
            "ts": span.start * 1e6,
            "dur": (span.end - span.start) * 1e6,
        })
    }));
    let trace: Value = json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": { "command": command, "version": env!("CARGO_PKG_VERSION") },
    });
    trace.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn every_stretch_is_a_complete_event() -> serde_json::Result<()> {
        let mut timing = Timing::default();
        for phase in ["load", "say \"x\"", "load"] {
            timing.phase(phase, || ());
        }
        let span = DeviceSpan { kernel: "affine", start: Instant::now(), duration: Duration::from_micros(7) };
        let trace: Value = serde_json::from_str(&trace_json("prune", &timing, &[span]))?;
        let events = trace["traceEvents"].as_array().map(Vec::as_slice).unwrap_or_default();
        let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
        let (device, complete): (Vec<&Value>, Vec<&Value>) =
            complete.into_iter().partition(|event| event["tid"] == DEVICE);
        assert_eq!(complete.len(), 3);
        assert_eq!(complete[1]["name"], "say \"x\"");
        assert_eq!((&device[0]["name"], device[0]["dur"].as_f64()), (&json!("affine"), Some(7.0)));
        assert!(device[0]["ts"].as_f64() >= complete[2]["ts"].as_f64());
        assert!(complete.iter().all(|event| event["ts"].is_number() && event["dur"].as_f64() >= Some(0.0)));
        assert_eq!(events[0]["args"]["name"], "tropix prune");
        Ok(())
    }
}
