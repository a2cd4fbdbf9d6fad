//! The cheapest perturbation of a row of the first layer that acts on one sample as a perturbation of its input does.
//!
//! `V(r) = min 1/2 |xi|^2` over `<xi, x> = r`, `|xi_j| <= e` is attained by `xi_j = clip(nu x_j, -e, e)`, where `nu` is odd in
//! `r` and `V' = nu`. Each entry that saturates makes the slope of `nu` larger: with `|x_(0)| >= |x_(1)| >= ...` and
//! `Q_m = sum_(j >= m) x_(j)^2`
//!
//! ```text
//! nu(r) = r / Q_0 + sum_(m >= 1) (1 / Q_m - 1 / Q_(m-1)) max(r - rho_m, 0)      for r >= 0
//! rho_m = e (sum_(j < m) |x_(j)| + Q_m / |x_(m-1)|)                             the entry m - 1 saturates
//! ```
//!
//! There is such a row iff `|r| <= e |x|_1`.

/// `nu` of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Saturation {
    /// `1 / Q_0`; 0 for a sample that is zero.
    pub slope: f64,
    /// `rho_m` and by what the slope grows there, ascending.
    pub hinges: Vec<[f64; 2]>,
    /// `e |x|_1`.
    pub limit: f64,
}

impl Saturation {
    /// Of a sample and the bound `e` of each entry; hinges from `reach` on are left out.
    #[must_use]
    pub fn of(sample: &[f64], bound: f64, reach: f64) -> Self {
        let mut sizes: Vec<f64> = sample.iter().map(|x| x.abs()).filter(|x| *x > 0.0).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        let mut left = vec![0.0; sizes.len() + 1];
        for (m, size) in sizes.iter().enumerate().rev() {
            left[m] = left[m + 1] + size * size;
        }
        let slope = if left[0] > 0.0 { 1.0 / left[0] } else { 0.0 };
        let (mut hinges, mut before): (Vec<[f64; 2]>, f64) = (Vec::new(), 0.0);
        for (m, size) in sizes.iter().enumerate() {
            before += size;
            let (rest, old) = (left[m + 1], left[m]);
            let hinge = bound * (before + rest / size);
            // Beyond the last hinge nothing is left that could grow.
            if rest <= 0.0 || hinge >= reach {
                break;
            }
            let growth = 1.0 / rest - 1.0 / old;
            match hinges.last_mut() {
                // Entries of one size saturate together.
                Some(last) if hinge <= last[0] * (1.0 + 1e-12) => last[1] += growth,
                _ => hinges.push([hinge, growth]),
            }
        }
        Self { slope, hinges, limit: bound * sizes.iter().sum::<f64>() }
    }

    /// `nu(r)`.
    #[must_use]
    pub fn multiplier(&self, r: f64) -> f64 {
        let size = r.abs();
        let hinges: f64 = self.hinges.iter().map(|[at, growth]| growth * (size - at).max(0.0)).sum();
        (self.slope * size + hinges).copysign(r)
    }

    /// `V(r)`.
    #[must_use]
    pub fn value(&self, r: f64) -> f64 {
        let size = r.abs();
        let hinges: f64 = self.hinges.iter().map(|[at, growth]| growth * (size - at).max(0.0).powi(2)).sum();
        0.5 * (self.slope * size * size + hinges)
    }

    /// Whether a row of bounded entries gives `r`, up to a relative rounding of 1e-6.
    #[must_use]
    pub fn reaches(&self, r: f64) -> bool {
        r.abs() <= self.limit * (1.0 + 1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_by_hand() {
        // x = (2, 1), e = 1: both free up to nu = 1/2, r = 2.5; then xi = (1, nu) until r = 3.
        let found = Saturation::of(&[1.0, -2.0], 1.0, 3.0);
        assert_eq!(found, Saturation { slope: 0.2, hinges: vec![[2.5, 0.8]], limit: 3.0 });
        for (r, nu, value) in [(1.0, 0.2, 0.1), (-2.5, -0.5, 0.625), (3.0, 1.0, 1.0)] {
            assert!((found.multiplier(r) - nu).abs() < 1e-12, "{r}");
            assert!((found.value(r) - value).abs() < 1e-12, "{r}");
        }
        assert!(found.reaches(3.0) && !found.reaches(3.1));
    }

    #[test]
    fn the_row_gives_the_product_and_no_other_is_shorter() {
        let sample = [0.3, -1.2, 0.0, 0.7, 0.7, 2.0];
        let bound = 0.4;
        let found = Saturation::of(&sample, bound, f64::INFINITY);
        let row = |r: f64| sample.map(|x| (found.multiplier(r) * x).clamp(-bound, bound));
        for step in 1..=49 {
            let r = found.limit * f64::from(step) / 50.0;
            let xi = row(r);
            let product: f64 = xi.iter().zip(sample).map(|(xi, x)| xi * x).sum();
            assert!((product - r).abs() < 1e-9, "{r}: {product}");
            assert!((xi.iter().map(|xi| 0.5 * xi * xi).sum::<f64>() - found.value(r)).abs() < 1e-9);
            // The slope of the value is nu; a wrong hinge would show here.
            let h = 1e-6;
            let slope = (found.value(r + h) - found.value(r - h)) / (2.0 * h);
            assert!((slope - found.multiplier(r)).abs() < 1e-5, "{r}");
        }
    }

    #[test]
    fn a_sample_that_is_zero_moves_nothing() {
        let found = Saturation::of(&[0.0, 0.0], 1.0, 9.0);
        assert_eq!(found, Saturation { slope: 0.0, hinges: Vec::new(), limit: 0.0 });
        assert!(found.reaches(0.0) && !found.reaches(1e-9));
    }
}
