//! Reads zonotopes and points from whatever an argument names.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use tropix::backend::RowSource as _;
use tropix::geometry::compare::Bodies;
use tropix::geometry::text::{Shape, parse_json, parse_rows, points_of, zonotope_of};
use tropix::network::dataset::DataOptions;
use tropix::network::{ClassWeights, Head, class_zonotopes};
use tropix::{Error, Result};

use crate::args::{BodyArgs, Globals, ModelArgs};
use crate::input;

/// What rows of numbers are where nothing else says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    Generators,
    Points,
}

/// The side that an argument names, and the files that it comes from.
pub(crate) fn read(
    globals: &Globals,
    source: &str,
    args: &BodyArgs,
    class: Option<usize>,
    rows: Rows,
) -> Result<(Bodies, Vec<PathBuf>)> {
    if source.starts_with(['[', '{']) {
        let shape = parse_json(source).map_err(|problem| Error::Argument { argument: "zonotope", problem })?;
        return Ok((bodies(shape), Vec::new()));
    }
    let (rows, name) = match source.split_once(':') {
        Some(("points", name)) => (Rows::Points, name),
        Some(("zonotope", name)) => (Rows::Generators, name),
        _ => (rows, source),
    };
    let path = Path::new(name);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    match extension.as_deref() {
        Some("json") if !name.ends_with(".index.json") => {
            let shape = parse_json(&text(globals, path)?).map_err(refused)?;
            Ok((bodies(shape), vec![path.to_owned()]))
        }
        Some("csv" | "txt" | "tsv") => {
            let table = parse_rows(&text(globals, path)?).map_err(refused)?;
            let found = match rows {
                Rows::Generators => Bodies::Zonotopes(vec![zonotope_of(&table).map_err(refused)?]),
                Rows::Points => Bodies::Points(points_of(&table).map_err(refused)?),
            };
            Ok((found, vec![path.to_owned()]))
        }
        Some("safetensors" | "json") if !source.starts_with("points:") => {
            let model = ModelArgs { model: path.to_owned(), arch: args.arch.clone() };
            let model = input::model(globals, &model)?;
            let weights = if args.minimal { ClassWeights::Minimal } else { ClassWeights::Joint };
            let zonotopes = class_zonotopes(&Head::of(&model.network)?, args.layer.as_deref(), class, weights)?;
            Ok((Bodies::Zonotopes(zonotopes), model.paths.clone()))
        }
        _ => {
            let data = input::dataset(globals, name, &DataOptions::default())?;
            globals.run.note(&data.paths);
            let [count, dimension] = data.inputs.shape();
            let mut points = Array2::<f32>::zeros((count, dimension));
            if let Some(values) = points.as_slice_mut() {
                data.inputs.read_rows(0, values)?;
            }
            Ok((Bodies::Points(points.mapv(f64::from)), data.paths))
        }
    }
}

fn bodies(shape: Shape) -> Bodies {
    match shape {
        Shape::Zonotope(zonotope) => Bodies::Zonotopes(vec![zonotope]),
        Shape::Points(points) => Bodies::Points(points),
    }
}

fn text(globals: &Globals, path: &Path) -> Result<String> {
    globals.run.note([&path.to_owned()]);
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
        std::io::ErrorKind::InvalidData => Error::Format { file: path.to_owned(), problem: "not text".to_owned() },
        _ => Error::Io { file: path.to_owned(), source },
    })
}
