//! The header of a safetensors file: read with every check before any tensor is touched, and written in one fixed order.
//!
//! A file is the header's length (u64, little-endian), the header (JSON: name to element type, shape and offsets, and
//! `__metadata__`), and the bytes of the tensors without holes. The `safetensors` crate accepts duplicate keys and empty
//! tensors and names no tensor in its errors, so the checks are made here; the crate then has to agree.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};

use crate::error::{Error, Result};
use crate::nesting;
use crate::network::mapping::Mapping;
use crate::network::{Element, Tensor};

/// Longest header, as in the `safetensors` crate.
const LONGEST: u64 = 100_000_000;
/// Bytes of the header's length.
const PREFIX: usize = 8;
/// The header's entry that is not a tensor.
const METADATA: &str = "__metadata__";

/// A file: its tensors in the order of their bytes, and its metadata.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Maps a safetensors file and checks its header.
pub(crate) fn open(path: &Path) -> Result<File> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let map = Arc::new(Mapping::open(path)?);
    let (header, start) = split(&map).map_err(refused)?;
    let text = std::str::from_utf8(header).map_err(|error| refused(format!("header is not UTF-8: {error}")))?;
    nesting::check(header, nesting::DEEPEST).map_err(|problem| refused(format!("header: {problem}")))?;
    let header: Header = serde_json::from_str(text).map_err(|error| refused(format!("header: {error}")))?;
    let mut entries = header.tensors;
    entries.sort_by_key(|entry| entry.1.data_offsets);
    let mut tensors = Vec::with_capacity(entries.len());
    let mut end = 0;
    for (name, info) in entries {
        let (element, bytes) = check(&info, &mut end, map.len() - start)
            .map_err(|problem| refused(format!("tensor `{name}`: {problem}")))?;
        let bytes = start + bytes.start..start + bytes.end;
        tensors.push(Tensor::mapped(name, element, info.shape, Arc::clone(&map), bytes));
    }
    if end != map.len() - start {
        let after = map.len() - start - end;
        return Err(refused(format!("{after} bytes after the last tensor belong to no tensor")));
    }
    SafeTensors::read_metadata(&map).map_err(|error| refused(error.to_string()))?;
    Ok(File { tensors, metadata: header.metadata })
}

/// The bytes of the header, and where the tensors begin.
fn split(map: &[u8]) -> std::result::Result<(&[u8], usize), String> {
    let Some((prefix, rest)) = map.split_first_chunk::<PREFIX>() else {
        return Err(format!("{} bytes are too few for a safetensors file", map.len()));
    };
    let claimed = u64::from_le_bytes(*prefix);
    if claimed > LONGEST {
        return Err(format!(
            "header claims {claimed} bytes, more than the {LONGEST} allowed; is this a safetensors file?"
        ));
    }
    let header = usize::try_from(claimed).ok().and_then(|length| rest.get(..length));
    let header = header
        .ok_or(format!("truncated: header claims {claimed} bytes, {} follow; copy or save it again", rest.len()))?;
    Ok((header, PREFIX + header.len()))
}

/// Checks one entry against its neighbour, which ends at `end`, and the `available` bytes.
fn check(info: &Info, end: &mut usize, available: usize) -> std::result::Result<(Element, Range<usize>), String> {
    let (first, last) = info.data_offsets;
    let name: StrDeserializer<'_, NameError> = info.dtype.as_str().into_deserializer();
    let element = Dtype::deserialize(name).ok().and_then(element);
    let element = element.ok_or_else(|| format!("unknown element type `{}`", info.dtype))?;
    let shape = &info.shape;
    let bits = shape.iter().try_fold(element.bits(), |product, axis| product.checked_mul(*axis));
    let bits = bits.ok_or_else(|| format!("the product of shape {shape:?} overflows"))?;
    if last < first {
        return Err(format!("offsets [{first}, {last}] are reversed"));
    }
    if bits % 8 != 0 || bits / 8 != last - first {
        let needs = bits.div_ceil(8);
        return Err(format!(
            "shape {shape:?} of {} needs {needs} bytes, offsets give {}",
            element.name(),
            last - first
        ));
    }
    match first.cmp(end) {
        std::cmp::Ordering::Less => {
            return Err(format!("overlaps the tensor before it: begins at {first}, that one ends at {end}"));
        }
        std::cmp::Ordering::Greater => return Err(format!("hole of {} bytes before it", first - *end)),
        std::cmp::Ordering::Equal => {}
    }
    if last > available {
        return Err(format!("truncated: ends at byte {last}, the file holds {available}; copy or save it again"));
    }
    *end = last;
    Ok((element, first..last))
}

fn element(dtype: Dtype) -> Option<Element> {
    let name = match dtype {
        Dtype::F64 => return Some(Element::F64),
        Dtype::F32 => return Some(Element::F32),
        Dtype::F16 => return Some(Element::F16),
        Dtype::BF16 => return Some(Element::Bf16),
        Dtype::BOOL => "BOOL",
        Dtype::F4 => "F4",
        Dtype::F6_E2M3 => "F6_E2M3",
        Dtype::F6_E3M2 => "F6_E3M2",
        Dtype::U8 => "U8",
        Dtype::I8 => "I8",
        Dtype::F8_E5M2 => "F8_E5M2",
        Dtype::F8_E4M3 => "F8_E4M3",
        Dtype::F8_E8M0 => "F8_E8M0",
        Dtype::F8_E4M3FNUZ => "F8_E4M3FNUZ",
        Dtype::F8_E5M2FNUZ => "F8_E5M2FNUZ",
        Dtype::I16 => "I16",
        Dtype::U16 => "U16",
        Dtype::I32 => "I32",
        Dtype::U32 => "U32",
        Dtype::C64 => "C64",
        Dtype::I64 => "I64",
        Dtype::U64 => "U64",
        _ => return None,
    };
    Some(Element::Opaque { name, bits: dtype.bitsize() })
}

/// Length and header for these tensors, written one after the other in this order, padded to a multiple of 8 bytes.
pub(crate) fn encode(tensors: &[&Tensor], metadata: &BTreeMap<String, String>) -> serde_json::Result<Vec<u8>> {
    let mut entries = Vec::with_capacity(tensors.len() + 1);
    if !metadata.is_empty() {
        entries.push(format!("\"{METADATA}\":{}", serde_json::to_string(metadata)?));
    }
    let mut end = 0;
    for tensor in tensors {
        let first = end;
        end += tensor.byte_len();
        let (name, shape) = (serde_json::to_string(tensor.name())?, serde_json::to_string(tensor.dimensions())?);
        let dtype = tensor.element().name();
        entries.push(format!("{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{first},{end}]}}"));
    }
    let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    Ok(bytes)
}

/// One tensor's entry.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The header's JSON, refusing a key that occurs twice: JSON readers differ in which of the two they take.
#[derive(Default)]
struct Header {
    tensors: Vec<(String, Info)>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Header;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
        let mut header = Header::default();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("duplicate key: tensor `{key}` occurs twice")));
            }
            let within = |error: A::Error| A::Error::custom(format!("tensor `{key}`: {error}"));
            if key == METADATA {
                header.metadata = map.next_value::<Strings>().map_err(within)?.0;
            } else {
                let info = map.next_value::<Info>().map_err(within)?;
                header.tensors.push((key, info));
            }
        }
        Ok(header)
    }
}

/// `__metadata__`: strings under keys that occur once.
pub(super) struct Strings(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Strings;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Strings, A::Error> {
                let mut strings = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if strings.contains_key(&key) {
                        return Err(A::Error::custom(format!("duplicate key `{key}`")));
                    }
                    strings.insert(key, value);
                }
                Ok(Strings(strings))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
