//! Model and data files: what is refused, what comes back, what is written.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod architecture;
mod blocks;
mod cases;
mod data;
mod files;
mod gradients;
mod graphs;
mod malformed;
mod npz;
mod onnx;
mod operators;
mod output;
mod programs;
mod round_trip;
