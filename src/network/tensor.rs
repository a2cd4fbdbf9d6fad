//! A named tensor: mapped from a file, or owned after a rewrite.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArcArray1, ArcArray2};
use rayon::prelude::*;

use super::element::{Element, decode, encode};
use super::mapping::Mapping;
use crate::backend::{RowSource, SharedValues};
use crate::error::{Error, Result};

/// Elements that are decoded, checked or written in one go.
const CHUNK: usize = 1 << 16;

/// Elements between two releases of a mapped file while all of it is scanned, so that the scan holds little memory.
const WINDOW: usize = 1 << 23;

/// Rows that are computed from other tensors when they are read, so that a rewritten layer needs no copy.
pub(crate) trait DerivedRows: Send + Sync {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2];
    /// Fills `out` with row `i`.
    fn fill(&self, i: usize, out: &mut [f32]);
    /// Releases the tensors that the rows are computed from.
    fn release(&self);
}

#[derive(Clone)]
enum Storage {
    /// Little-endian bytes of `Element` inside a mapped file.
    Mapped { map: Arc<Mapping>, bytes: Range<usize> },
    /// Values in f32, to be written as `Element`.
    Owned(ArcArray1<f32>),
    /// Rows computed from other tensors when they are read.
    Derived(Arc<dyn DerivedRows>),
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mapped { .. } => "Mapped",
            Self::Owned(_) => "Owned",
            Self::Derived(_) => "Derived",
        })
    }
}

/// A tensor of a network.
#[derive(Debug, Clone)]
pub struct Tensor {
    name: String,
    element: Element,
    shape: Vec<usize>,
    storage: Storage,
}

impl Tensor {
    /// A tensor inside a mapped file. The caller has checked that `bytes` fits the shape and the file.
    pub(crate) fn mapped(
        name: String,
        element: Element,
        shape: Vec<usize>,
        map: Arc<Mapping>,
        bytes: Range<usize>,
    ) -> Self {
        Self { name, element, shape, storage: Storage::Mapped { map, bytes } }
    }

    /// A tensor with new values, written as `element`.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the number of values is not the product of the shape, or the element is not a float.
    pub fn owned(name: &str, element: Element, shape: Vec<usize>, values: Vec<f32>) -> Result<Self> {
        if values.len() != shape.iter().product::<usize>() || !element.is_float() {
            let what = format!("`{name}`: {} values for shape {shape:?} of {}", values.len(), element.name());
            return Err(Error::Internal { what });
        }
        Ok(Self { name: name.to_owned(), element, shape, storage: Storage::Owned(values.into()) })
    }

    /// A tensor with the values of a matrix, which it shares where they lie row by row.
    ///
    /// # Errors
    ///
    /// As [`Tensor::owned`].
    pub(crate) fn sharing(name: &str, element: Element, shape: Vec<usize>, values: &ArcArray2<f32>) -> Result<Self> {
        let values =
            if values.is_standard_layout() { values.clone() } else { values.as_standard_layout().into_shared() };
        let length = values.len();
        let fits = length == shape.iter().product::<usize>() && element.is_float();
        match values.into_shape_with_order(length) {
            Ok(values) if fits => Ok(Self { name: name.to_owned(), element, shape, storage: Storage::Owned(values) }),
            _ => {
                let what = format!("`{name}`: {length} values for shape {shape:?} of {}", element.name());
                Err(Error::Internal { what })
            }
        }
    }

    /// A matrix whose rows are computed from other tensors when they are read, written as `element`.
    pub(crate) fn derived(name: &str, element: Element, rows: Arc<dyn DerivedRows>) -> Self {
        Self { name: name.to_owned(), element, shape: rows.shape().to_vec(), storage: Storage::Derived(rows) }
    }

    /// The elements as a matrix of [`Tensor::matrix_shape`]: those of a tensor that was rewritten are shared, others copied.
    pub(crate) fn matrix(&self) -> Option<ArcArray2<f32>> {
        let values = match &self.storage {
            Storage::Owned(values) => values.clone(),
            Storage::Mapped { .. } | Storage::Derived(_) => self.to_vec().into(),
        };
        values.into_shape_with_order(self.matrix_shape()).ok()
    }

    /// The same tensor under another name.
    pub(crate) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the number of elements differs.
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Self> {
        if shape.iter().product::<usize>() != self.len() {
            let what = format!("`{}` of shape {:?} in the shape {shape:?}", self.name, self.shape);
            return Err(Error::Internal { what });
        }
        Ok(Self { shape, ..self })
    }

    /// Whether the other tensor is this one: the same storage in the same shape.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same = match (&self.storage, &other.storage) {
            (Storage::Mapped { map, bytes }, Storage::Mapped { map: other, bytes: theirs }) => {
                Arc::ptr_eq(map, other) && bytes == theirs
            }
            (Storage::Owned(values), Storage::Owned(other)) => std::ptr::eq(values.as_ptr(), other.as_ptr()),
            (Storage::Derived(rows), Storage::Derived(other)) => Arc::ptr_eq(rows, other),
            _ => false,
        };
        same && self.shape == other.shape
    }

    /// Name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Element type in the file.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }

    /// Length of each axis, outermost first.
    #[must_use]
    pub fn dimensions(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in a file.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.len() * self.element.bits() / 8
    }

    /// Fills `out` with the elements from flat index `first` on, as f32. Elements that tropix does not compute with read
    /// as NaN.
    ///
    /// # Panics
    ///
    /// If `first + out.len()` exceeds the number of elements.
    pub fn read(&self, first: usize, out: &mut [f32]) {
        match &self.storage {
            Storage::Owned(values) => out.copy_from_slice(&slice(values)[first..first + out.len()]),
            Storage::Mapped { .. } if !self.element.is_float() => out.fill(f32::NAN),
            Storage::Mapped { map, bytes } => {
                let size = self.element.bits() / 8;
                let raw = &map[bytes.start + first * size..bytes.start + (first + out.len()) * size];
                decode(self.element, raw, out);
            }
            Storage::Derived(rows) => {
                let [_, columns] = rows.shape();
                let mut row = vec![0.0; columns];
                let mut done = 0;
                while done < out.len() {
                    let (i, j) = ((first + done) / columns, (first + done) % columns);
                    let count = (columns - j).min(out.len() - done);
                    rows.fill(i, &mut row);
                    out[done..done + count].copy_from_slice(&row[j..j + count]);
                    done += count;
                }
            }
        }
    }

    /// Lets the system take back the memory of a mapped tensor; it is read from the file again when it is next used.
    pub fn release(&self) {
        match &self.storage {
            Storage::Mapped { map, bytes } => map.release(bytes.clone()),
            Storage::Derived(rows) => rows.release(),
            Storage::Owned(_) => {}
        }
    }

    /// The flat index of the first element that is not finite in f32, and the number of them.
    #[must_use]
    pub fn non_finite(&self) -> Option<(usize, usize)> {
        let mut found: Option<(usize, usize)> = None;
        for start in (0..self.len()).step_by(WINDOW) {
            let end = self.len().min(start + WINDOW);
            let chunks = (end - start).div_ceil(CHUNK);
            let found_here = (0..chunks).into_par_iter().map(|chunk| self.scan(start + chunk * CHUNK, end));
            found = merge(found, found_here.reduce(|| None, merge));
            self.release();
        }
        found
    }

    fn scan(&self, first: usize, end: usize) -> Option<(usize, usize)> {
        let mut values = vec![0.0; CHUNK.min(end - first)];
        self.read(first, &mut values);
        // The sum over bits has no branch; only a chunk that holds one is searched.
        let count = values.iter().map(|value| usize::from(!value.is_finite())).sum::<usize>();
        if count == 0 {
            return None;
        }
        values.iter().position(|value| !value.is_finite()).map(|at| (first + at, count))
    }

    /// The file and the bytes of a tensor that was not rewritten.
    pub(crate) fn mapped_bytes(&self) -> Option<(Arc<Mapping>, Range<usize>)> {
        match &self.storage {
            Storage::Mapped { map, bytes } => Some((Arc::clone(map), bytes.clone())),
            Storage::Owned(_) | Storage::Derived(_) => None,
        }
    }

    /// The values of a tensor that was rewritten.
    pub(crate) fn owned_values(&self) -> Option<&[f32]> {
        match &self.storage {
            Storage::Owned(values) => Some(slice(values)),
            Storage::Mapped { .. } | Storage::Derived(_) => None,
        }
    }

    /// Writes the elements as they stand in a file. A mapped tensor is copied byte by byte.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.storage {
            Storage::Mapped { map, bytes } => {
                for start in bytes.clone().step_by(4 * WINDOW) {
                    let window = start..bytes.end.min(start + 4 * WINDOW);
                    out.write_all(&map[window.clone()])?;
                    map.release(window);
                }
                Ok(())
            }
            Storage::Owned(_) | Storage::Derived(_) => {
                let (mut values, mut encoded) = (vec![0.0; CHUNK.min(self.len())], Vec::new());
                for first in (0..self.len()).step_by(CHUNK) {
                    let values = &mut values[..CHUNK.min(self.len() - first)];
                    self.read(first, values);
                    encoded.clear();
                    encode(self.element, values, &mut encoded);
                    out.write_all(&encoded)?;
                    if (first + CHUNK).is_multiple_of(WINDOW) {
                        self.release();
                    }
                }
                self.release();
                Ok(())
            }
        }
    }

    /// All elements as f32.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.read(0, &mut values);
        values
    }

    /// Rows and columns: the first axis and the product of the others, so that a kernel has one row per output channel;
    /// a vector counts as one row.
    #[must_use]
    pub fn matrix_shape(&self) -> [usize; 2] {
        match self.shape.as_slice() {
            [rows, columns @ ..] if !columns.is_empty() => [*rows, columns.iter().product()],
            _ => [1, self.len()],
        }
    }
}

/// Owned values lie side by side.
fn slice(values: &ArcArray1<f32>) -> &[f32] {
    values.as_slice().unwrap_or_default()
}

impl SharedValues for Tensor {
    fn values(&self) -> &[f32] {
        match &self.storage {
            Storage::Owned(values) => slice(values),
            Storage::Mapped { map, bytes } if self.element == Element::F32 && cfg!(target_endian = "little") => {
                bytemuck::try_cast_slice(&map[bytes.clone()]).unwrap_or_default()
            }
            Storage::Mapped { .. } | Storage::Derived(_) => &[],
        }
    }
}

impl RowSource for Tensor {
    fn shape(&self) -> [usize; 2] {
        self.matrix_shape()
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.read(first * self.matrix_shape()[1], out);
        Ok(())
    }

    fn shared(&self) -> Option<Arc<dyn SharedValues>> {
        // Files of other programs may not align their tensors, and other element types have to be decoded.
        (self.values().len() == self.len()).then(|| Arc::new(self.clone()) as Arc<dyn SharedValues>)
    }
}

/// The first of two places and the sum of the counts; the left one comes first.
fn merge(left: Option<(usize, usize)>, right: Option<(usize, usize)>) -> Option<(usize, usize)> {
    match (left, right) {
        (Some((first, a)), Some((_, b))) => Some((first, a + b)),
        (left, right) => left.or(right),
    }
}
