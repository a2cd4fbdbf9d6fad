//! `tropix hausdorff`.

use std::path::PathBuf;

use clap::Args;

use super::{BodyArgs, heading};

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct HausdorffArgs {
    /// Points, a zonotope, or a model
    ///
    /// Points: .csv, .npz, mnist:DIR, points:FILE. A zonotope: inline JSON, .json, zonotope:FILE.
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) a: String,
    /// The same of the other side
    #[arg(help_heading = heading::ARGUMENTS)]
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// One class of models; by default the hull of all classes
    ///
    /// The hull without the shift that all classes share.
    #[arg(long, value_name = "NUMBER", value_parser = super::count)]
    pub(crate) class: Option<usize>,
    /// Only from A to B, for points
    #[arg(long)]
    pub(crate) directed: bool,
    /// Also the least distance over all rotations, of shapes of mean width 1
    ///
    /// For zonotopes in the plane.
    #[arg(long)]
    pub(crate) rotations: bool,
    /// Random directions for the lower bound beyond the plane
    #[arg(long, default_value_t = 16_384, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) directions: u32,
    /// Draw both sides and the pair that attains the distance, in the plane
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
}
