//! Phases as a trace that browsers open: the JSON object form of the trace event format, one complete event per stretch
//! of a phase (`chrome://tracing`, <https://ui.perfetto.dev>, `about:profiling`).

use serde_json::{Value, json};

use crate::prune::Timing;

/// The thread on which phases of the host are drawn; timestamps of a device get the next one.
const HOST: u32 = 1;

/// The phases of a command as trace events, in microseconds since it began.
#[must_use]
pub fn trace_json(command: &str, timing: &Timing) -> String {
    let name =
        |kind: &str, name: &str| json!({ "ph": "M", "pid": 1, "tid": HOST, "name": kind, "args": { "name": name } });
    let mut events = vec![name("process_name", &format!("tropix {command}")), name("thread_name", "host")];
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
    use super::*;

    #[test]
    fn every_stretch_is_a_complete_event() -> serde_json::Result<()> {
        let mut timing = Timing::default();
        for phase in ["load", "say \"x\"", "load"] {
            timing.phase(phase, || ());
        }
        let trace: Value = serde_json::from_str(&trace_json("prune", &timing))?;
        let events = trace["traceEvents"].as_array().map(Vec::as_slice).unwrap_or_default();
        let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
        assert_eq!(complete.len(), 3);
        assert_eq!(complete[1]["name"], "say \"x\"");
        assert!(complete.iter().all(|event| event["ts"].is_number() && event["dur"].as_f64() >= Some(0.0)));
        assert_eq!(events[0]["args"]["name"], "tropix prune");
        Ok(())
    }
}
