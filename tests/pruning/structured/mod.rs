//! Structured pruning: whole units go.

mod plans;
