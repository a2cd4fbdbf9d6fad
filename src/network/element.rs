//! Element types of weights, and their little-endian bytes.

use half::{bf16, f16};

/// The element type of a tensor in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// IEEE 754 double precision; computed in f32.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision; computed in f32, written back in f16.
    F16,
    /// bfloat16; computed in f32, written back in bf16.
    Bf16,
    /// Anything else, such as integers: kept verbatim, never computed with.
    Opaque {
        /// Name in a safetensors header, such as `I64`.
        name: &'static str,
        /// Bits of one element.
        bits: usize,
    },
}

impl Element {
    /// Bits of one element.
    #[must_use]
    pub fn bits(self) -> usize {
        match self {
            Self::F64 => 64,
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Opaque { bits, .. } => bits,
        }
    }

    /// Name in a safetensors header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Opaque { name, .. } => name,
        }
    }

    /// Whether tropix computes with it.
    #[must_use]
    pub fn is_float(self) -> bool {
        !matches!(self, Self::Opaque { .. })
    }
}

/// Decodes little-endian elements; the two slices hold the same number of them.
pub(super) fn decode(element: Element, raw: &[u8], out: &mut [f32]) {
    fn each<const N: usize>(raw: &[u8], out: &mut [f32], value: impl Fn([u8; N]) -> f32) {
        let (chunks, _) = raw.as_chunks::<N>();
        for (slot, bytes) in out.iter_mut().zip(chunks) {
            *slot = value(*bytes);
        }
    }
    match element {
        #[expect(clippy::cast_possible_truncation, reason = "f64 weights are computed in f32, with a warning at load")]
        Element::F64 => each(raw, out, |bytes| f64::from_le_bytes(bytes) as f32),
        Element::F32 => each(raw, out, f32::from_le_bytes),
        Element::F16 => each(raw, out, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Element::Bf16 => each(raw, out, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Element::Opaque { .. } => out.fill(f32::NAN),
    }
}

/// Appends `values` to `out` as little-endian elements.
pub(super) fn encode(element: Element, values: &[f32], out: &mut Vec<u8>) {
    match element {
        Element::F64 => values.iter().for_each(|v| out.extend(f64::from(*v).to_le_bytes())),
        Element::F32 => values.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Element::F16 => values.iter().for_each(|v| out.extend(f16::from_f32(*v).to_le_bytes())),
        Element::Bf16 => values.iter().for_each(|v| out.extend(bf16::from_f32(*v).to_le_bytes())),
        // `owned` and `masked` refuse these elements.
        Element::Opaque { .. } => {}
    }
}
