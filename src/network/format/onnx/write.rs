//! Writes a model: messages first, data streamed behind their tensors, so that there is never a second copy of the
//! weights. Data that lay beside the model, and data too large for one message, go to a file beside the output.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::Beside;
use super::proto::{self, EXTERNAL};
use super::rewrite::Rewritten;
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::format::write::{Pending, Sink};

/// A protobuf message may take 2 GiB; beyond this the data go to a file of their own.
pub(super) const LARGEST: u64 = 2_000_000_000;
/// Data below this, such as biases and shapes, stay in the model even if others do not.
const SMALL: usize = 256;
/// Where data begin in their file, so that it can be mapped.
const PAGE: u64 = 4096;

/// The file of external data that belongs to a model.
pub(super) fn data_path(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".data");
    output.with_file_name(name)
}

/// Writes the files of a model and returns them complete, but without their names; the model last.
pub(super) fn write(rewritten: Rewritten, output: &Path, place: Beside, sink: Sink) -> Result<Vec<Pending>> {
    let Rewritten { mut model, data } = rewritten;
    let Some(mut graph) = model.graph.take() else {
        return Err(Error::Internal { what: "a model without a graph".to_owned() });
    };
    let tensors = std::mem::take(&mut graph.initializer);
    let total: u64 = data.values().map(|tensor| tensor.byte_len() as u64).sum();
    let mut pending = Vec::new();
    let mut beside = HashMap::new();
    if place == Beside::Never && total > LARGEST {
        let problem = format!("{total} bytes of weights do not fit one ONNX file, which may hold {LARGEST}");
        return Err(Error::Unsupported { problem });
    }
    if place == Beside::Always || total > LARGEST {
        let path = data_path(output);
        let mut order: Vec<usize> = data.keys().copied().filter(|at| data[at].byte_len() >= SMALL).collect();
        order.sort_unstable();
        let mut end = 0_u64;
        for at in &order {
            let first = end.next_multiple_of(PAGE);
            end = first + data[at].byte_len() as u64;
            beside.insert(*at, first);
        }
        if !order.is_empty() {
            pending.push(sink.write(&path, |out| {
                let mut end = 0;
                for at in &order {
                    let first = beside[at];
                    io::copy(&mut io::Read::take(io::repeat(0), first - end), out)?;
                    data[at].write(out)?;
                    end = first + data[at].byte_len() as u64;
                }
                Ok(())
            })?);
        }
    }
    let location = data_path(output).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let heads: Vec<(proto::Tensor, Option<&Tensor>)> = tensors
        .into_iter()
        .enumerate()
        .map(|(at, mut head)| match (data.get(&at), beside.get(&at)) {
            (None, _) => (head, None),
            (Some(tensor), None) => {
                head.external_data.clear();
                head.data_location = None;
                (head, Some(tensor))
            }
            (Some(tensor), Some(first)) => {
                let entry = |key: &str, value: String| proto::Entry { key: Some(key.to_owned()), value: Some(value) };
                head.external_data = vec![
                    entry("location", location.clone()),
                    entry("offset", first.to_string()),
                    entry("length", tensor.byte_len().to_string()),
                ];
                head.data_location = Some(EXTERNAL);
                (head, None)
            }
        })
        .collect();
    pending.push(sink.write(output, |out| stream(&model, &graph, &heads, out))?);
    Ok(pending)
}

/// The whole model in memory, data and all.
pub(super) fn encode(rewritten: Rewritten) -> Result<Vec<u8>> {
    let Rewritten { mut model, data } = rewritten;
    let Some(mut graph) = model.graph.take() else {
        return Err(Error::Internal { what: "a model without a graph".to_owned() });
    };
    let tensors = std::mem::take(&mut graph.initializer).into_iter().enumerate().map(|(at, mut head)| {
        let tensor = data.get(&at);
        if tensor.is_some() {
            head.external_data.clear();
            head.data_location = None;
        }
        (head, tensor)
    });
    let mut bytes = Vec::new();
    let written = stream(&model, &graph, &tensors.collect::<Vec<_>>(), &mut bytes);
    written.map_err(|error| Error::Internal { what: format!("a model in memory: {error}") })?;
    Ok(bytes)
}

/// Field 7 of a model, 5 of a graph and 9 of a tensor.
const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;
const RAW: u32 = 9;

fn stream(
    model: &proto::Model,
    graph: &proto::Graph,
    tensors: &[(proto::Tensor, Option<&Tensor>)],
    out: &mut dyn Write,
) -> io::Result<()> {
    let open = |field: u32, length: usize| {
        let mut bytes = Vec::new();
        encode_key(field, WireType::LengthDelimited, &mut bytes);
        encode_varint(length as u64, &mut bytes);
        bytes
    };
    // Each tensor as the bytes before its data; the length of the graph has to be known before it begins.
    let tensors: Vec<(Vec<u8>, Option<&Tensor>)> = tensors
        .iter()
        .map(|(head, data)| {
            let mut bytes = head.encode_to_vec();
            let behind = data.map_or(0, Tensor::byte_len);
            if data.is_some() {
                bytes.extend(open(RAW, behind));
            }
            let mut whole = open(INITIALIZER, bytes.len() + behind);
            whole.append(&mut bytes);
            (whole, *data)
        })
        .collect();
    let graph = graph.encode_to_vec();
    let length =
        graph.len() + tensors.iter().map(|(head, data)| head.len() + data.map_or(0, Tensor::byte_len)).sum::<usize>();
    out.write_all(&model.encode_to_vec())?;
    out.write_all(&open(GRAPH, length))?;
    out.write_all(&graph)?;
    for (head, data) in tensors {
        out.write_all(&head)?;
        if let Some(tensor) = data {
            tensor.write(out)?;
        }
    }
    Ok(())
}
