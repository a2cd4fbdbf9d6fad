//! `tropix hausdorff`.

use std::path::PathBuf;

use clap::Args;

use super::BodyArgs;

#[derive(Debug, Args)]
pub(crate) struct HausdorffArgs {
    /// Points (.csv, .npz, mnist:DIR, points:FILE), a zonotope (inline JSON, .json, zonotope:FILE), or a model
    pub(crate) a: String,
    /// The same of the other side
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) body: BodyArgs,
    /// One class of models; by default the hull of all classes, without their common shift
    #[arg(long, value_name = "NUMBER", value_parser = super::count)]
    pub(crate) class: Option<usize>,
    /// Only from A to B, for points
    #[arg(long)]
    pub(crate) directed: bool,
    /// Also the least distance of the shapes of mean width 1 over all rotations, for zonotopes in the plane
    #[arg(long)]
    pub(crate) rotations: bool,
    /// Random directions for the lower bound of zonotopes beyond the plane
    #[arg(long, default_value_t = 16_384, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) directions: u32,
    /// Draw both sides and the pair that attains the distance, in the plane
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
