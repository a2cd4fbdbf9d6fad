//! Weights that are stored as integers, read as the floats that they stand for: `DequantizeLinear` of constants.

use std::collections::{HashMap, HashSet};

use super::data::Files;
use super::prepare::reads;
use super::proto::{self, data_type};
use crate::error::Result;

/// Puts in place of every `DequantizeLinear` of constants the floats that it gives: `(x - zero point) * scale`, one scale for
/// all or one for each place of an axis. Scales of blocks, integers of four bits and scales of other floats stay as they are.
pub(super) fn dequantize(graph: &mut proto::Graph, files: &mut Files) -> Result<()> {
    let mut constants: HashMap<String, proto::Tensor> = HashMap::new();
    for node in graph.node.iter().filter(|node| node.op_type() == "Constant") {
        let tensor = node.attribute.first().and_then(|attribute| attribute.t.clone());
        constants.extend(node.output.first().cloned().zip(tensor));
    }
    let wanted: HashSet<&String> =
        graph.node.iter().filter(|node| node.op_type() == "DequantizeLinear").flat_map(|node| &node.input).collect();
    let stored = graph.initializer.iter().filter(|tensor| wanted.contains(&tensor.name.clone().unwrap_or_default()));
    constants.extend(stored.map(|tensor| (tensor.name().to_owned(), tensor.clone())));
    let mut floats = Vec::new();
    for (at, node) in graph.node.iter().enumerate().filter(|(_, node)| node.op_type() == "DequantizeLinear") {
        let given = |input: usize| node.input.get(input).filter(|name| !name.is_empty());
        let constant = |input: usize| given(input).and_then(|name| constants.get(name));
        let blocks = node.attribute("block_size").is_some_and(|attribute| attribute.i() != 0);
        let (Some(values), Some(scale), false) = (constant(0), constant(1), blocks) else { continue };
        if given(2).is_some() && constant(2).is_none() {
            continue;
        }
        let axis = node.attribute("axis").map_or(1, proto::Attribute::i);
        let Some(output) = node.output.first() else { continue };
        if let Some(tensor) = Quantized::of(files, values, scale, constant(2), axis)? {
            floats.push((at, tensor.floats(output)));
        }
    }
    // Integers and scales that nothing else reads go with their nodes.
    let gone: HashSet<usize> = floats.iter().map(|(at, _)| *at).collect();
    let places = |of_gone: bool| -> HashSet<String> {
        let nodes = graph.node.iter().enumerate().filter(|(at, _)| gone.contains(at) == of_gone);
        nodes.flat_map(|(_, node)| reads(node)).collect()
    };
    let (read, unread) = (places(false), places(true));
    let lives = |name: &str| read.contains(name) || !unread.contains(name);
    let outputs: HashSet<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    graph.initializer.retain(|tensor| lives(tensor.name()) || outputs.contains(tensor.name()));
    graph.input.retain(|input| lives(input.name()));
    let mut at = 0;
    graph.node.retain(|node| {
        at += 1;
        let constant = node.op_type() == "Constant" && node.output.iter().all(|output| !lives(output));
        !gone.contains(&(at - 1)) && !constant
    });
    graph.initializer.extend(floats.into_iter().map(|(_, tensor)| tensor));
    Ok(())
}

/// Integers with their scales and zero points, spread over the places of an axis.
struct Quantized {
    dims: Vec<i64>,
    values: Vec<i32>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
    /// Elements behind the axis, and its length.
    after: usize,
    length: usize,
}

impl Quantized {
    fn of(
        files: &mut Files,
        values: &proto::Tensor,
        scale: &proto::Tensor,
        zero: Option<&proto::Tensor>,
        axis: i64,
    ) -> Result<Option<Self>> {
        let zeros = match zero {
            Some(zero) => integers(files, zero)?,
            None => Some(vec![0]),
        };
        let (Some(own), Some(scales), Some(zeros)) = (integers(files, values)?, floats(files, scale)?, zeros) else {
            return Ok(None);
        };
        let dims = &values.dims;
        let rank = i64::try_from(dims.len()).unwrap_or(0);
        let axis = if axis < 0 { axis + rank } else { axis };
        let size = |dims: &[i64]| {
            let mut lengths = dims.iter().map(|length| usize::try_from(*length).ok());
            lengths.try_fold(1_usize, |size, length| size.checked_mul(length?))
        };
        let axis = usize::try_from(axis).unwrap_or(usize::MAX);
        let spread = scales.len() > 1;
        let fits = match dims.get(axis) {
            Some(length) if spread => usize::try_from(*length) == Ok(scales.len()),
            _ => scales.len() == 1,
        };
        if !fits || !(zeros.len() == 1 || zeros.len() == scales.len()) || Some(own.len()) != size(dims) {
            return Ok(None);
        }
        let after = if spread { size(&dims[axis + 1..]).unwrap_or(1) } else { 1 };
        Ok(Some(Self { dims: dims.clone(), values: own, length: scales.len(), scales, zeros, after }))
    }

    fn floats(self, name: &str) -> proto::Tensor {
        let value = |(at, value): (usize, &i32)| {
            let place = at / self.after.max(1) % self.length;
            let zero = self.zeros[if self.zeros.len() > 1 { place } else { 0 }];
            #[expect(clippy::cast_precision_loss, reason = "the operator computes in f32")]
            let steps = value.wrapping_sub(zero) as f32;
            steps * self.scales[place]
        };
        proto::Tensor {
            float_data: self.values.iter().enumerate().map(value).collect(),
            dims: self.dims.clone(),
            data_type: Some(data_type::FLOAT),
            name: Some(name.to_owned()),
            ..proto::Tensor::default()
        }
    }
}

/// Integers of 8, 16 or 32 bits; none of other types.
fn integers(files: &mut Files, tensor: &proto::Tensor) -> Result<Option<Vec<i32>>> {
    let kind = tensor.data_type();
    if !matches!(kind, 2..=6) {
        return Ok(None);
    }
    let Some(raw) = files.raw(tensor)? else { return Ok(Some(tensor.int32_data.clone())) };
    Ok(match kind {
        2 => Some(raw.iter().map(|byte| i32::from(*byte)).collect()),
        3 => Some(raw.iter().map(|byte| i32::from(byte.cast_signed())).collect()),
        4 => halves(&raw, |bytes| i32::from(u16::from_le_bytes(bytes))),
        5 => halves(&raw, |bytes| i32::from(i16::from_le_bytes(bytes))),
        _ => {
            let (chunks, rest) = raw.as_chunks::<4>();
            rest.is_empty().then(|| chunks.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
        }
    })
}

/// Integers of two bytes each.
fn halves(raw: &[u8], value: fn([u8; 2]) -> i32) -> Option<Vec<i32>> {
    let (chunks, rest) = raw.as_chunks::<2>();
    rest.is_empty().then(|| chunks.iter().map(|bytes| value(*bytes)).collect())
}

/// Floats of single precision; none of other types.
fn floats(files: &mut Files, tensor: &proto::Tensor) -> Result<Option<Vec<f32>>> {
    if tensor.data_type() != data_type::FLOAT {
        return Ok(None);
    }
    let Some(raw) = files.raw(tensor)? else { return Ok(Some(tensor.float_data.clone())) };
    let (chunks, rest) = raw.as_chunks::<4>();
    Ok(rest.is_empty().then(|| chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn tensor(name: &str, kind: i32, dims: &[i64], values: &[i32]) -> proto::Tensor {
        proto::Tensor {
            name: Some(name.to_owned()),
            data_type: Some(kind),
            dims: dims.to_vec(),
            int32_data: values.to_vec(),
            ..proto::Tensor::default()
        }
    }

    fn floats(name: &str, values: &[f32]) -> proto::Tensor {
        let dims = if values.len() > 1 { vec![i64::try_from(values.len()).unwrap()] } else { Vec::new() };
        let (name, float_data, data_type) = (Some(name.to_owned()), values.to_vec(), Some(data_type::FLOAT));
        proto::Tensor { name, dims, data_type, float_data, ..proto::Tensor::default() }
    }

    fn node(kind: &str, inputs: &[&str], output: &str, axis: i64) -> proto::Node {
        let attribute = vec![proto::Attribute { i: Some(axis), name: Some("axis".to_owned()), ..Default::default() }];
        proto::Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            op_type: Some(kind.to_owned()),
            attribute,
            ..proto::Node::default()
        }
    }

    #[test]
    fn integers_with_scales_by_hand() {
        let mut graph = proto::Graph {
            initializer: vec![
                tensor("rows", 3, &[2, 3], &[1, 2, 3, -4, -5, -6]),
                floats("scales", &[0.5, 2.0]),
                tensor("columns", 2, &[2, 2], &[10, 20, 30, 40]),
                tensor("zeros", 2, &[2], &[10, 20]),
                floats("one", &[0.25]),
                tensor("many", 6, &[3], &[-8, 0, 400]),
            ],
            node: vec![
                node("DequantizeLinear", &["rows", "scales"], "a", -2),
                node("DequantizeLinear", &["columns", "scales", "zeros"], "b", 1),
                node("DequantizeLinear", &["many", "one", ""], "c", 1),
                // What flows stays, and what it reads.
                node("DequantizeLinear", &["flow", "one"], "d", 1),
                // One scale for two rows of a block of three fits no axis.
                node("DequantizeLinear", &["rows", "three"], "e", 1),
            ],
            ..proto::Graph::default()
        };
        graph.initializer.push(floats("three", &[1.0, 1.0, 1.0, 1.0]));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a file").unwrap();
        let mut files = Files::open(file.path()).unwrap();
        dequantize(&mut graph, &mut files).unwrap();
        let value = |name: &str| {
            let found = graph.initializer.iter().find(|tensor| tensor.name() == name).unwrap();
            (found.dims.clone(), found.float_data.clone())
        };
        assert_eq!(value("a"), (vec![2, 3], vec![0.5, 1.0, 1.5, -8.0, -10.0, -12.0]));
        assert_eq!(value("b"), (vec![2, 2], vec![0.0, 0.0, 10.0, 40.0]));
        assert_eq!(value("c"), (vec![3], vec![-2.0, 0.0, 100.0]));
        let left: Vec<&str> = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        assert_eq!(left, ["d", "e"]);
        let stored: Vec<&str> = graph.initializer.iter().map(proto::Tensor::name).collect();
        assert_eq!(stored, ["rows", "one", "three", "a", "b", "c"]);
    }

    #[test]
    fn raw_bytes_have_a_sign_or_none() {
        let mut values = tensor("x", 3, &[2], &[]);
        values.raw_data = Some(vec![255, 1].into());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a file").unwrap();
        let mut files = Files::open(file.path()).unwrap();
        assert_eq!(integers(&mut files, &values).unwrap(), Some(vec![-1, 1]));
        values.data_type = Some(2);
        assert_eq!(integers(&mut files, &values).unwrap(), Some(vec![255, 1]));
        values.data_type = Some(5);
        values.dims = vec![1];
        assert_eq!(integers(&mut files, &values).unwrap(), Some(vec![511]));
        values.dims = vec![3];
        assert!(integers(&mut files, &values).is_err());
    }
}
