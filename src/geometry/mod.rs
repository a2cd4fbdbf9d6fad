//! Geometry of polytopes: what the regions, zonotopes and distances of a network are made of.

mod interval;

pub use interval::Interval;
