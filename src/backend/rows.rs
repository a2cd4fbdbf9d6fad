//! Where matrices come from: anything that can fill rows, so that a mapped file never needs a second copy on the host.

use std::fmt::Debug;
use std::sync::Arc;

use ndarray::{ArrayBase, Data, Ix2};

use crate::error::Result;

/// Runs a loop compiled for the widest instructions of this processor, chosen at run time.
///
/// Only what is inlined here is compiled for them: the closure and what it calls have to be `#[inline(always)]`.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Values with several owners, such as those of a mapped file.
pub trait SharedValues: Debug + Send + Sync {
    /// The values, the same at every call.
    fn values(&self) -> &[f32];
}

/// A matrix that can be read row by row.
pub trait RowSource: Sync {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2];

    /// Fills `out`, whole rows in row-major order, with the rows from `first` on.
    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()>;

    /// The whole matrix as it lies in memory, row-major, where a host backend may read it in place of a copy.
    fn shared(&self) -> Option<Arc<dyn SharedValues>> {
        None
    }
}

impl<S: Data<Elem = f32> + Sync> RowSource for ArrayBase<S, Ix2> {
    fn shape(&self) -> [usize; 2] {
        [self.nrows(), self.ncols()]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let columns = self.ncols();
        if columns == 0 {
            return Ok(());
        }
        for (offset, row) in out.chunks_exact_mut(columns).enumerate() {
            let from = self.row(first + offset);
            match from.as_slice() {
                Some(from) => row.copy_from_slice(from),
                None => row.iter_mut().zip(from).for_each(|(slot, value)| *slot = *value),
            }
        }
        Ok(())
    }
}
