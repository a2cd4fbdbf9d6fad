//! Adversarial attacks, and robust accuracy under them.
//!
//! The dual view of 2002.08838, section 6: with `f(x) = g(A x + c)`, a perturbation `eta` of the input and one `xi` of the first
//! layer act alike on `x` iff `A eta = xi x`, since `g((A + xi) x + c) = g(A (x + eta) + c)`. Problem (5) asks for the
//! cheapest pair, where `D2(xi)` measures how far the decision-boundary polytope moves. Two things in it are corrected here:
//!
//! * the loss. `-CE <= -1` drives *away* from the target; it is `CE(f(x + eta), t) <= kappa`, with `kappa = ln 2` nats
//!   sufficient for the target to be the class;
//! * `epsilon_2 = 0`, which is said to give the structured attack of Xu et al., leaves `xi = 0`, `A eta = 0` and no attack at
//!   all. Here it leaves `xi`, `D2` and the equality out, which is what is meant.
//!
//! For given `r = A eta` the rows of `xi` decouple and have a closed form ([`Saturation`]), so that the state of a sample is
//! `eta` alone. Since `epsilon_2` only takes perturbations away (`|A eta|_i <= epsilon_2 |x|_1`), no exact solver does better with
//! it than without. [`reduced`] is that solver; [`admm`] is the paper's own way, for comparison.
//!
//! Beside it stand attacks by input gradients ([`gradient_sign`], of any graph of operators) and a certified radius ([`crate::certify::certified_radius`]):
//! the true robust accuracy lies between what the certificate proves and what the attacks leave.
//!
//! Sources: Alfarra et al., arXiv 2002.08838; Carlini and Wagner 2017 (`f1`, search for `c`); Xu et al., *Structured Adversarial
//! Attack*, ICLR 2019; Madry et al. 2018; Croce and Hein 2020; Wilson 1927 (intervals).

mod admm;
mod chain;
mod choose;
mod graph;
mod groups;
mod layer;
mod network;
mod options;
mod polytope;
mod problem;
mod reduced;
mod region;
mod run;
mod saturation;
mod search;
mod sign;
mod verdict;

pub use admm::admm;
pub use choose::{correct_samples, draw};
pub use graph::DeviceGraph;
pub use groups::Groups;
pub use network::{Differentiable, DualHead, LossSlope};
pub use options::{Distance, DualOptions, PolytopeSize, SignOptions, Targets};
pub use reduced::{Solved, reduced};
pub use run::{Attack, AttackOptions, Certified, Method, Robustness, Subject, attack};
pub use saturation::Saturation;

pub use sign::gradient_sign;
pub use verdict::{DualOutcome, Outcome, layer_perturbation};
