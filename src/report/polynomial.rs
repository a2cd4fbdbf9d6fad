//! What `polynomial` reports: a polynomial with its Newton polytope, dual subdivision and hypersurface.

use ndarray::Axis;
use serde::Serialize;

use super::Heading;
use super::grid::rows_table;
use crate::error::Result;
use crate::number::{shortest, trimmed};
use crate::tropical::{
    Attainment, DualSubdivision, Piece, Polynomial, Shape, Syntax, attainment, explicit, hypersurface, monomial,
    newton_vertices, tropical,
};

/// The report of `polynomial`.
#[derive(Debug, Serialize)]
pub struct PolynomialReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// One entry for each expression.
    pub expressions: Vec<ExpressionReport>,
}

/// One expression.
#[derive(Debug, Serialize)]
pub struct ExpressionReport {
    /// The text as it was given.
    pub expression: String,
    /// How it was read.
    pub syntax: Syntax,
    /// Names of the coordinates.
    pub variables: Vec<String>,
    /// The polynomial, or the numerator of a rational function.
    pub numerator: PolynomialGeometry,
    /// The denominator of a rational function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<PolynomialGeometry>,
    /// Values at the points asked for.
    pub values: Vec<PointValue>,
}

/// The value of a function at a point.
#[derive(Debug, Serialize)]
pub struct PointValue {
    /// The point.
    pub point: Vec<f64>,
    /// The value, the f64 nearest to that of the numbers as they are written.
    pub value: f64,
    /// The value that a device computed in f32; absent on the reference and for numbers beyond f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_value: Option<f64>,
    /// The lowest monomial of the numerator that attains its maximum.
    pub monomial: usize,
    /// All of them, ascending.
    pub monomials: Vec<usize>,
    /// The same of the denominator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator_monomial: Option<usize>,
}

/// A monomial.
#[derive(Debug, Serialize)]
pub struct MonomialReport {
    /// In tropical notation.
    pub text: String,
    /// Exponent.
    pub exponent: Vec<f64>,
    /// Coefficient.
    pub coefficient: f64,
    /// Where it attains the maximum.
    pub attained: Attainment,
}

/// A polynomial and its geometry.
#[derive(Debug, Serialize)]
pub struct PolynomialGeometry {
    /// In tropical notation, equal exponents merged.
    pub tropical: String,
    /// In ordinary notation.
    pub explicit: String,
    /// Monomials in the order of the expression.
    pub monomials: Vec<MonomialReport>,
    /// Number of linear regions.
    pub regions: usize,
    /// Dimension and vertices of the Newton polytope.
    pub newton_polytope: NewtonReport,
    /// The dual subdivision.
    pub dual_subdivision: SubdivisionReport,
    /// Pieces of the hypersurface, for two variables.
    pub hypersurface: Vec<Piece>,
}

/// A Newton polytope.
#[derive(Debug, Serialize)]
pub struct NewtonReport {
    /// Its dimension.
    pub dimension: usize,
    /// Its vertices.
    pub vertices: Vec<Vec<f64>>,
}

/// A dual subdivision; numbers are those of monomials.
#[derive(Debug, Serialize)]
pub struct SubdivisionReport {
    /// Whether it is the Newton polytope itself.
    pub flat: bool,
    /// Its vertices, one for each region.
    pub vertices: Vec<usize>,
    /// Its edges.
    pub edges: Vec<[usize; 2]>,
    /// Its maximal cells, each with the point of the hypersurface that it is dual to.
    pub cells: Vec<CellReport>,
}

/// A maximal cell.
#[derive(Debug, Serialize)]
pub struct CellReport {
    /// Its vertices; counterclockwise in the plane.
    pub vertices: Vec<usize>,
    /// Where all of them attain the maximum.
    pub dual: Vec<f64>,
}

impl PolynomialGeometry {
    /// Everything about a polynomial.
    ///
    /// # Errors
    ///
    /// What [`DualSubdivision::of`] returns.
    pub fn of(polynomial: &Polynomial, names: &[String]) -> Result<(Self, DualSubdivision)> {
        let subdivision = DualSubdivision::of(polynomial)?;
        let attained = attainment(polynomial, &subdivision);
        let monomials = attained.into_iter().enumerate().map(|(i, attained)| MonomialReport {
            text: monomial(polynomial, i, names),
            exponent: polynomial.exponents().row(i).to_vec(),
            coefficient: polynomial.coefficients()[i],
            attained,
        });
        let vertices = polynomial.exponents().select(Axis(0), &newton_vertices(polynomial));
        let cells = subdivision.cells.iter();
        let geometry = Self {
            tropical: tropical(polynomial, names),
            explicit: explicit(polynomial, names),
            monomials: monomials.collect(),
            regions: subdivision.regions(),
            newton_polytope: NewtonReport {
                dimension: subdivision.rank(),
                vertices: vertices.rows().into_iter().map(|row| row.to_vec()).collect(),
            },
            dual_subdivision: SubdivisionReport {
                flat: subdivision.flat,
                vertices: subdivision.vertices.clone(),
                edges: subdivision.edges.iter().map(|edge| edge.ends).collect(),
                cells: cells
                    .map(|cell| CellReport { vertices: cell.vertices.clone(), dual: cell.dual.clone() })
                    .collect(),
            },
            hypersurface: hypersurface(polynomial, &subdivision),
        };
        Ok((geometry, subdivision))
    }
}

/// Monomials beyond which a table is cut.
const MOST_ROWS: usize = 40;

/// The report for people.
#[must_use]
pub fn polynomial_text(report: &ExpressionReport) -> String {
    let notation = match report.syntax {
        Syntax::Tropical => "tropical notation, + is max",
        Syntax::Explicit => "explicit notation",
    };
    let mut text = format!("{}  ({notation}; variables: {})", report.expression, report.variables.join(", "));
    match &report.denominator {
        None => text.push_str(&geometry_text(&report.numerator)),
        Some(denominator) => {
            text.push_str("\nnumerator");
            text.push_str(&geometry_text(&report.numerator));
            text.push_str("\ndenominator");
            text.push_str(&geometry_text(denominator));
        }
    }
    if !report.values.is_empty() {
        let rows = report.values.iter().map(|value| {
            let attained = |geometry: &PolynomialGeometry, i: usize| geometry.monomials[i].text.clone();
            let below = value.denominator_monomial.zip(report.denominator.as_ref());
            let below = below.map(|(i, geometry)| format!(" / {}", attained(geometry, i))).unwrap_or_default();
            vec![
                format!("({})", value.point.iter().map(|x| shortest(*x)).collect::<Vec<_>>().join(", ")),
                shortest(value.value),
                format!("{}{below}", attained(&report.numerator, value.monomial)),
            ]
        });
        text.push_str(&format!("\n{}", rows_table(&["point", "value", "attained by"], rows)));
    }
    text
}

fn geometry_text(geometry: &PolynomialGeometry) -> String {
    let cut = |count: usize| {
        if count > MOST_ROWS { format!("\n... {} more, all with --json", count - MOST_ROWS) } else { String::new() }
    };
    let rows = geometry.monomials.iter().take(MOST_ROWS).map(|monomial| {
        let attained = match monomial.attained {
            Attainment::Region => "in a region",
            Attainment::Tie => "in ties only",
            Attainment::Never => "never",
        };
        vec![monomial.text.clone(), format!("({})", numbers(&monomial.exponent)), attained.to_owned()]
    });
    let subdivision = &geometry.dual_subdivision;
    let mut text = format!(
        "\n{}{}\nlinear regions: {}\nNewton polytope: dimension {}, {} vertices\ndual subdivision: {} nodes, {} edges, {} \
         cells",
        rows_table(&["monomial", "exponent", "attains the maximum"], rows),
        cut(geometry.monomials.len()),
        geometry.regions,
        geometry.newton_polytope.dimension,
        geometry.newton_polytope.vertices.len(),
        subdivision.vertices.len(),
        subdivision.edges.len(),
        subdivision.cells.len(),
    );
    if !geometry.hypersurface.is_empty() {
        let rows = geometry.hypersurface.iter().take(MOST_ROWS).map(|piece| {
            let pair = piece.monomials.map(|i| geometry.monomials[i].text.clone());
            let multiplicity = piece.multiplicity.map_or_else(|| "-".to_owned(), |m| m.to_string());
            vec![pair.join(" = "), place(&piece.shape), multiplicity]
        });
        text.push_str(&format!(
            "\n{}{}",
            rows_table(&["hypersurface", "where", "multiplicity"], rows),
            cut(geometry.hypersurface.len())
        ));
    }
    text
}

/// Where a piece of a hypersurface lies.
pub(super) fn place(shape: &Shape) -> String {
    match shape {
        Shape::Segment { from, to } => format!("segment ({}) to ({})", numbers(from), numbers(to)),
        Shape::Ray { from, direction } => format!("ray from ({}) along ({})", numbers(from), numbers(direction)),
        Shape::Line { through, direction } => {
            format!("line through ({}) along ({})", numbers(through), numbers(direction))
        }
    }
}

/// At most six decimals, none that are zeros at the end; in scientific form where that would hide the number.
pub(super) fn number(value: f64) -> String {
    trimmed(value, 6)
}

pub(super) fn numbers(values: &[f64]) -> String {
    values.iter().map(|value| number(*value)).collect::<Vec<_>>().join(", ")
}
