//! One array of `NumPy`: a magic number, a header in the syntax of Python, and the elements.

use std::io::{self, Read};

use super::rows::{Bytes, Kind, Raw};

/// Beginning of every file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Headers of numbers take about a hundred bytes; one beyond this describes something else.
const LONGEST: usize = 1 << 16;

type Result<T> = std::result::Result<T, String>;

/// Reads an array: its shape, and its elements little-endian with the last axis running fastest. Memory grows with what is
/// there, not with what the header claims.
pub(super) fn read(mut from: impl Read) -> Result<(Vec<usize>, Raw)> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "truncated".to_owned(),
        _ => error.to_string(),
    };
    let mut head = [0; 8];
    from.read_exact(&mut head).map_err(failed)?;
    let [magic @ .., version, _] = head;
    if magic != MAGIC {
        return Err("not an array in NumPy's format".to_owned());
    }
    let mut length = [0; 4];
    from.read_exact(if version == 1 { &mut length[..2] } else { &mut length[..] }).map_err(failed)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(format!("a header of {length} bytes, expected up to {LONGEST}"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text).map_err(failed)?;
    let header = Header::parse(&String::from_utf8_lossy(&text))?;

    let size = header.kind.size();
    let count = header.shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    let claimed = count.and_then(|count| count.checked_mul(size));
    let claimed = claimed.ok_or_else(|| format!("the product of shape {:?} overflows", header.shape))?;
    let mut bytes = Vec::new();
    from.take((claimed as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len().cmp(&claimed) {
        std::cmp::Ordering::Less => {
            return Err(format!(
                "truncated: shape {:?} needs {claimed} bytes, there are {}",
                header.shape,
                bytes.len()
            ));
        }
        std::cmp::Ordering::Greater => return Err(format!("bytes follow the {claimed} of shape {:?}", header.shape)),
        std::cmp::Ordering::Equal => {}
    }
    if header.big_endian {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if header.fortran {
        bytes = turned(&bytes, &header.shape, size);
    }
    Ok((header.shape, Raw { kind: header.kind, bytes: Bytes::Owned(bytes) }))
}

struct Header {
    kind: Kind,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, and nothing that is nested deeper.
    fn parse(text: &str) -> Result<Self> {
        let after = |key: &str| {
            let rest = ["'", "\""].iter().find_map(|quote| text.split_once(&format!("{quote}{key}{quote}")));
            let rest = rest.and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
            rest.map(str::trim_start).ok_or_else(|| format!("a header without `{key}`"))
        };
        let element = after("descr")?;
        let quoted = element.strip_prefix(['\'', '"']).and_then(|rest| rest.split_once(['\'', '"']));
        let Some((descr, _)) = quoted else { return Err("its elements are records, not numbers".to_owned()) };
        let kind = match descr.trim_start_matches(['|', '<', '>', '=']) {
            "b1" => Kind::Bool,
            "u1" => Kind::U8,
            "i1" => Kind::I8,
            "u2" => Kind::U16,
            "i2" => Kind::I16,
            "f2" => Kind::F16,
            "u4" => Kind::U32,
            "i4" => Kind::I32,
            "f4" => Kind::F32,
            "u8" => Kind::U64,
            "i8" => Kind::I64,
            "f8" => Kind::F64,
            _ => return Err(format!("element type `{descr}`, which is no number here")),
        };
        let fortran = after("fortran_order")?.starts_with("True");
        let shape = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let axes = shape.map(|(axes, _)| axes.split(',').map(str::trim).filter(|axis| !axis.is_empty()));
        let axes = axes.and_then(|axes| axes.map(|axis| axis.parse().ok()).collect::<Option<Vec<usize>>>());
        let shape = axes.ok_or_else(|| "a header whose `shape` is no list of lengths".to_owned())?;
        Ok(Self { kind, big_endian: descr.starts_with('>'), fortran, shape })
    }
}

/// Elements whose first axis runs fastest, in the other order.
fn turned(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = size;
    for axis in shape {
        strides.push(stride);
        stride *= axis;
    }
    let (mut out, mut index, mut at) = (Vec::with_capacity(bytes.len()), vec![0; shape.len()], 0);
    while out.len() < bytes.len() {
        out.extend_from_slice(bytes.get(at..at + size).unwrap_or_default());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}
