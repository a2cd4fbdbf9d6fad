//! A matrix in host memory.

use std::mem::take;
use std::sync::{Arc, OnceLock};

use ndarray::Array2;
use rayon::prelude::*;

use super::buffers;
use super::direct::is_direct;
use super::operand::{Columns, Order, Packed, View};
use crate::backend::{RowSource, SharedValues, Transpose};
use crate::error::{Error, Result};

/// Matrices up to this many bytes keep their packed form; larger ones are packed panel by panel inside each tile, so that
/// a weight matrix never occupies twice its size.
const KEPT_BYTES: usize = 64 << 20;

/// Bytes that one task reads from a [`RowSource`].
const READ_BYTES: usize = 4 << 20;

/// A row-major f32 matrix of [`Cpu`](super::Cpu).
#[derive(Debug)]
pub struct HostMatrix {
    shape: [usize; 2],
    values: Values,
    packed: OnceLock<Packed>,
}

#[derive(Debug)]
enum Values {
    Own(Vec<f32>),
    /// Of a mapped file: weights are read where they lie.
    Shared(Arc<dyn SharedValues>),
}

impl HostMatrix {
    fn own(shape: [usize; 2], values: Vec<f32>) -> Self {
        Self { shape, values: Values::Own(values), packed: OnceLock::new() }
    }

    /// A matrix whose values are yet to be written, every one of them.
    pub(super) fn unwritten(operation: &'static str, shape: [usize; 2]) -> Result<Self> {
        let limit = isize::MAX.unsigned_abs();
        let length = shape[0].checked_mul(shape[1]).filter(|length| *length <= limit / size_of::<f32>());
        let length = length.ok_or(Error::TooLarge { operation, bytes: u64::MAX, limit: limit as u64 })?;
        Ok(Self::own(shape, buffers::take(length)))
    }

    /// A matrix with one row.
    pub(super) fn row_vector(values: Vec<f32>) -> Self {
        Self::own([1, values.len()], values)
    }

    /// A matrix with one column.
    pub(super) fn column_vector(values: Vec<f32>) -> Self {
        Self::own([values.len(), 1], values)
    }

    /// The same entries in rows of another length.
    pub(super) fn reshaped(mut self, shape: [usize; 2]) -> Self {
        self.shape = shape;
        self.packed = OnceLock::new();
        self
    }

    pub(super) fn upload(source: &dyn RowSource) -> Result<Self> {
        if let Some(values) = source.shared() {
            return Ok(Self { shape: source.shape(), values: Values::Shared(values), packed: OnceLock::new() });
        }
        let mut matrix = Self::unwritten("upload", source.shape())?;
        let columns = matrix.shape[1].max(1);
        let rows = (READ_BYTES / size_of::<f32>() / columns).max(1);
        let chunks = matrix.values_mut().par_chunks_mut(rows * columns).enumerate();
        chunks.try_for_each(|(chunk, out)| source.read_rows(chunk * rows, out))?;
        Ok(matrix)
    }

    pub(super) fn download(&self) -> Result<Array2<f64>> {
        let values: Vec<f64> = self.values().par_iter().with_min_len(1 << 16).map(|value| f64::from(*value)).collect();
        Array2::from_shape_vec(self.shape, values).map_err(|error| Error::Internal { what: error.to_string() })
    }

    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    pub(super) fn values(&self) -> &[f32] {
        match &self.values {
            Values::Own(values) => values,
            Values::Shared(values) => values.values(),
        }
    }

    /// The values of a matrix that nothing has been computed from yet.
    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        match &mut self.values {
            Values::Own(values) => values,
            // What is shared is complete: there is nothing to write.
            Values::Shared(_) => &mut [],
        }
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values()[row * self.shape[1]..(row + 1) * self.shape[1]]
    }

    /// The rows of the matrix, or of its transpose, as an operand of the contraction.
    pub(super) fn view(&self, transpose: Transpose) -> View<'_> {
        let [rows, columns] = self.shape;
        match transpose {
            Transpose::No => View {
                values: self.values(),
                rows,
                inner: columns,
                order: Order::RowMajor,
                stride: columns,
                picked: None,
            },
            Transpose::Yes => View {
                values: self.values(),
                rows: columns,
                inner: rows,
                order: Order::ColumnMajor,
                stride: 0,
                picked: None,
            },
        }
    }

    /// The rows of the matrix as the columns of a product with `x`, packed once if that is worth the memory.
    pub(super) fn columns_for(&self, x: View<'_>) -> Columns<'_> {
        let view = self.view(Transpose::No);
        if is_direct(x, view) {
            return Columns::Direct(view);
        }
        if size_of_val(self.values()) > KEPT_BYTES {
            return Columns::Loose(view);
        }
        // Packing runs outside the lock: rayon may run a task that wants the same lock while this one waits.
        let packed = self.packed.get().unwrap_or_else(|| {
            let packed = Packed::new(view);
            self.packed.get_or_init(|| packed)
        });
        Columns::Packed(packed)
    }
}

impl Drop for HostMatrix {
    fn drop(&mut self) {
        if let Values::Own(values) = &mut self.values {
            buffers::give(take(values));
        }
    }
}
