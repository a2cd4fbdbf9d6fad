//! Arguments of `boundary`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::geometry::clip::Bounds;
use tropix::network::Form;

use super::{DataArgs, ModelArgs, PageArgs, heading, polynomial};

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct BoundaryArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Slice through three samples of `--data`, by number
    ///
    /// For more than two inputs the default is the plane of the two principal axes.
    #[arg(long, value_name = "I,J,K", value_delimiter = ',', allow_hyphen_values = true, value_parser = super::count)]
    pub(crate) points: Vec<usize>,
    /// Rectangle to look at, in coordinates of the plane
    #[arg(long, value_name = "X0,X1,Y0,Y1", allow_hyphen_values = true, value_parser = window)]
    pub(crate) window: Option<Bounds>,
    /// Polynomial of the hypersurface that holds the boundary
    #[arg(long, value_enum, default_value_t = FormArg::Joint)]
    pub(crate) form: FormArg,
    /// The boundary between two classes only
    ///
    /// Whether or not another class is above both.
    #[arg(long, value_name = "I,J", value_delimiter = ',', allow_hyphen_values = true, value_parser = super::count)]
    pub(crate) classes: Vec<usize>,
    /// Boundary points that are tested against the hypersurface
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) samples: u32,
    /// Cells up to which a deep network is subdivided
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(crate) most_cells: u32,
    /// Classify a grid of N x N points instead of computing the boundary
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) grid: Option<u16>,
    /// Write regions, boundary, polytope and normals as a picture
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FormArg {
    /// The paper's
    Joint,
    /// Without what all classes share
    Minimal,
}

impl From<FormArg> for Form {
    fn from(value: FormArg) -> Self {
        match value {
            FormArg::Joint => Self::Joint,
            FormArg::Minimal => Self::Minimal,
        }
    }
}

fn window(text: &str) -> Result<Bounds, String> {
    match polynomial::point(text)?.0.as_slice() {
        [x0, x1, y0, y1] if x0 < x1 && y0 < y1 => Ok(Bounds { low: [*x0, *y0], high: [*x1, *y1] }),
        _ => Err("expected four numbers, X0 < X1 and Y0 < Y1".to_owned()),
    }
}
