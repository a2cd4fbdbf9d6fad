//! Three backends behind one trait. The doc of each method of [`Backend`] is its contract: formula, shapes, ties, source.
//!
//! [`Reference`] is the oracle, [`Cpu`] the fast host path, [`Gpu`] any wgpu adapter. Algorithms are generic over
//! `B: Backend`; a matrix of one backend cannot be given to another, and an operation that is missing does not compile.

mod check;
mod cpu;
mod cuts;
mod function;
mod gpu;
mod lloyd;
mod normal;
mod reference;
mod rows;
mod rowwise;
mod self_test;
mod slope;
mod values;
mod window;

use ndarray::Array2;

use crate::error::Result;

pub use cpu::{Cpu, HostMatrix};
pub use cuts::ScoredLayer;
pub use function::Function;
#[doc(hidden)]
pub use gpu::shader_modules;
pub use gpu::{
    AdapterSummary, DeviceSpan, DeviceTrace, Gpu, GpuOptions, StartUp, Tuning, Variant, adapters, cache_folder,
};
pub use lloyd::Lloyd;
pub use reference::Reference;
pub(crate) use rows::vectorised;
pub use rows::{RowSource, SharedValues};
pub use rowwise::{Combination, Reduction, RowNorm};
pub use self_test::{SelfTest, self_test};
pub use values::{
    Activation, Adam, AdamState, Classified, ClusterMeans, CrossEntropy, Cutoff, Device, DeviceKind, HalfStep, Maxima,
    Minima, ReluMoments, RowScores, RowUpdate, Transpose,
};
pub use window::{Pooling, Window};

/// The operations of tropix. Everything above this trait is written once.
///
/// All matrices are row-major; vectors are `1 x n` unless a contract says otherwise. Every operation checks the shapes of its operands
/// and returns [`Error::Shape`](crate::Error::Shape) when the contract excludes them. Sums of f32 backends may be taken
/// in any order that is fixed for the adapter, so that results differ from [`Reference`] by at most
/// `gamma_n = n u / (1 - n u)`, `u = 2^-24`, times the sum of the absolute terms (Higham, *Accuracy and Stability of
/// Numerical Algorithms*, section 3.1).
pub trait Backend: Sync {
    /// A matrix on the device.
    type Matrix;
    /// A list of non-negative integers on the device.
    type Indices;

    /// The device behind this backend.
    fn device(&self) -> &Device;

    /// Copies a matrix to the device, streaming its rows.
    fn upload(&self, source: &dyn RowSource) -> Result<Self::Matrix>;

    /// Copies a matrix to the host. Backends in f32 widen exactly.
    fn download(&self, matrix: &Self::Matrix) -> Result<Array2<f64>>;

    /// Copies a list of indices to the device.
    fn upload_indices(&self, indices: &[u32]) -> Result<Self::Indices>;

    /// Copies a list of indices to the host.
    fn download_indices(&self, indices: &Self::Indices) -> Result<Vec<u32>>;

    /// Rows and columns of a matrix.
    fn shape(&self, matrix: &Self::Matrix) -> [usize; 2];

    /// Gives memory back that dropped matrices have left for later ones: between two parts of a computation that need
    /// matrices of different sizes, or memory of the host.
    fn trim(&self) {}

    /// One layer: `Y = phi(X W^T + 1 b^T)`.
    ///
    /// `x`: `n x d`, `weights`: `m x d`, `bias`: `1 x m`; returns `n x m`.
    fn affine(
        &self,
        x: &Self::Matrix,
        weights: &Self::Matrix,
        bias: Option<&Self::Matrix>,
        activation: Activation,
    ) -> Result<Self::Matrix>;

    /// Matrix product `C = op(A) op(B)`.
    ///
    /// `op(A)`: `n x d`, `op(B)`: `d x m`; returns `n x m`.
    fn matmul(
        &self,
        a: &Self::Matrix,
        transpose_a: Transpose,
        b: &Self::Matrix,
        transpose_b: Transpose,
    ) -> Result<Self::Matrix>;

    /// Max-plus product `C_ij = max_k a_ik + b_kj`.
    ///
    /// `a`: `n x d`, `b`: `d x m`, `d >= 1`: the maximum over nothing would be minus infinity, which devices need not
    /// have; returns `n x m`. The entries and their sums are finite.
    fn max_plus_matmul(&self, a: &Self::Matrix, b: &Self::Matrix) -> Result<Self::Matrix>;

    /// Finds the nearest row of `y` for each row of `x`: `min_j |x_i - y_j|^2` and the lowest `j` that attains it.
    ///
    /// `x`: `n x d`, `y`: `m x d`, `m >= 1`. Distances are sums of squared differences, not
    /// `|x|^2 + |y|^2 - 2 <x, y>`: each lies within `gamma_(d+2)` times itself of the exact one, and near copies keep
    /// their digits. The index is the lowest that attains the minimum of the computed values.
    fn nearest(&self, x: &Self::Matrix, y: &Self::Matrix) -> Result<Minima<Self::Matrix, Self::Indices>>;

    /// Means of the points of each cluster, the second half of Lloyd's iteration: `c_k = sum over labels_i = k of x_i / n_k`.
    ///
    /// `points`: `n x d`; `labels`: `n`, where a label that is no cluster's belongs to none; `previous`: `k x d`, the earlier
    /// centres, which clusters without points keep. Members are added up in an order that the labels fix: each entry
    /// lies within `gamma_(n_k + 4)` times the mean of the absolute values of the exact one.
    fn cluster_means(
        &self,
        points: &Self::Matrix,
        labels: &Self::Indices,
        previous: &Self::Matrix,
    ) -> Result<ClusterMeans<Self::Matrix, Self::Indices>>;

    /// Makes `iterations` of Lloyd's method from given centres, without a look at what is on the device: each point goes
    /// to the centre with the largest computed `<x, c> - |c|^2 / 2` ([`Backend::tropical_eval`], the lowest of
    /// equal ones), which is the nearest one, then each centre to the mean of its points ([`Backend::cluster_means`]).
    ///
    /// `points`: `n x d`; `centres`: `k x d`, `k >= 1`; `iterations >= 1`. Where centres do not move any more, further iterations
    /// change nothing: a backend may leave them out, and may skip pairs whose computed values cannot win. Points
    /// far from the origin for their distances lose digits; centre them first.
    fn lloyd(
        &self,
        points: &Self::Matrix,
        centres: &Self::Matrix,
        iterations: usize,
    ) -> Result<Lloyd<Self::Matrix, Self::Indices>> {
        lloyd::plain(self, points, centres, iterations)
    }

    /// Evaluates the tropical polynomial `f(x) = max_i c_i + <a_i, x>` at each row of `points`.
    ///
    /// `points`: `n x d`, `exponents`: `m x d` (the `a_i`), `coefficients`: `1 x m` (the `c_i`), `m >= 1`. The argument
    /// is the lowest `i` that attains the maximum of the computed values (2002.08838, definition 2).
    fn tropical_eval(
        &self,
        points: &Self::Matrix,
        exponents: &Self::Matrix,
        coefficients: &Self::Matrix,
    ) -> Result<Maxima<Self::Matrix, Self::Indices>>;

    /// Generators of the class zonotopes: `G_m = Diag(weights_m) [A | c]` for every class `m`, stacked.
    ///
    /// `weights`: `k x p`, `rows`: `p x n`, `constants`: `1 x p`; returns `k p x n`, or `k p x (n + 1)` with constants;
    /// row `m p + i` is `weights_mi (A_i, c_i)` (2002.08838, corollary 1, for k classes).
    fn generators(
        &self,
        weights: &Self::Matrix,
        rows: &Self::Matrix,
        constants: Option<&Self::Matrix>,
    ) -> Result<Self::Matrix>;

    /// Support function of a zonotope, `h(u) = <shift, u> + sum_i max(<g_i, u>, 0)`, at each row of `directions`.
    ///
    /// `generators`: `p x d`, `shift`: `1 x d`, `directions`: `n x d`; returns `n x 1`.
    fn support_function(
        &self,
        generators: &Self::Matrix,
        shift: Option<&Self::Matrix>,
        directions: &Self::Matrix,
    ) -> Result<Self::Matrix>;

    /// Support functions of the class zonotopes, the rows `h_nm = sum_i weights_mi max(<g_i, u_n>, 0)`.
    ///
    /// `weights`: `k x p`, non-negative: zonotope `m` has the generators `weights_mi g_i`, see [`Backend::generators`],
    /// which are not stored here; `generators`: `p x d`, `directions`: `n x d`; returns `n x k`.
    fn class_supports(
        &self,
        weights: &Self::Matrix,
        generators: &Self::Matrix,
        directions: &Self::Matrix,
    ) -> Result<Self::Matrix>;

    /// Activation patterns: which of the computed values `<g_i, u_n> + c_i` are positive.
    ///
    /// `generators`: `p x d`, `constants`: `1 x p`, zero if absent; `directions`: `n x d`. Returns `n` rows of
    /// `ceil(p / 32)` words: bit `i % 32` of word `i / 32` is set iff value `i` is above zero, bits past `p` are not.
    fn activation_patterns(
        &self,
        generators: &Self::Matrix,
        constants: Option<&Self::Matrix>,
        directions: &Self::Matrix,
    ) -> Result<Self::Indices>;

    /// Scores of the first pass over problem (2) in the decoupled form.
    ///
    /// `rows`: `p x n` (A), `constants`: `1 x p` (c, absent for generators without bias), `coefficients`: `k x p` (B, or
    /// any non-negative class weights w). With `A^_i = (A_i, c_i)`:
    ///
    /// * `norms_i = ||A^_i||`, so that element `(j, i)` of `B` is removed at `lambda >= e_ji = |b_ji| norms_i`;
    /// * `rows_i = norms_i sum_j b_ji^2 / sum_j |b_ji|`: row `i` is removed iff `rows_i <= lambda`; 0 where all `b_ji`
    ///   are 0. It is a weighted mean of the `e_ji`, hence at most their maximum.
    fn row_scores(
        &self,
        rows: &Self::Matrix,
        constants: Option<&Self::Matrix>,
        coefficients: &Self::Matrix,
    ) -> Result<RowScores<Self::Matrix>>;

    /// Alternating minimisation of problem (2), half-step by half-step, from `A~ = A`, `T~ = T`.
    ///
    /// `norms`: `1 x p` (the `||A^_i||`), `targets`: `k x p`, non-negative (`T`: `|B|` for the decoupled objective, the
    /// class weights `w` for the coupled one). Minimises
    /// `1/2 sum_ji (t~_ji s_i - t_ji)^2 ||A^_i||^2 + lambda sum_ji t~_ji s_i ||A^_i||` over `s, T~ >= 0` in turn:
    ///
    /// * [`HalfStep::Rows`]: `s_i = max(0, sum_j t~_ji t_ji - lambda sum_j t~_ji / ||A^_i||) / sum_j t~_ji^2`, 0 where
    ///   the denominator or the norm is 0;
    /// * [`HalfStep::Elements`]: `t~_ji = max(0, t_ji - lambda / ||A^_i||) / s_i`, 0 where `s_i` or the norm is 0.
    ///
    /// Rows stay parallel to `A^_i`, so the problem falls apart into neurons and no pass over `A` is needed. Half-steps
    /// take turns, starting with `first`.
    fn row_update(
        &self,
        norms: &Self::Matrix,
        targets: &Self::Matrix,
        lambda: f32,
        first: HalfStep,
        half_steps: usize,
    ) -> Result<RowUpdate<Self::Matrix>>;

    /// One step of squared path norms through a layer, the root-mean-square size of a signal under rectification.
    ///
    /// `weights`: `p x n`. Forward (`Transpose::No`): `squares`: `1 x n`, `bias`: `1 x p`; returns `1 x p` with
    /// `out_i = 1/2 (sum_j w_ij^2 squares_j + b_i^2)`. Backward (`Transpose::Yes`, no bias): `squares`: `1 x p`; returns
    /// `1 x n` with `out_j = 1/2 sum_i w_ij^2 squares_i`.
    fn path_norms(
        &self,
        weights: &Self::Matrix,
        squares: &Self::Matrix,
        bias: Option<&Self::Matrix>,
        direction: Transpose,
    ) -> Result<Self::Matrix>;

    /// Mean and covariance of `max(z, 0)`, component by component, for normal `z ~ N(m, S)`.
    ///
    /// `mean`: `1 x n` (m), `covariance`: `n x n` (S, symmetric); returns `1 x n` and `n x n`. With `s_i = sqrt(S_ii)`,
    /// `h_i = m_i / s_i`, `rho_ij = S_ij / (s_i s_j)`, cut to -1..1:
    ///
    /// * `mean_i = s_i (h_i Phi(h_i) + phi(h_i))`;
    /// * `Cov_ij = s_i s_j [rho Phi(h_i) Phi(h_j) + 1/(2 pi) int_0^(asin rho) (rho - sin t)
    ///   exp(-(h_i^2 - 2 h_i h_j sin t + h_j^2) / (2 cos^2 t)) dt]`.
    ///
    /// This is Price's theorem with the remainder of Taylor's formula in integral form; for `h = 0` it is the arc-cosine
    /// kernel (Cho and Saul, 2009) less the means. The integral is taken by 16 nodes of Gauss and Legendre, within 1e-8
    /// `s_i s_j`, in arithmetic good to 5e-6 `s_i s_j`. A component without variance is the constant `max(m_i, 0)`.
    fn relu_covariance(&self, mean: &Self::Matrix, covariance: &Self::Matrix) -> Result<ReluMoments<Self::Matrix>>;

    /// Weights with everything below a cut-off set to zero.
    ///
    /// `weights`: `p x n`; `scores`: `p x n`, or `p x 1` for one score per row. Element `(i, j)` becomes 0 iff its score
    /// is below `cutoff.score`, or equal to it with `i n + j < cutoff.index`. Scores compare exactly.
    fn threshold_mask(&self, weights: &Self::Matrix, scores: &Self::Matrix, cutoff: Cutoff) -> Result<Self::Matrix>;

    /// One step of projected gradient ascent on a ball for each row: `y_i = P_r(x_i + step g_i / |g_i|)`, where
    /// `P_r(z) = z min(1, r / |z|)`.
    ///
    /// `x`, `gradient`: `n x d`; `step` and `radius` finite and at least 0; returns `n x d`. A row whose gradient is zero is
    /// only projected. Entries lie within `gamma_(2 d + 24) (|x_i| + step)` of the exact ones.
    fn ball_step(&self, x: &Self::Matrix, gradient: &Self::Matrix, step: f32, radius: f32) -> Result<Self::Matrix>;

    /// Cross-entropy of the softmax, and the gradient of its mean: for row `z_i` of `logits` with label `y_i`
    ///
    /// `losses_i = log sum_j exp(z_ij) - z_i(y_i)`, `gradient_ij = (exp(z_ij) / sum_l exp(z_il) - [j = y_i]) / n`.
    ///
    /// `logits`: `n x k`, `k >= 1`; `labels`: `n`, each below `k`. Exponentials are of `z_ij - max_l z_il`, so that none
    /// overflows. Losses lie within `gamma_(k + 32) (1 + max_j |z_ij|)`, entries of the gradient within
    /// `gamma_(k + 32) (1 + max_j |z_ij|) / n` of the exact ones.
    fn cross_entropy(&self, logits: &Self::Matrix, labels: &Self::Indices) -> Result<CrossEntropy<Self::Matrix>>;

    /// One step of Adam, entry by entry (Kingma and Ba, *Adam*, ICLR 2015, algorithm 1): with `t = adam.step`,
    ///
    /// `m' = b1 m + (1 - b1) g`, `v' = b2 v + (1 - b2) g^2`,
    /// `w' = w - rate (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + epsilon)`.
    ///
    /// `weights`, `gradient`, `moments = [m, v]`: `n x m`. Where `g` and `m` are zero the weight stays as it is.
    fn adam_step(
        &self,
        weights: &Self::Matrix,
        gradient: &Self::Matrix,
        moments: [&Self::Matrix; 2],
        adam: Adam,
    ) -> Result<AdamState<Self::Matrix>>;

    /// Class and rank of the label for each row of `logits`.
    ///
    /// `logits`: `n x k`, `k >= 1`; `labels`: `n`, each below `k`.
    fn classify(&self, logits: &Self::Matrix, labels: Option<&Self::Indices>) -> Result<Classified<Self::Indices>>;

    /// Classifies samples with a head at many cut-offs: for each entry of `cutoffs`, what [`Backend::classify`] says of
    /// the logits of the layers, one [`Backend::affine`] after the other, with the weights that
    /// [`Backend::threshold_mask`] leaves.
    ///
    /// `batches`: samples and their labels; `layers`: at least one; `cutoffs`: one cut-off per layer in each entry.
    /// Returns a list for each entry with one result per batch.
    ///
    /// Cut-offs in one order leave nested sets of weights: a backend may share work between them as long as each sum
    /// has the terms of its own cut-off and no others, so that the bound of [`Backend::affine`] holds.
    fn classify_at(
        &self,
        batches: &[(Self::Matrix, Option<Self::Indices>)],
        layers: &[ScoredLayer<'_, Self::Matrix>],
        cutoffs: &[Vec<Cutoff>],
    ) -> Result<Vec<Vec<Classified<Self::Indices>>>> {
        cuts::one_by_one(self, batches, layers, cutoffs)
    }

    /// Copies windows of images to rows: the unfolding under which a convolution is a product of matrices.
    ///
    /// `images`: `n x (C H W)`, NCHW. Row `i` of the result belongs to position `p_i`, or to position `i` without
    /// `positions`: window `p % (Y X)` of image `p / (Y X)`, where `Y x X` are the [`Window::positions`], row-major.
    /// Column `(c k_h + k_y) k_w + k_x` is the pixel of channel `c` under entry `[k_y, k_x]`, 0 in the padding.
    /// `positions`: each below `n Y X`; returns `r x (C k_h k_w)`.
    fn unfold(&self, images: &Self::Matrix, window: &Window, positions: Option<&Self::Indices>)
    -> Result<Self::Matrix>;

    /// One convolutional layer, the cross-correlation
    /// `Y_o(y, x) = phi(b_o + sum_c sum_k W_o(c, k) X_c(stride (y, x) + dilation k - padding))`.
    ///
    /// `images`: `n x (C H W)`, NCHW; `weights`: `m x (C / groups * k_h k_w)`, a row per output channel with the inner
    /// order of [`Backend::unfold`]; `bias`: `1 x m`; returns `n x (m Y X)`, NCHW. `groups` divides `C` and `m`: output
    /// channels of group `g` read the `C / groups` input channels of group `g` only.
    fn convolution(
        &self,
        images: &Self::Matrix,
        weights: &Self::Matrix,
        bias: Option<&Self::Matrix>,
        window: &Window,
        groups: usize,
        activation: Activation,
    ) -> Result<Self::Matrix>;

    /// Folds the entries of each window in each channel, see [`Pooling`].
    ///
    /// `images`: `n x (C H W)`, NCHW; returns `n x (C Y X)`. Padding is smaller than the span of a window, so that every
    /// window meets the image. Global pooling is a window as large as the image.
    fn pooling(&self, images: &Self::Matrix, window: &Window, pooling: Pooling) -> Result<Self::Matrix>;

    /// What [`Backend::pooling`] passes back: each window's slope goes to the first entry (row-major) that is its maximum, or
    /// in equal parts to the entries that its mean is of.
    ///
    /// `images`: `n x (C H W)`, `pooled`: `n x (C Y X)`, what they became; `gradient`: `n x (C Y X)`, the slopes; returns
    /// `n x (C H W)`.
    fn pooling_gradient(
        &self,
        images: &Self::Matrix,
        pooled: &Self::Matrix,
        gradient: &Self::Matrix,
        window: &Window,
        pooling: Pooling,
    ) -> Result<Self::Matrix>;

    /// `Y = phi(alpha A + beta B)`, entry by entry; `phi(alpha A)` without `b`.
    ///
    /// `a`, `b`: `n x m`, `[alpha, beta]` finite; returns `n x m`. Residual sums, and a rectifier by itself.
    fn weighted_sum(
        &self,
        a: &Self::Matrix,
        b: Option<&Self::Matrix>,
        factors: [f32; 2],
        activation: Activation,
    ) -> Result<Self::Matrix>;

    /// `Y = phi(X)`, entry by entry, see [`Function`].
    ///
    /// `x`: `n x m`; returns `n x m`. Backends in f32 differ from [`Function::at`] by at most
    /// `gamma_16 (1 + 2 |x| + (2 + |x|) |phi(x)|)`: exponentials double the rounding of their argument again and again.
    fn elementwise(&self, x: &Self::Matrix, function: Function) -> Result<Self::Matrix>;

    /// What [`Backend::elementwise`] passes back: `dX = dY phi'(X)`, entry by entry, see [`Function::slope`].
    ///
    /// `x`, `gradient`: `n x m` (`dY`); returns `n x m`. Backends in f32 differ by at most
    /// `gamma_16 (1 + 2 |x| + (2 + |x|) |phi'(x)|) |dy|`, but where `x` is a rounding away from a kink.
    fn elementwise_gradient(
        &self,
        x: &Self::Matrix,
        gradient: &Self::Matrix,
        function: Function,
    ) -> Result<Self::Matrix>;

    /// `Y[i, j] = A[i, j] o B[i, floor(j / p) mod m]`, entry by entry, see [`Combination`]: of values of one shape, with a
    /// value for each channel, with a vector that every row meets.
    ///
    /// `a`: `n x (q m p)`, `b`: `n x m`, or `1 x m` for all rows alike, `share`: `p`; returns the shape of `a`. Of images,
    /// NCHW with `p` places, `b` is a number for each of `m` channels; with `p = 1` it is one for each entry of the last
    /// axis. Quotients lie within `gamma_3` times themselves of the exact ones.
    fn combine(&self, a: &Self::Matrix, b: &Self::Matrix, how: Combination, share: usize) -> Result<Self::Matrix>;

    /// One number of each row, see [`Reduction`].
    ///
    /// `x`: `n x m`, `m >= 1`; returns `n x 1`.
    fn reduce_rows(&self, x: &Self::Matrix, reduction: Reduction) -> Result<Self::Matrix>;

    /// Each row in units of itself, see [`RowNorm`]: softmax (Bridle, 1990), layer norm (Ba, Kiros and Hinton, 2016), RMS norm
    /// (Zhang and Sennrich, 2019), without factors and shifts.
    ///
    /// `x`: `n x d`, `d >= 1`; returns `n x d`. Backends in f32 differ from the exact values `y_ij` by at most
    /// `gamma_(d + 48) (1 + |x_i|) (1 + |y_ij|)` with the largest `|x_i|` of a row, divided by the root of `v + epsilon` for
    /// the standard form.
    fn normalize_rows(&self, x: &Self::Matrix, norm: RowNorm) -> Result<Self::Matrix>;

    /// Products of the matrices that lie behind each other: `C_g = A_g B_g`.
    ///
    /// `a`: `g m x k`, `b`: `g k x l`, `groups`: `g >= 1`; returns `g m x l`.
    fn batched_matmul(&self, a: &Self::Matrix, b: &Self::Matrix, groups: usize) -> Result<Self::Matrix>;

    /// The same entries, row by row, in rows of another length.
    ///
    /// `x`: `n x m`; `columns` divides `n m`; returns `(n m / columns) x columns`. Where rows lie in memory as they do here,
    /// nothing is copied.
    fn reshape(&self, x: Self::Matrix, columns: usize) -> Result<Self::Matrix>;

    /// `Y[i, j] = X[i, index_j]`, and 0 where `index_j` is no column: whatever moves entries of a row, or pads it.
    ///
    /// `x`: `n x m`, `m >= 1`; `index`: `k` numbers; returns `n x k`.
    fn gather(&self, x: &Self::Matrix, index: &Self::Indices) -> Result<Self::Matrix>;

    /// Puts matrices side by side: row `i` is the rows `i` of all `parts`, in their order.
    ///
    /// `parts`: at least one, all with `n` rows. Of images, NCHW, this joins channels.
    fn concatenate(&self, parts: &[&Self::Matrix]) -> Result<Self::Matrix>;
}
