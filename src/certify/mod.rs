//! Certificates: proved bounds of how far a compressed network is from the original on a ball of inputs.
//!
//! A block `f(x) = C relu(W x + b) + beta` and its compressed form `f~(x) = C~ relu(W~ x + b~) + beta~` are compared on
//! `|x| <= r`. With `w_i = (a_i, b_i)` and `nu(w) = r |a| + |b| = sup |a x + b|`, any pairing `kappa` with scales
//! `lambda_i >= 0`, `e_i = w_i - lambda_i w~_kappa(i)`, `tau_jk = c~_jk - sum_(kappa(i) = k) c_ji lambda_i`:
//!
//! ```text
//! pair:  |f_j - f~_j| <= sum_i |c_ji| nu(e_i) + sum_k |tau_jk| nu(w~_k) + |beta_j - beta~_j|
//! (star) |f_j - f~_j| <= 1/2 sup [ |l_j| + sum_i |c_ji e_i| + sum_k |tau_jk w~_k| ]
//! ```
//!
//! since `relu(z) = z / 2 + |z| / 2`, `||a| - |b|| <= |a - b|`, and `l_j` collects the linear halves and the constant.
//! [`Bound::Half`] takes the supremum term by term, [`Bound::Sdp`] jointly. What a compression leaves over in its
//! outgoing weights (`tau`, for a refit) enters the same supremum, which is far smaller than bounding it by itself.
//! Neurons of certain sign on the ball are also tried as nothing or as linear, so that exact removals have a
//! certificate of (almost) nothing.
//!
//! Every bound is computed in f64 and covers its own rounding; it speaks of the real-valued functions with the weights
//! of the files, not of the rounding of whoever runs them in f32.
//!
//! Sources: Fotopoulos, Maragos, Misiakos, *TropNNC*, arXiv 2409.03945, theorem 2 and corollary 3 (zonotopes); Xu et al.,
//! *Fast and Complete*, ICLR 2021 (alpha-CROWN); Burer and Monteiro 2003; Rump 2006 (positive definiteness).

mod ascent;
mod block;
mod chain;
mod clusters;
mod crown;
mod depth;
mod distance;
mod eigenvalue;
mod exact;
mod hausdorff;
mod labels;
mod layer;
mod lift;
mod networks;
mod paired;
mod pairing;
mod plan;
mod problem;
mod radial;
mod run;
mod sdp;
mod steps;

pub use ascent::{Ascent, Found, largest_errors};
pub use block::{Block, Pairing};
pub use depth::{HeadCertificate, LayerStep, head_bound};
pub use distance::certified_radius;
pub use eigenvalue::largest_eigenvalue_bound;
pub use exact::exact_errors;
pub use hausdorff::hausdorff_form;
pub use labels::{Labels, data_radius};
pub use layer::{Bound, BoundOptions, LayerCertificate, OutputBounds, layer_bound};
pub use networks::{NetworkBound, comparable_heads, network_bound};
pub use plan::{PruneCertificate, plan_bound, prune_certificate};
pub use radial::Radial;
pub use run::{BoundSummary, Certificate, CertifyOptions, LayerOutcome, OutputCertificate, certify};
pub use sdp::absolute_sum_bound;
pub use steps::steps_certificate;
