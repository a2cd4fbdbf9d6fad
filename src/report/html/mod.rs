//! Reports as pages for a browser: one file with its style and its pictures in it, no script and nothing from elsewhere, light
//! or dark as the reader's system is, for wide and narrow screens and for paper.
//!
//! A page begins with the result in a sentence and what was run, tells what was before and after, and ends with the report as
//! JSON. Each command has one function from its report to a [`Page`]; numbers are those of the tables that people see in a
//! terminal, and the same report gives the same bytes.

mod bars;
mod boundary;
mod certify;
mod compare;
mod evaluate;
mod inspect;
mod page;
mod parts;
mod prune;
mod spaces;
mod sweep;
mod table;
mod text;
mod units;

pub use boundary::boundary_page;
pub use certify::certify_page;
pub use compare::compare_page;
pub use evaluate::evaluate_page;
pub use inspect::inspect_page;
pub use page::Page;
pub use prune::prune_page;
pub use spaces::spaces_page;
pub use sweep::{sweep_page, unit_sweep_page};
pub use units::units_page;
