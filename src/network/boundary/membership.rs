//! Points of the decision boundary, and whether they lie in the hypersurface of `R`: the corrected theorem 2.

use ndarray::{Array2, Axis, s};
use rand::RngExt;
use serde::Serialize;

use crate::backend::{Backend, DeviceKind, Reference};
use crate::error::Result;
use crate::network::shallow::ShallowNetwork;
use crate::network::tropicalize::BoundaryMap;
use crate::rng;
use crate::tropical::narrow;

/// Where a point of the decision boundary lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// In `T(R)`: two monomials of different classes with different exponents attain the maximum.
    Hypersurface,
    /// In `T(R)` because a neuron of the largest class has its kink there, while the classes agree around it.
    Kink,
    /// Outside `T(R)`: two classes agree on a neighbourhood, so that one monomial alone attains the maximum. This is
    /// where theorem 2 as printed fails.
    Dead,
    /// Not on the boundary: the two largest values differ.
    Off,
}

/// The arithmetic that values were computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Values agree within `1e-9 (1 + |R|)`.
    Double,
    /// Values agree within `1e-4` times the sum of the terms `w_ij |A_j x + c_j|` and of the biases, plus `1e-7` times
    /// that of the `w_ij ||(A_j, c_j)||`: near the origin of a network without biases all terms vanish.
    Single,
}

/// What a test of many points found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BoundaryTest {
    /// Points of the decision boundary that were tested.
    pub points: usize,
    /// Of these, in the hypersurface by two classes.
    pub hypersurface: usize,
    /// In the hypersurface by a kink only.
    pub kink: usize,
    /// In a region where two classes agree.
    pub dead: usize,
    /// Not recognised as boundary points: violations.
    pub off: usize,
    /// The largest gap between the two largest values, as a share of its tolerance.
    pub largest_gap: f64,
}

/// Points of the decision boundary: pairs of points of different classes, drawn from a normal distribution of the given
/// radius around `centre` (stream `boundary`), bisected in f64 until nothing is between them.
///
/// Stops after `20 count` pairs, so that a network that hardly decides otherwise gives fewer. Returns `m x n`, `m <=
/// count`.
#[must_use]
pub fn boundary_points(shallow: &ShallowNetwork, count: usize, centre: &[f64], radius: f64, seed: u64) -> Array2<f64> {
    let mut stream = rng::stream(seed, "boundary");
    let mut draw = || -> Vec<f64> {
        // Twelve uniform values have variance one.
        centre.iter().map(|c| c + radius * ((0..12).map(|_| stream.random::<f64>()).sum::<f64>() - 6.0)).collect()
    };
    let mut points = Array2::zeros((0, centre.len()));
    for _ in 0..20 * count {
        if points.nrows() == count {
            break;
        }
        let (mut a, mut b) = (draw(), draw());
        let (class, other) = (shallow.class(&a), shallow.class(&b));
        if class == other {
            continue;
        }
        for _ in 0..80 {
            let middle: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 0.5 * (a + b)).collect();
            let end = if shallow.class(&middle) == class { &mut a } else { &mut b };
            *end = middle;
        }
        // The shapes fit: one row of `n`.
        let _ = points.push(Axis(0), ndarray::ArrayView1::from(&a));
    }
    points
}

/// Tells where a point of the boundary lies, from the values `R_i` and the pattern `1[A x + c > 0]` that some backend
/// computed; returns the gap of the two largest values as a share of its tolerance as well.
///
/// The pattern decides which monomials attain the maximum: `(w_i - w_l) o s . A = 0` for the two largest classes means
/// that their exponents agree.
#[must_use]
pub fn membership(
    map: &BoundaryMap,
    x: &[f64],
    values: &[f64],
    active: impl Fn(usize) -> bool,
    precision: Precision,
) -> (Membership, f64) {
    if values.len() < 2 {
        return (Membership::Off, f64::INFINITY);
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let [first, second] = [order[0], order[1]];
    let preactivations = map.preactivations(x);
    let tolerance = match precision {
        Precision::Double => 1e-9 * (1.0 + values[first].abs()),
        Precision::Single => {
            let terms = |class: usize| {
                let neurons = preactivations.iter().zip(map.weights.row(class)).map(|(z, w)| w * z.abs()).sum::<f64>();
                let linear = map.shift.iter().zip(x).map(|(s, x)| (s * x).abs()).sum::<f64>();
                neurons + linear + map.biases[class].abs()
            };
            let unit = |class: usize| {
                let sizes = map.generators.rows().into_iter().map(|g| g.iter().map(|a| a * a).sum::<f64>().sqrt());
                sizes.zip(map.weights.row(class)).map(|(size, w)| w * size).sum::<f64>()
            };
            1e-4 * terms(first).max(terms(second)) + 1e-7 * unit(first).max(unit(second))
        }
    };
    let gap = values[first] - values[second];
    let share = if gap == 0.0 { 0.0 } else { gap / tolerance };
    if gap > tolerance {
        return (Membership::Off, share);
    }
    let n = map.shift.len();
    let (mut difference, mut scale) = (vec![0.0; n], 0.0);
    let norm = |j: usize| map.generators.row(j).iter().take(n).map(|a| a * a).sum::<f64>().sqrt();
    for j in (0..preactivations.len()).filter(|j| active(*j)) {
        let weight = map.weights[[first, j]] - map.weights[[second, j]];
        difference.iter_mut().zip(map.generators.row(j)).for_each(|(sum, a)| *sum += weight * a);
        scale += map.weights[[first, j]].max(map.weights[[second, j]]) * norm(j);
    }
    if difference.iter().map(|d| d * d).sum::<f64>().sqrt() > 1e-9 * scale {
        return (Membership::Hypersurface, share);
    }
    let near = if precision == Precision::Double { 1e-9 } else { 1e-5 };
    let extent = 1.0 + x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let kink = (0..preactivations.len()).any(|j| {
        norm(j) > 0.0
            && preactivations[j].abs() <= near * extent * (norm(j) + map.generators[[j, n]].abs())
            && order.iter().take_while(|i| values[first] - values[**i] <= tolerance).any(|i| map.weights[[*i, j]] > 0.0)
    });
    (if kink { Membership::Kink } else { Membership::Dead }, share)
}

/// Operands of the test on a device.
struct Operands<M> {
    weights: M,
    generators: M,
    rows: M,
    constants: M,
    points: M,
    lifted: M,
}

impl Operands<Array2<f64>> {
    fn new(map: &BoundaryMap, points: &Array2<f64>) -> Self {
        let n = map.shift.len();
        Self {
            weights: map.weights.clone(),
            generators: map.generators.clone(),
            rows: map.generators.slice(s![.., ..n]).to_owned(),
            constants: map.generators.slice(s![.., n..]).t().to_owned(),
            points: points.clone(),
            lifted: BoundaryMap::lifted(points),
        }
    }

    fn upload<B: Backend>(&self, backend: &B) -> Result<Operands<B::Matrix>> {
        let upload = |matrix: &Array2<f64>, what| backend.upload(&narrow(matrix, what)?);
        Ok(Operands {
            weights: upload(&self.weights, "weight")?,
            generators: upload(&self.generators, "generator")?,
            rows: upload(&self.rows, "row")?,
            constants: upload(&self.constants, "constant")?,
            points: upload(&self.points, "point")?,
            lifted: upload(&self.lifted, "point")?,
        })
    }
}

/// Support functions of the class zonotopes, and activation patterns.
fn computed<B: Backend>(backend: &B, operands: &Operands<B::Matrix>) -> Result<(Array2<f64>, Vec<u32>)> {
    let Operands { weights, generators, rows, constants, points, lifted } = operands;
    let supports = backend.class_supports(weights, generators, lifted)?;
    let patterns = backend.activation_patterns(rows, Some(constants), points)?;
    Ok((backend.download(&supports)?, backend.download_indices(&patterns)?))
}

/// Tests points of the boundary with the support functions and activation patterns that a backend computes, in
/// [`Precision::Double`] on the reference, whose operands are the f64 values as they are, and in [`Precision::Single`]
/// on the others.
///
/// # Errors
///
/// [`Error::Data`](crate::Error::Data) for numbers beyond f32, and what the backend returns.
pub fn test_boundary<B: Backend>(backend: &B, map: &BoundaryMap, points: &Array2<f64>) -> Result<BoundaryTest> {
    let mut found = BoundaryTest { points: points.nrows(), ..BoundaryTest::default() };
    if points.nrows() == 0 {
        return Ok(found);
    }
    let operands = Operands::new(map, points);
    let ((supports, patterns), precision) = match backend.device().kind {
        DeviceKind::Reference => (computed(&Reference::new(), &operands)?, Precision::Double),
        _ => (computed(backend, &operands.upload(backend)?)?, Precision::Single),
    };
    let values = map.with_shift(&supports, points);
    let words = map.generators.nrows().div_ceil(32);
    for (i, x) in points.rows().into_iter().enumerate() {
        let active = |j: usize| patterns[i * words + j / 32] >> (j % 32) & 1 == 1;
        let (place, share) = membership(map, &x.to_vec(), &values.row(i).to_vec(), active, precision);
        match place {
            Membership::Hypersurface => found.hypersurface += 1,
            Membership::Kink => found.kink += 1,
            Membership::Dead => found.dead += 1,
            Membership::Off => found.off += 1,
        }
        found.largest_gap = found.largest_gap.max(share);
    }
    Ok(found)
}
