//! What joins two numbers, and what is made of the entries of a row.

use crate::error::{Error, Result};

/// What [`Backend::combine`](super::Backend::combine) makes of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `b - a`.
    SubtractFrom,
    /// `a b`.
    Multiply,
    /// `a / b`, `b` not 0.
    Divide,
    /// `b / a`, `a` not 0.
    DivideInto,
    /// `max(a, b)`.
    Max,
    /// `min(a, b)`.
    Min,
}

/// What [`Backend::reduce_rows`](super::Backend::reduce_rows) makes of the entries of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// `sum_j x_j`.
    Sum,
    /// `sum_j x_j / m`.
    Mean,
    /// `max_j x_j`.
    Max,
    /// `min_j x_j`.
    Min,
    /// `sum_j x_j^2`.
    Squares,
}

/// What [`Backend::normalize_rows`](super::Backend::normalize_rows) makes of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowNorm {
    /// `exp(x_j) / sum_l exp(x_l)`.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// `(x_j - m) / sqrt(v + epsilon)` with the mean `m` and the variance `v = sum_l (x_l - m)^2 / d`.
    Standard {
        /// Above 0.
        epsilon: f32,
    },
    /// `x_j / sqrt(sum_l x_l^2 / d + epsilon)`.
    RootMeanSquare {
        /// Above 0.
        epsilon: f32,
    },
}

impl Combination {
    /// How the kernel calls it.
    pub(super) fn code(self) -> u32 {
        self as u32
    }

    /// Its value in f64.
    #[must_use]
    pub fn at(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::SubtractFrom => b - a,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::DivideInto => b / a,
            Self::Max => a.max(b),
            Self::Min => a.min(b),
        }
    }
}

impl Reduction {
    /// How the kernel calls it.
    pub(super) fn code(self) -> u32 {
        self as u32
    }
}

impl RowNorm {
    /// How the kernel calls it, and its parameter.
    pub(super) fn code(self) -> (u32, f32) {
        match self {
            Self::Softmax => (0, 0.0),
            Self::LogSoftmax => (1, 0.0),
            Self::Standard { epsilon } => (2, epsilon),
            Self::RootMeanSquare { epsilon } => (3, epsilon),
        }
    }

    /// The norm, if its parameter is one.
    pub(crate) fn checked(self) -> Result<Self> {
        match self {
            Self::Standard { epsilon } | Self::RootMeanSquare { epsilon }
                if !(epsilon > 0.0 && epsilon.is_finite()) =>
            {
                Err(Error::Argument { argument: "norm", problem: format!("an epsilon of {epsilon}") })
            }
            norm => Ok(norm),
        }
    }
}
