//! The program from outside: outputs, reports, exit codes, and the command blocks of the README.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod attack;
mod bad_input;
mod batch;
mod bench;
mod boundary;
mod certify;
mod commands;
mod convolutions;
mod effects;
mod errors;
mod finetune;
mod geometry;
mod gpu;
mod help;
mod lottery;
mod nesting;
mod onnx;
mod outputs;
mod pages;
mod polynomial;
mod program;
mod readme;
mod refit;
mod spaces;
mod structured;
mod train;
