//! The headings of help, in the order in which they stand: what is asked for, how, on what, where it goes.

/// What has no name stands first, under `Arguments`.
pub(crate) const ARGUMENTS: Option<&str> = None;
/// How far to go.
pub(crate) const TARGET: &str = "Target";
/// By what means.
pub(crate) const METHOD: &str = "Method";
/// What is read beside the model.
pub(crate) const DATA: &str = "Data";
/// Inputs that are made up where there are no data.
pub(crate) const SYNTHETIC: &str = "Inputs without data";
/// Training after pruning.
pub(crate) const FINETUNING: &str = "Fine-tuning";
/// What is proved.
pub(crate) const CERTIFICATE: &str = "Certificate";
/// The settings of one method.
pub(crate) const PROTOCOL: &str = "Method `tropical`";
/// How the work is done.
pub(crate) const RUN: &str = "Run";
/// What is written.
pub(crate) const OUTPUT: &str = "Output";
/// What every command has.
pub(crate) const GLOBAL: &str = "Global";
