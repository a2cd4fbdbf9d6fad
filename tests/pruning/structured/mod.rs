//! Structured pruning: whole units go.

mod activations;
mod convolutions;
mod exact;
mod gaussian;
mod graphs;
mod guard;
mod leaky;
mod merging;
mod plans;
mod prior;
mod readers;
mod sm;
mod thinet;
