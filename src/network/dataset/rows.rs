//! Raw values in the element type of their file, scaled and widened row by row.

use std::ops::Range;
use std::sync::Arc;

use half::{bf16, f16};
use rayon::prelude::*;

use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::network::Normalize;
use crate::network::mapping::Mapping;

use super::extent::Extent;

/// Element types of data files, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A byte that is zero or not.
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Kind {
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Calls `each` with every element of `raw`.
    #[expect(clippy::cast_precision_loss, reason = "integers beyond 2^53 are no pixels, features or labels")]
    pub(super) fn for_each(self, raw: &[u8], mut each: impl FnMut(f64)) {
        fn chunks<const N: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; N]> {
            raw.as_chunks::<N>().0.iter().copied()
        }
        match self {
            Self::Bool => raw.iter().for_each(|v| each(f64::from(u8::from(*v != 0)))),
            Self::U8 => raw.iter().for_each(|v| each(f64::from(*v))),
            Self::I8 => chunks(raw).for_each(|v| each(f64::from(i8::from_le_bytes(v)))),
            Self::U16 => chunks(raw).for_each(|v| each(f64::from(u16::from_le_bytes(v)))),
            Self::I16 => chunks(raw).for_each(|v| each(f64::from(i16::from_le_bytes(v)))),
            Self::U32 => chunks(raw).for_each(|v| each(f64::from(u32::from_le_bytes(v)))),
            Self::I32 => chunks(raw).for_each(|v| each(f64::from(i32::from_le_bytes(v)))),
            Self::U64 => chunks(raw).for_each(|v| each(u64::from_le_bytes(v) as f64)),
            Self::I64 => chunks(raw).for_each(|v| each(i64::from_le_bytes(v) as f64)),
            Self::F16 => chunks(raw).for_each(|v| each(f64::from(f16::from_le_bytes(v)))),
            Self::Bf16 => chunks(raw).for_each(|v| each(f64::from(bf16::from_le_bytes(v)))),
            Self::F32 => chunks(raw).for_each(|v| each(f64::from(f32::from_le_bytes(v)))),
            Self::F64 => chunks(raw).for_each(|v| each(f64::from_le_bytes(v))),
        }
    }
}

/// Where raw bytes are.
#[derive(Debug)]
pub(super) enum Bytes {
    Mapped(Arc<Mapping>, Range<usize>),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map, bytes) => &map[bytes.clone()],
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Raw values, samples one after the other.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// Samples as a matrix, one row each; they are scaled as they are read. A clone shares the raw values.
#[derive(Debug, Clone)]
pub struct Inputs {
    raw: Arc<Raw>,
    /// Which of the raw samples are rows, in order; all of them if absent.
    picked: Option<Vec<usize>>,
    samples: usize,
    width: usize,
    /// Values of one channel, which stand together.
    plane: usize,
    scale: f64,
    /// Per channel: what is subtracted, and what divides.
    channels: Vec<(f64, f64)>,
}

impl Inputs {
    /// The rows of `raw`, whose length has been checked against `samples` and the shape of one `sample`.
    pub(super) fn new(raw: Raw, samples: usize, sample: &[usize], normalize: &Normalize) -> Result<Self> {
        let width: usize = sample.iter().product();
        let Normalize { scale, mean, std } = normalize;
        if !(scale.is_finite() && *scale != 0.0) {
            return Err(Error::Argument { argument: "scale", problem: format!("{scale} is no factor") });
        }
        // The channels of an image are its first axis; of a vector, each value is one.
        let most = if matches!(sample.len(), 1 | 3) { sample.first().copied().unwrap_or(1) } else { 1 };
        let one = |values: &[f64], argument, default: f64, legal: fn(f64) -> bool| -> Result<Vec<f64>> {
            if let Some(value) = values.iter().find(|value| !legal(**value)) {
                return Err(Error::Argument { argument, problem: format!("{value} is not a legal value") });
            }
            match values.len() {
                0 => Ok(vec![default]),
                1 => Ok(values.to_vec()),
                count if count == most => Ok(values.to_vec()),
                count => {
                    let problem = format!("`{argument}` has {count} values, a sample has shape {sample:?}");
                    Err(Error::Data { problem })
                }
            }
        };
        let mean = one(mean, "mean", 0.0, f64::is_finite)?;
        let std = one(std, "std", 1.0, |value| value.is_finite() && value > 0.0)?;
        let count = mean.len().max(std.len());
        let channels = mean.iter().cycle().zip(std.iter().cycle()).take(count).map(|(m, s)| (*m, *s)).collect();
        let raw = Arc::new(raw);
        Ok(Self { raw, picked: None, samples, width, plane: width / count, scale: *scale, channels })
    }

    /// The flat index of the first value that is not finite in f32, and the number of them.
    pub(super) fn non_finite(&self) -> Result<Option<(usize, usize)>> {
        let scan = |row: usize| -> Result<Option<(usize, usize)>> {
            let mut values = vec![0.0; self.width];
            self.read_rows(row, &mut values)?;
            let first = values.iter().position(|value| !value.is_finite());
            let count = values.iter().filter(|value| !value.is_finite()).count();
            Ok(first.map(|first| (row * self.width + first, count)))
        };
        let rows: Vec<_> = (0..self.samples).into_par_iter().map(scan).collect::<Result<_>>()?;
        let mut found = rows.into_iter().flatten();
        Ok(found.next().map(|(first, count)| (first, count + found.map(|(_, more)| more).sum::<usize>())))
    }

    /// Where the raw values lie.
    pub(super) fn range(&self) -> Extent {
        let row = (self.width * self.raw.kind.size()).max(1);
        let of = |bytes: &[u8]| {
            let mut range = Extent::EMPTY;
            self.raw.kind.for_each(bytes, |value| range = range.with(value));
            range
        };
        self.raw.bytes.par_chunks(row).map(of).reduce(|| Extent::EMPTY, Extent::join)
    }

    /// Some of the rows, in this order.
    pub(super) fn pick(&self, rows: &[usize]) -> Self {
        let of = |row: &usize| self.picked.as_ref().map_or(*row, |picked| picked[*row]);
        Self {
            raw: Arc::clone(&self.raw),
            picked: Some(rows.iter().map(of).collect()),
            samples: rows.len(),
            channels: self.channels.clone(),
            ..*self
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "f64 is rounded to the f32 that backends compute in")]
    fn apply(&self, value: f64, channel: (f64, f64)) -> f32 {
        ((value * self.scale - channel.0) / channel.1) as f32
    }
}

impl RowSource for Inputs {
    fn shape(&self) -> [usize; 2] {
        [self.samples, self.width]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let Some(picked) = &self.picked else { return self.read(first, out) };
        let rows = picked.get(first..).unwrap_or_default();
        out.chunks_mut(self.width.max(1)).zip(rows).try_for_each(|(out, row)| self.read(*row, out))
    }
}

impl Inputs {
    /// Fills `out` with the raw samples from `first` on, scaled.
    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let size = self.raw.kind.size();
        let start = first * self.width * size;
        let bytes = self.raw.bytes.get(start..start + out.len() * size);
        let bytes = bytes.ok_or_else(|| Error::Internal { what: format!("no row {first} of {}", self.samples) })?;
        let planes = out.chunks_mut(self.plane).zip(bytes.chunks(self.plane * size));
        for ((out, bytes), channel) in planes.zip(self.channels.iter().cycle()) {
            let mut slots = out.iter_mut();
            if self.raw.kind == Kind::U8 && out_is_long(bytes) {
                let table: [f32; 256] = std::array::from_fn(|value| {
                    self.apply(f64::from(u8::try_from(value).unwrap_or(u8::MAX)), *channel)
                });
                slots.zip(bytes).for_each(|(slot, byte)| *slot = table[usize::from(*byte)]);
                continue;
            }
            self.raw.kind.for_each(bytes, |value| {
                if let Some(slot) = slots.next() {
                    *slot = self.apply(value, *channel);
                }
            });
        }
        Ok(())
    }
}

/// Whether a table of all bytes is cheaper than the arithmetic for each.
fn out_is_long(bytes: &[u8]) -> bool {
    bytes.len() > 512
}

/// The first rows of another source.
pub struct First<'a> {
    /// The source.
    pub source: &'a dyn RowSource,
    /// How many of its rows; all of them if it has fewer.
    pub rows: usize,
}

impl RowSource for First<'_> {
    fn shape(&self) -> [usize; 2] {
        let [rows, columns] = self.source.shape();
        [rows.min(self.rows), columns]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.source.read_rows(first, out)
    }
}
