//! Networks on a plane: any head restricted to two coordinates is a head with two inputs again, since an affine map of
//! an affine map is affine.

mod plane;
mod regions;

use ndarray::{Array1, Array2};

use super::head::Head;
use super::shallow::{ShallowNetwork, arg_max, wide, wide_bias};
use crate::error::{Error, Result};
use crate::geometry::clip::Point;

pub use plane::Plane;
pub use regions::{BoundarySegment, ClassCell, DecisionRegions, decision_regions};

/// A head in f64 whose first layer takes the two coordinates of a plane.
#[derive(Debug, Clone)]
pub struct PlanarNetwork {
    /// Weights and biases from input to output, ReLU between; the first are `m x 2`.
    pub layers: Vec<(Array2<f64>, Array1<f64>)>,
}

impl PlanarNetwork {
    /// Restricts a head to a plane: the first layer becomes `A (o + s u + t v) + c = (A u, A v) (s, t) + (A o + c)`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a plane in another space.
    pub fn restrict(head: &Head, plane: &Plane) -> Result<Self> {
        if head.inputs() != plane.origin.len() {
            let problem = format!("a plane in dimension {}, the network takes {}", plane.origin.len(), head.inputs());
            return Err(Error::Data { problem });
        }
        let layer = |layer: &super::HeadLayer| {
            (wide(&layer.weight), wide_bias(layer.bias.as_ref(), layer.weight.matrix_shape()[0]))
        };
        let mut layers: Vec<(Array2<f64>, Array1<f64>)> = head.layers.iter().map(layer).collect();
        if let Some((weights, bias)) = layers.first_mut() {
            let along = |direction: &[f64]| weights.dot(&ndarray::ArrayView1::from(direction));
            let (offset, columns) = (along(&plane.origin), plane.axes.each_ref().map(|axis| along(axis)));
            let restricted = Array2::from_shape_fn((weights.nrows(), 2), |(i, t)| columns[t][i]);
            *bias += &offset;
            *weights = restricted;
        }
        Ok(Self { layers })
    }

    /// The shallow network, where there is one hidden layer.
    ///
    /// # Errors
    ///
    /// What [`ShallowNetwork::new`] returns.
    pub fn shallow(&self) -> Result<Option<ShallowNetwork>> {
        let [(rows, constants), (coefficients, biases)] = self.layers.as_slice() else { return Ok(None) };
        ShallowNetwork::new(rows.clone(), constants.clone(), coefficients.clone(), biases.clone()).map(Some)
    }

    /// The logits at a point of the plane.
    #[must_use]
    pub fn logits(&self, point: Point) -> Vec<f64> {
        let mut signal = Array1::from(point.to_vec());
        for (number, (weights, bias)) in self.layers.iter().enumerate() {
            signal = weights.dot(&signal) + bias;
            if number + 1 < self.layers.len() {
                signal.mapv_inplace(|z| z.max(0.0));
            }
        }
        signal.to_vec()
    }

    /// The class at a point of the plane, the lowest on ties.
    #[must_use]
    pub fn class(&self, point: Point) -> usize {
        arg_max(&self.logits(point))
    }
}
