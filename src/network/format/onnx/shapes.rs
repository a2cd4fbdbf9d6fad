//! Lengths that are given for axes of inputs which a model leaves open.

use std::collections::BTreeMap;

use super::data::Files;
use super::proto;
use crate::error::Result;
use crate::network::format::InputShape;

/// Lengths behind the batch, by the name of the input. A shape without a name is that of the one input.
///
/// Each names an input and fits what that declares.
pub(super) fn given(
    graph: &proto::Graph,
    files: &Files,
    inputs: &[String],
    shapes: &[InputShape],
) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut found = BTreeMap::new();
    let list = || inputs.iter().map(|input| format!("`{input}`")).collect::<Vec<_>>().join(", ");
    for InputShape { name, axes } in shapes {
        let name = match (name, inputs) {
            (Some(name), _) if inputs.contains(name) => name,
            (Some(name), _) => return files.refused(format!("has no input `{name}`; its inputs are {}", list())),
            (None, [name]) => name,
            (None, _) => {
                return files.refused(format!("has {} inputs ({}); name the one of each shape", inputs.len(), list()));
            }
        };
        let declared = graph.input.iter().find(|input| input.name() == name).and_then(proto::ValueInfo::dims);
        if let Some(declared) = declared {
            if declared.len() != axes.len() + 1 {
                let (own, rank) = (declared.len().saturating_sub(1), axes.len());
                return files
                    .refused(format!("input `{name}` has {own} axes behind the batch, {rank} lengths are given"));
            }
            for (at, (axis, length)) in declared.iter().skip(1).zip(axes).enumerate() {
                if let Some(own) = axis.dim_value.filter(|own| *own > 0 && usize::try_from(*own) != Ok(*length)) {
                    return files.refused(format!("axis {} of input `{name}` has length {own}, not {length}", at + 1));
                }
            }
        }
        if found.insert(name.clone(), axes.clone()).is_some() {
            return files.refused(format!("two shapes are given for input `{name}`"));
        }
    }
    Ok(found)
}
