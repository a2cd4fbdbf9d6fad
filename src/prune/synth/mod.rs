//! `synth-refit`: greedy selection of units and joint least squares on synthetic inputs, or on given ones.
//!
//! Layer by layer, the units of a network are chosen and what reads them is refitted so that the *original* network's next
//! pre-activation is met best in the mean square, on inputs that pass both networks side by side. The target of the
//! original network makes later layers mend what earlier ones lost. Inputs need no data: images of leaves and shapes do as
//! well as real ones where convolutions begin (see [`Prior`]), and where linear layers begin their hyperplanes tell where the
//! inputs lie (see [`Arrangement`]).
//!
//! For a layer with `n` units, `q` columns of the next layer each, `p` what the next layer reads in the network that
//! shrinks, and `z = C p'` what it gives in the original one:
//!
//! ```text
//! G = Cov(p), T = Cov(z, p)          sums of products on the backend, over windows of convolutions
//! greedy: the unit that lowers E |z - C~ p_S|^2 most, K times          f64 on the host
//! C~ = T_S (G_SS + epsilon tr(G_SS) / (K q) I)^-1,  beta~ = beta + E z - C~ E p_S
//! ```
//!
//! Where several layers read the units, losses and their decreases add up over the groups of readers that read alike, and
//! each group has least squares of its own. Along a residual trunk the units are chosen once for all readers, and the
//! readers are then refitted in their order, each to what the trunk has become.

mod arrangement;
mod channels;
mod cholesky;
mod distil;
mod field;
mod greedy;
mod grey;
mod held;
mod judge;
mod leaves;
mod moments;
mod normal;
mod options;
mod original;
mod pass;
mod prior;
mod refit;
mod refitter;
mod windows;

pub use arrangement::Arrangement;
pub use distil::{DistilOptions, Distilled, distil};
pub use greedy::Selection;
pub use grey::GreyLevel;
pub(crate) use held::{DRAWN, HeldSynthetic, Parted, Rows};
pub(crate) use judge::Judge;
pub(crate) use moments::{Moments as ReadMoments, Reader as ReadBy, Sums};
pub(crate) use normal::normal;
pub use options::{RefitForm, SynthOptions, UnitRefit};
pub use prior::{Prior, SyntheticInputs};
pub(crate) use refit::{choose_in_cells, refit as refit_moments};
pub(crate) use refitter::Part;
pub use refitter::Refitter;
