//! The data of a tensor: raw bytes inside the mapped file, typed fields, or bytes of a file beside the model.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use prost::bytes::Bytes;

use super::proto::{self, data_type};
use crate::error::{Error, Result};
use crate::network::mapping::Mapping;
use crate::network::{Element, Tensor};

/// The model file and the files of external data that were opened.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) path: PathBuf,
    map: Arc<Mapping>,
    beside: HashMap<String, Arc<Mapping>>,
    /// Every file of external data, in the order of opening.
    pub(super) paths: Vec<PathBuf>,
}

/// Lets `Bytes` keep a map alive.
struct Owner(Arc<Mapping>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What is wrong with a tensor, inside what is wrong with a file.
type Checked<T> = Result<std::result::Result<T, String>>;

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let map = Arc::new(Mapping::open(path)?);
        Ok(Self { path: path.to_owned(), map, beside: HashMap::new(), paths: Vec::new() })
    }

    /// The bytes of the model; what is decoded from them shares them.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_owner(Owner(Arc::clone(&self.map)))
    }

    pub(super) fn refused<T>(&self, problem: String) -> Result<T> {
        Err(Error::Format { file: self.path.clone(), problem })
    }

    /// The tensor of a message, under `name`. Its bytes stay where they are unless they stand in typed fields.
    pub(super) fn tensor(&mut self, proto: &proto::Tensor, name: &str) -> Result<Tensor> {
        match self.read(proto, name) {
            Ok(Ok(tensor)) => Ok(tensor),
            Ok(Err(problem)) => self.refused(format!("initialiser `{name}`: {problem}")),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a tensor of any type; none where typed fields hold its values.
    pub(super) fn raw(&mut self, proto: &proto::Tensor) -> Result<Option<Bytes>> {
        let name = proto.name().to_owned();
        let checked = match layout(proto) {
            Ok((_, _, bytes)) if proto.data_location() == proto::EXTERNAL => {
                let found = self.external(proto, bytes)?;
                found.map(|(map, range)| Some(Bytes::copy_from_slice(&map[range])))
            }
            Ok((_, shape, bytes)) => match &proto.raw_data {
                Some(raw) if raw.len() != bytes => {
                    Err(format!("shape {shape:?} needs {bytes} bytes, the raw data hold {}", raw.len()))
                }
                raw => Ok(raw.clone()),
            },
            Err(problem) => Err(problem),
        };
        checked.or_else(|problem| self.refused(format!("initialiser `{name}`: {problem}")))
    }

    fn read(&mut self, proto: &proto::Tensor, name: &str) -> Checked<Tensor> {
        let (element, shape, bytes) = match layout(proto) {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        if proto.data_location() == proto::EXTERNAL {
            let (map, range) = match self.external(proto, bytes)? {
                Ok(found) => found,
                Err(problem) => return Ok(Err(problem)),
            };
            return Ok(Ok(Tensor::mapped(name.to_owned(), element, shape, map, range)));
        }
        if let Some(raw) = &proto.raw_data {
            if raw.len() != bytes {
                return Ok(Err(format!("shape {shape:?} needs {bytes} bytes, the raw data hold {}", raw.len())));
            }
            // The slice lies in the map: decoding shares its bytes. An empty one may lie anywhere.
            let first = (raw.as_ptr() as usize).wrapping_sub(self.map.as_ptr() as usize);
            return Ok(match first.checked_add(bytes) {
                _ if bytes == 0 => Ok(Tensor::mapped(name.to_owned(), element, shape, Arc::clone(&self.map), 0..0)),
                Some(end) if end <= self.map.len() => {
                    Ok(Tensor::mapped(name.to_owned(), element, shape, Arc::clone(&self.map), first..end))
                }
                _ => Err("its raw data lie outside the file".to_owned()),
            });
        }
        Ok(typed(proto, name, element, shape))
    }

    /// The file and range of external data: a plain relative path inside the folder of the model.
    fn external(&mut self, proto: &proto::Tensor, bytes: usize) -> Checked<(Arc<Mapping>, Range<usize>)> {
        let entry = |key: &str| proto.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value());
        let Some(location) = entry("location") else { return Ok(Err("external data without a location".to_owned())) };
        let number = |key: &str| entry(key).map(|text| text.parse::<usize>().map_err(|_| (key.to_owned(), text)));
        let (offset, length) = match (number("offset").transpose(), number("length").transpose()) {
            (Ok(offset), Ok(length)) => (offset.unwrap_or(0), length.unwrap_or(bytes)),
            (Err((key, text)), _) | (_, Err((key, text))) => {
                return Ok(Err(format!("`{key}` of its external data is `{text}`, expected a number")));
            }
        };
        if length != bytes {
            return Ok(Err(format!("needs {bytes} bytes, its external data claim {length}")));
        }
        let map = match self.beside(location)? {
            Ok(map) => map,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(match offset.checked_add(length).filter(|end| *end <= map.len()) {
            Some(end) => Ok((map, offset..end)),
            None => Err(format!("truncated: `{location}` holds {} bytes, not {offset} + {length}", map.len())),
        })
    }

    fn beside(&mut self, location: &str) -> Checked<Arc<Mapping>> {
        if let Some(map) = self.beside.get(location) {
            return Ok(Ok(Arc::clone(map)));
        }
        let relative = Path::new(location);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = folder.join(relative);
        if !plain || location.contains(['\\', ':']) || location.is_empty() {
            return Ok(Err(format!("external data in `{location}`, outside the folder of the model")));
        }
        // A link may lead outside, too.
        let inside = fs::canonicalize(&path).ok().zip(fs::canonicalize(folder).ok());
        if inside.is_some_and(|(path, folder)| !path.starts_with(folder)) {
            return Ok(Err(format!("external data in `{location}`, a link to outside the folder of the model")));
        }
        let map = Arc::new(Mapping::open(&path)?);
        self.paths.push(path);
        self.beside.insert(location.to_owned(), Arc::clone(&map));
        Ok(Ok(map))
    }
}

/// Element type, shape and number of bytes.
fn layout(proto: &proto::Tensor) -> std::result::Result<(Element, Vec<usize>, usize), String> {
    if proto.segment.is_some() {
        return Err("is a segment of a tensor, which nothing writes any more".to_owned());
    }
    let element = element(proto.data_type())?;
    let shape: std::result::Result<Vec<usize>, _> = proto.dims.iter().map(|axis| usize::try_from(*axis)).collect();
    let shape = shape.map_err(|_| format!("has shape {:?}", proto.dims))?;
    let bits = shape.iter().try_fold(element.bits(), |product, axis| product.checked_mul(*axis));
    let bits = bits.ok_or_else(|| format!("the product of shape {shape:?} overflows"))?;
    Ok((element, shape, bits.div_ceil(8)))
}

/// The element type of an ONNX data type.
pub(super) fn element(kind: i32) -> std::result::Result<Element, String> {
    let (name, bits) = match kind {
        data_type::FLOAT => return Ok(Element::F32),
        data_type::FLOAT16 => return Ok(Element::F16),
        data_type::BFLOAT16 => return Ok(Element::Bf16),
        data_type::DOUBLE => return Ok(Element::F64),
        2 => ("U8", 8),
        3 => ("I8", 8),
        4 => ("U16", 16),
        5 => ("I16", 16),
        6 => ("I32", 32),
        data_type::INT64 => ("I64", 64),
        data_type::STRING => return Err("holds strings".to_owned()),
        9 => ("BOOL", 8),
        12 => ("U32", 32),
        13 => ("U64", 64),
        14 => ("C64", 64),
        15 => ("C128", 128),
        17 => ("F8_E4M3", 8),
        18 => ("F8_E4M3FNUZ", 8),
        19 => ("F8_E5M2", 8),
        20 => ("F8_E5M2FNUZ", 8),
        21 => ("U4", 4),
        22 => ("I4", 4),
        23 => ("F4", 4),
        24 => ("F8_E8M0", 8),
        other => return Err(format!("has the unknown element type {other}")),
    };
    Ok(Element::Opaque { name, bits })
}

/// Whether an ONNX data type is one of floats.
pub(super) fn is_float(kind: i32) -> bool {
    element(kind).is_ok_and(Element::is_float)
}

/// The ONNX data type of a float element.
pub(super) fn kind(element: Element) -> i32 {
    match element {
        Element::F64 => data_type::DOUBLE,
        Element::F16 => data_type::FLOAT16,
        Element::Bf16 => data_type::BFLOAT16,
        Element::F32 | Element::Opaque { .. } => data_type::FLOAT,
    }
}

/// The values of typed fields. Integers are kept as they are: they serve as shapes and axes, see [`integers`].
fn typed(
    proto: &proto::Tensor,
    name: &str,
    element: Element,
    shape: Vec<usize>,
) -> std::result::Result<Tensor, String> {
    let halves = |value: fn(u16) -> f32| {
        let bits = proto.int32_data.iter().map(|bits| u16::try_from(*bits));
        let values: std::result::Result<Vec<f32>, _> = bits.map(|bits| bits.map(value)).collect();
        values.map_err(|_| "holds an integer that is no 16-bit pattern".to_owned())
    };
    let values = match element {
        Element::F32 => proto.float_data.clone(),
        #[expect(clippy::cast_possible_truncation, reason = "f64 weights are computed in f32, with a warning")]
        Element::F64 => proto.double_data.iter().map(|value| *value as f32).collect(),
        Element::F16 => halves(|bits| half::f16::from_bits(bits).to_f32())?,
        Element::Bf16 => halves(|bits| half::bf16::from_bits(bits).to_f32())?,
        Element::Opaque { name, .. } => {
            return Err(format!("has element type {name}; weights are F32, F16, BF16 or F64"));
        }
    };
    let needed: usize = shape.iter().product();
    if values.len() != needed {
        return Err(format!("shape {shape:?} needs {needed} values, it holds {}", values.len()));
    }
    Tensor::owned(name, element, shape, values).map_err(|error| error.to_string())
}

/// The values of a small integer tensor, such as a shape.
pub(super) fn integers(proto: &proto::Tensor) -> Option<Vec<i64>> {
    let wide = proto.data_type() == data_type::INT64;
    match &proto.raw_data {
        _ if proto.data_location() == proto::EXTERNAL => None,
        Some(raw) if wide => {
            let (chunks, rest) = raw.as_chunks::<8>();
            rest.is_empty().then(|| chunks.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
        }
        Some(raw) if proto.data_type() == 6 => {
            let (chunks, rest) = raw.as_chunks::<4>();
            rest.is_empty().then(|| chunks.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect())
        }
        None if wide => Some(proto.int64_data.clone()),
        None if proto.data_type() == 6 => Some(proto.int32_data.iter().map(|value| i64::from(*value)).collect()),
        _ => None,
    }
}
