//! `tropix zonotope`.

use std::path::PathBuf;

use clap::Args;

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::DATA)]
pub(crate) struct BodyArgs {
    /// Architecture of a model, where names and shapes do not tell it
    #[arg(long, value_name = "TOML")]
    pub(crate) arch: Option<PathBuf>,
    /// Hidden layer of a model; the last one by default
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,
    /// Smallest class weights that keep the decision boundary
    ///
    /// Instead of those of the paper.
    #[arg(long)]
    pub(crate) minimal: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct ZonotopeArgs {
    /// Generators such as [[1,0],[1,1]], a .json or .csv file of them, or a model
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// Class of a model
    #[arg(long, help_heading = heading::DATA, default_value_t = 0, value_name = "NUMBER", value_parser = super::count)]
    pub(crate) class: usize,
    /// Evaluate the support function in this direction; may be repeated
    #[arg(long, value_name = "X,Y,..", allow_hyphen_values = true, value_parser = vector)]
    pub(crate) support: Vec<Vector>,
    /// Tell whether this point is inside; may be repeated
    #[arg(long, value_name = "X,Y,..", allow_hyphen_values = true, value_parser = vector)]
    pub(crate) contains: Vec<Vector>,
    /// Vertices by at most so many random directions, instead of all
    #[arg(long, value_name = "DIRECTIONS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: Option<u64>,
    /// No vertices
    #[arg(long, conflicts_with = "sample")]
    pub(crate) no_vertices: bool,
    /// Megabytes that vertices may take
    #[arg(long, default_value_t = 1024, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_memory: u64,
    /// Draw the zonotope, or its shadow on its two principal axes
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
}

/// Numbers separated by commas.
#[derive(Debug, Clone)]
pub(crate) struct Vector(pub(crate) Vec<f64>);

fn vector(text: &str) -> Result<Vector, String> {
    let number = |entry: &str| match entry.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{entry}` is not a finite number")),
    };
    text.split(',').map(number).collect::<Result<_, _>>().map(Vector)
}
