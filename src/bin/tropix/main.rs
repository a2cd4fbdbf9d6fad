//! The `tropix` program.
fn main() {}
