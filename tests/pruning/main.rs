//! Pruning on every backend: identities of problem (2), exact rates, invariances, and rewrites that keep the function.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod alternation;
mod attack;
mod certify_bounds;
mod certify_golden;
mod certify_heads;
mod curves;
mod finetune;
mod gradients;
mod networks;
mod rates;
mod rewrites;
mod sparse;
mod structured;
