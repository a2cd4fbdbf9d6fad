//! One file per command.

pub(crate) mod attack;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod boundary;
pub(crate) mod certify;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod hausdorff;
pub(crate) mod inspect;
pub(crate) mod lottery;
pub(crate) mod man;
pub(crate) mod methods;
pub(crate) mod polynomial;
pub(crate) mod prune;
pub(crate) mod random;
pub(crate) mod sweep;
pub(crate) mod train;
pub(crate) mod zonotope;
