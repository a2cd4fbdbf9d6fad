//! The paper's own way through problem (5): a penalty on `A eta = xi x`, each step of it by ADMM over copies that hold one
//! term each, in the manner of Xu et al.

use ndarray::Array2;

use super::layer::{Layers, spectral_square};
use super::network::DualHead;
use super::options::{Distance, DualOptions};
use super::polytope::neuron_weights;
use super::problem::Problem;
use super::reduced::{Solved, solved};
use super::region::{choose, narrow, sum};
use super::search::{Best, Factors};
use crate::backend::{Activation, Backend, Transpose};
use crate::error::Result;
use crate::prune::Observer;

/// Penalty of the copies, and the proximal term of the linearised loss, as in the program of Xu et al.
const RHO: f64 = 15.0;
const ALPHA: f64 = 5.0;
/// Penalty of the equality at first, and by what it grows, so often in a search. The paper gives none of the three.
const MU: f64 = 1e-2;
const GROWTH: f64 = 1.4;
const RISES: usize = 8;
/// Steps between two looks at what was reached.
const LOOK: usize = 5;

/// Solves problem (5), corrected, by a penalty method with ADMM.
///
/// With copies `delta`, `y`, `w` of `eta` (for squares, groups and box) and `xi`, `Omega` of `Xi` (for `D2` and the bound), duals
/// `u`, `v`, `s` and `U`, `S`, and `alpha_k = alpha sqrt(k + 1)`:
///
/// ```text
/// delta = rho / (rho + 2 gamma) (z - u)    y_g = max(1 - (tau / rho) / |a_g|, 0) a_g, a = z - v    w = clip(z - s)
/// z  = [a_k z + rho (delta + u + y + v + w + s) - c A^T q(x + z) - mu A^T (A z - Xi x)] / (a_k + 3 rho),  a_k = alpha_k + mu |A|^2
/// xi_i = rho / (rho + d_i) (Xi_i - U_i)    Omega = clip(Xi - S)
/// Xi = [alpha_k Xi + rho (xi + U + Omega + S) - c q(Xi) x^T + mu (A z) x^T] (beta I + mu x x^T)^-1,  beta = alpha_k + 2 rho
/// ```
///
/// and the duals grow by what the copies are off. `mu` grows eight times in a search. Every fifth `w`, which lies in the box, is
/// judged with the exact `xi` that belongs to it. With `epsilon_2 = 0` this is the attack of Xu et al. with a bound on
/// `|eta|_inf`: no `Xi`, no `mu`. The state of a sample is `5 p d` numbers beside `7 d`.
///
/// # Errors
///
/// As [`reduced`](super::reduced).
pub fn admm<B: Backend>(
    backend: &B,
    head: &DualHead<B>,
    samples: &Array2<f32>,
    targets: &[u32],
    options: &DualOptions,
    observer: &dyn Observer,
) -> Result<Solved> {
    options.check()?;
    let problem = Problem::upload(backend, head, samples, targets, options)?;
    let squares: Vec<f64> =
        samples.rows().into_iter().map(|row| row.iter().map(|x| f64::from(*x).powi(2)).sum()).collect();
    let flat = backend.reshape(problem.region.moved(backend, &problem.region.start(backend, 0, 0)?)?, 1)?;
    let layers = Layers::new(backend, [&problem.region.samples, &flat], &squares, head.rows);
    let weights = neuron_weights(head, options.polytope);
    let solver = Solver {
        backend,
        head,
        problem: &problem,
        layers: options.dual().then_some(layers),
        shrinks: weights.iter().map(|d| RHO / (RHO + d)).collect(),
        spectral: spectral_square(backend, head.first()?)?,
        options,
    };
    let mut best = Best::none(&problem, backend)?;
    let total = options.starts * options.searches;
    for start in 0..options.starts {
        let mut factors = Factors::new(problem.count);
        for search in 0..options.searches {
            observer.step(start * options.searches + search, total, "attack")?;
            let mut from = problem.region.start(backend, start, options.seed)?;
            if 2 * search >= options.searches && search > 0 {
                from = choose(backend, &from, &best.eta, best.found())?;
            }
            let reached = solver.search(from, &problem.factors(&factors.c)?, &mut best)?;
            factors.next(&reached);
        }
    }
    observer.step(total, total, "done")?;
    solved(backend, samples, &best.eta, best.found(), options.bounds)
}

struct Solver<'a, B: Backend> {
    backend: &'a B,
    head: &'a DualHead<B>,
    problem: &'a Problem<'a, B>,
    layers: Option<Layers<'a, B>>,
    /// `rho / (rho + d_i)`.
    shrinks: Vec<f64>,
    /// `|A|^2`.
    spectral: f64,
    options: &'a DualOptions,
}

/// A copy with its dual.
struct Copied<M> {
    value: M,
    dual: M,
}

/// The perturbation of the first layer, and the duals of its copies.
struct Layer<M> {
    value: M,
    polytope: M,
    bound: M,
}

impl<B: Backend> Solver<'_, B> {
    fn sum(&self, a: &B::Matrix, b: &B::Matrix, factors: [f64; 2]) -> Result<B::Matrix> {
        sum(self.backend, a, b, factors.map(narrow))
    }

    fn scaled(&self, a: &B::Matrix, by: f64) -> Result<B::Matrix> {
        self.backend.weighted_sum(a, None, [narrow(by), 0.0], Activation::Identity)
    }

    /// A copy with the value that `prox` makes of `z - dual`.
    fn copy(
        &self,
        z: &B::Matrix,
        dual: B::Matrix,
        prox: impl Fn(&B::Matrix) -> Result<B::Matrix>,
    ) -> Result<Copied<B::Matrix>> {
        Ok(Copied { value: prox(&self.sum(z, &dual, [1.0, -1.0])?)?, dual })
    }

    /// `dual + copy - z`.
    fn ascend(&self, copy: Copied<B::Matrix>, z: &B::Matrix) -> Result<B::Matrix> {
        self.sum(&self.sum(&copy.dual, &copy.value, [1.0, 1.0])?, z, [1.0, -1.0])
    }

    /// One search with given factors of the loss; says which samples reached their targets.
    fn search(&self, from: B::Matrix, c: &B::Matrix, best: &mut Best<B>) -> Result<Vec<bool>> {
        let (backend, problem, steps) = (self.backend, self.problem, self.options.steps);
        let zeros = || problem.region.start(backend, 0, 0);
        let (square, group) = match self.options.distance {
            Distance::Squares => (1.0, None),
            Distance::Groups { square, group, .. } => (square, Some(group)),
        };
        let mut z = from;
        let (mut u, mut v, mut s) = (zeros()?, zeros()?, zeros()?);
        let mut layer = self.layers.as_ref().map(|layers| self.no_layer(layers)).transpose()?;
        let copies = if group.is_some() { 3.0 } else { 2.0 };
        let mut reached = vec![false; problem.count];
        for step in 0..steps {
            #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
            let (alpha, rises) = (ALPHA * ((step + 1) as f64).sqrt(), (step * RISES / steps) as f64);
            let mu = if layer.is_some() { MU * GROWTH.powf(rises) } else { 0.0 };
            let delta = self.copy(&z, u, |a| self.scaled(a, RHO / (RHO + 2.0 * square)))?;
            let y = match group {
                Some(group) => Some(self.copy(&z, v, |a| problem.shrink(a, group / RHO))?),
                None => None,
            };
            let w = self.copy(&z, s, |a| problem.region.clip(backend, a))?;
            let at = problem.at(&z)?;
            let mut slope = problem.loss_slope(&at, c)?;
            let image = backend.matmul(&z, Transpose::No, self.head.first()?, Transpose::Yes)?;
            if let (Some(layers), Some(layer)) = (&self.layers, &layer) {
                let off = self.sum(&image, &layers.times_sample(&layer.value)?, [1.0, -1.0])?;
                slope = self.sum(&slope, &off, [1.0, mu])?;
            }
            let slope = backend.matmul(&slope, Transpose::No, self.head.first()?, Transpose::No)?;
            let proximal = alpha + mu * self.spectral;
            let mut next = self.sum(&z, &slope, [proximal, -1.0])?;
            for copy in [Some(&delta), y.as_ref(), Some(&w)].into_iter().flatten() {
                next = self.sum(&next, &self.sum(&copy.value, &copy.dual, [1.0, 1.0])?, [1.0, RHO])?;
            }
            z = self.scaled(&next, 1.0 / (proximal + copies * RHO))?;
            layer = layer.map(|layer| self.move_layer(layer, &image, c, alpha, mu)).transpose()?;
            if step % LOOK == LOOK - 1 || step + 1 == steps {
                let judged = problem.judge(&w.value, &problem.at(&w.value)?)?;
                reached.iter_mut().zip(&judged.holds).for_each(|(reached, holds)| *reached |= holds);
                best.take(backend, &w.value, &judged)?;
            }
            u = self.ascend(delta, &z)?;
            v = y.map_or_else(zeros, |y| self.ascend(y, &z))?;
            s = self.ascend(w, &z)?;
        }
        Ok(reached)
    }

    fn no_layer(&self, layers: &Layers<'_, B>) -> Result<Layer<B::Matrix>> {
        let zero = || layers.zero(self.head.inputs);
        Ok(Layer { value: zero()?, polytope: zero()?, bound: zero()? })
    }

    /// A step of the perturbation of the first layer; `image` is `A z`.
    fn move_layer(
        &self,
        layer: Layer<B::Matrix>,
        image: &B::Matrix,
        c: &B::Matrix,
        alpha: f64,
        mu: f64,
    ) -> Result<Layer<B::Matrix>> {
        let Some(layers) = &self.layers else { return Ok(layer) };
        let Layer { value, polytope, bound } = layer;
        let polytope = self.copy(&value, polytope, |a| layers.scale_neurons(a, &self.shrinks))?;
        let bound = self.copy(&value, bound, |a| layers.clip(a, self.options.rows))?;
        let at = self.problem.at_rows(layers.times_sample(&value)?)?;
        let pull = self.sum(&self.problem.loss_slope(&at, c)?, image, [-1.0, mu])?;
        let mut right = self.sum(&value, &layers.outer(pull)?, [alpha, 1.0])?;
        for copy in [&polytope, &bound] {
            right = self.sum(&right, &self.sum(&copy.value, &copy.dual, [1.0, 1.0])?, [1.0, RHO])?;
        }
        let value = layers.solve(&right, alpha + 2.0 * RHO, mu)?;
        let (polytope, bound) = (self.ascend(polytope, &value)?, self.ascend(bound, &value)?);
        Ok(Layer { value, polytope, bound })
    }
}
