//! Structured pruning: whole units go.

mod convolutions;
mod plans;
