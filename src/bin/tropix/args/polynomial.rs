//! Arguments of `polynomial`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tropix::tropical::Syntax;

use super::heading;

#[derive(Debug, Args)]
#[command(next_help_heading = heading::RUN)]
pub(crate) struct PolynomialArgs {
    /// Tropical `1x^2+2xy+0`, or explicit `max(2*x+1, x+y+2, 0)`
    ///
    /// In tropical notation + is the maximum, juxtaposition +, / minus, ^ times. After `--` where one begins with a minus.
    #[arg(required = true, help_heading = heading::ARGUMENTS)]
    pub(crate) expression: Vec<String>,
    /// How to read the expressions
    ///
    /// By default those that call max or min are explicit.
    #[arg(long, value_enum)]
    pub(crate) syntax: Option<SyntaxArg>,
    /// Names of the coordinates in order; by default those that occur, sorted
    #[arg(long, value_name = "X,Y,..", value_delimiter = ',')]
    pub(crate) variables: Vec<String>,
    /// Evaluate at a point, coordinates comma-separated; may be repeated
    #[arg(long, value_name = "X,Y,..", allow_hyphen_values = true, value_parser = point)]
    pub(crate) at: Vec<Point>,
    /// Write hypersurface and dual subdivision as a picture
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SyntaxArg {
    Tropical,
    Explicit,
}

impl From<SyntaxArg> for Syntax {
    fn from(value: SyntaxArg) -> Self {
        match value {
            SyntaxArg::Tropical => Self::Tropical,
            SyntaxArg::Explicit => Self::Explicit,
        }
    }
}

/// Coordinates of a point.
#[derive(Debug, Clone)]
pub(crate) struct Point(pub(crate) Vec<f64>);

pub(crate) fn point(text: &str) -> Result<Point, String> {
    let coordinate = |text: &str| match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{text}` is not a finite number")),
    };
    text.split(',').map(coordinate).collect::<Result<_, _>>().map(Point)
}
