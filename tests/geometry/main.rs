//! Identities of polytopes, and the values of independent programs, on every backend where they apply.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first error")]

mod harness;

mod patterns;
mod zonotopes;
