//! What is attacked, with which bounds, and how hard.

use serde::Serialize;

use crate::error::{Error, Result};

/// `D1`, the size of a perturbation of the input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Distance {
    /// `|eta|_2^2`.
    Squares,
    /// `square |eta|_2^2 + group sum_g |eta_g|_2` over squares of 2 x 2 pixels of an image.
    Groups {
        /// Channels, height and width.
        shape: [usize; 3],
        /// Factor of the squares, 2 in the program of Xu et al.
        square: f64,
        /// Factor of the norms, 3 there.
        group: f64,
    },
}

/// `D2 = 1/2 sum_i d_i |xi_i|^2`, the size of a perturbation of the rows of the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolytopeSize {
    /// The paper's (6) for any number of classes: `d_i = |B(:, i)|^2`, the weights behind neuron `i`.
    Printed,
    /// The squares of the true weights of the class zonotopes, `d_i = sum_c w_ci^2` with
    /// `w_c = B+(c, :) + sum_(l != c) B-(l, :)`.
    Zonotopes,
}

/// Which class each sample is driven to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Targets {
    /// One other class for each sample, from the stream `targets` of the seed.
    Random,
    /// Every other class in turn; the cheapest counts.
    Best,
    /// One class for all samples.
    Class(u32),
}

/// Problem (5) of 2002.08838, corrected: `min D1(eta) + D2(xi)` over `CE(f(x + eta), t) <= kappa`, `x + eta` in the box,
/// `|eta|_inf <= epsilon`, `|xi_ij| <= rows`, `A eta = xi x`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DualOptions {
    /// Largest change of an input, `epsilon_1`.
    pub epsilon: f64,
    /// Largest change of a weight of the first layer, `epsilon_2`; 0 leaves the layer, `D2` and the equality out.
    pub rows: f64,
    /// Least and largest value of an input.
    pub bounds: [f64; 2],
    /// `D1`.
    pub distance: Distance,
    /// `D2`.
    pub polytope: PolytopeSize,
    /// Cross-entropy of the target, in nats, that is aimed at; up to ln 2 the target is the class.
    pub kappa: f64,
    /// Values of the factor `c` of the loss that are tried for each sample.
    pub searches: usize,
    /// Steps for each of them.
    pub steps: usize,
    /// Starts: the sample, and random points of the box.
    pub starts: usize,
    /// Seed of the random points.
    pub seed: u64,
}

impl DualOptions {
    /// Six values of `c` with 40 steps each from the sample, inputs in 0..1, `|eta|_2^2`, the paper's `D2`.
    #[must_use]
    pub fn new(epsilon: f64, rows: f64) -> Self {
        Self {
            epsilon,
            rows,
            bounds: [0.0, 1.0],
            distance: Distance::Squares,
            polytope: PolytopeSize::Printed,
            kappa: std::f64::consts::LN_2,
            searches: 6,
            steps: 40,
            starts: 1,
            seed: 0,
        }
    }

    /// Whether the first layer takes part.
    pub(super) fn dual(&self) -> bool {
        self.rows > 0.0
    }

    /// Fails for settings outside their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] with the setting.
    pub fn check(&self) -> Result<()> {
        check_ball(self.epsilon, self.bounds)?;
        let fail = |argument, problem: String| Err(Error::Argument { argument, problem });
        if !(self.rows >= 0.0 && self.rows.is_finite()) {
            return fail("epsilon2", format!("{} is no bound of weights: at least 0, and finite", self.rows));
        }
        if !(self.kappa > 0.0 && self.kappa.is_finite()) {
            return fail("kappa", format!("{}: a cross-entropy is above 0", self.kappa));
        }
        if self.searches == 0 || self.steps == 0 || self.starts == 0 {
            return fail("steps", "at least one search, one step and one start".to_owned());
        }
        Ok(())
    }
}

/// Fails for a ball or a box of inputs that holds nothing but the sample.
///
/// # Errors
///
/// [`Error::Argument`] with the value.
pub(super) fn check_ball(epsilon: f64, [low, high]: [f64; 2]) -> Result<()> {
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        let problem = format!("{epsilon} is no radius: above 0, and finite");
        return Err(Error::Argument { argument: "epsilon", problem });
    }
    if !(low < high && low.is_finite() && high.is_finite()) {
        let problem = format!("from {low} to {high}: the least value has to be below the largest");
        return Err(Error::Argument { argument: "box", problem });
    }
    Ok(())
}

/// Gradient steps in the largest norm: FGSM (Goodfellow et al., 2015), PGD (Madry et al., 2018), and steps that adapt
/// (after Croce and Hein, *Reliable evaluation of adversarial robustness*, 2020).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignOptions {
    /// Largest change of an input.
    pub epsilon: f64,
    /// Least and largest value of an input.
    pub bounds: [f64; 2],
    /// Steps from each start.
    pub steps: usize,
    /// Length of a step; of the first one where steps adapt.
    pub length: f64,
    /// Starts: the sample, and random points of the ball.
    pub starts: usize,
    /// Whether steps have momentum and halve where the loss grows too seldom.
    pub adaptive: bool,
    /// Seed of the random points.
    pub seed: u64,
}

impl SignOptions {
    /// One step of the whole radius.
    #[must_use]
    pub fn fgsm(epsilon: f64) -> Self {
        Self { epsilon, bounds: [0.0, 1.0], steps: 1, length: epsilon, starts: 1, adaptive: false, seed: 0 }
    }

    /// Steps of `2.5 epsilon / steps`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
    pub fn pgd(epsilon: f64, steps: usize, starts: usize) -> Self {
        Self { steps, length: 2.5 * epsilon / steps.max(1) as f64, starts, ..Self::fgsm(epsilon) }
    }

    /// Steps that begin at `2 epsilon` and adapt.
    #[must_use]
    pub fn adaptive(epsilon: f64, steps: usize, starts: usize) -> Self {
        Self { steps, length: 2.0 * epsilon, starts, adaptive: true, ..Self::fgsm(epsilon) }
    }

    /// Fails for settings outside their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] with the setting.
    pub fn check(&self) -> Result<()> {
        check_ball(self.epsilon, self.bounds)?;
        if self.steps == 0 || self.starts == 0 || self.length.is_nan() || self.length <= 0.0 {
            let problem = "at least one step above 0 and one start".to_owned();
            return Err(Error::Argument { argument: "steps", problem });
        }
        Ok(())
    }
}
