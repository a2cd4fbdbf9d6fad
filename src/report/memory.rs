//! How much memory the process takes.

/// The peak resident set of this process in bytes, mapped files included; `None` where the system does not tell.
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    status("VmHWM:")
}

/// The resident set of this process in bytes now; `None` where the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    status("VmRSS:")
}

/// Lets the peak begin anew at the memory of now; whether the system did so.
#[must_use]
pub fn reset_peak() -> bool {
    // Linux: writing 5 resets the high-water mark and nothing else.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
