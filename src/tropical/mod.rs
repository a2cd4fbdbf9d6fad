//! The max-plus semiring, polynomials and rational functions over it, and the polyhedra that belong to them.

mod decimal;
mod evaluate;
mod hypersurface;
mod parse;
mod polynomial;
mod print;
mod rational;
mod redundancy;
mod semiring;
mod subdivision;
mod value;

pub use evaluate::{DevicePolynomial, evaluate_checked, narrow};
pub use hypersurface::{Piece, Shape, hypersurface, region, regions, window};
pub use parse::{Expression, Syntax, parse};
pub use polynomial::Polynomial;
pub use print::{explicit, explicit_rational, monomial, names, tropical, tropical_rational};
pub use rational::Rational;
pub use redundancy::{Attainment, attainment, margin};
pub use semiring::MaxPlus;
pub use subdivision::{Cell, DualSubdivision, Edge, newton_vertices};
pub use value::Value;
