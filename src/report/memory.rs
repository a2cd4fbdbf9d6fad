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

fn status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
