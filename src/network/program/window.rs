//! Windows over images of any number of axes, as operators give them.

use super::build::Ruled;
use crate::backend::Window;
use crate::network::spaces::Operator;

/// Windows along each axis of an image.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    pub(super) image: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Zeros in front of each axis, and behind it.
    pub(super) front: Vec<usize>,
    pub(super) behind: Vec<usize>,
    /// Places of each axis.
    pub(super) places: Vec<usize>,
}

impl Windows {
    /// The windows of an operator over `image` that has `places` of them.
    pub(super) fn of(operator: &Operator, image: &[usize], kernel: &[usize], places: &[usize]) -> Ruled<Self> {
        let axes = image.len();
        if kernel.len() != axes || places.len() != axes {
            return Err(format!("has windows of {kernel:?} on {image:?}"));
        }
        let given = |name: &str, default: usize, count: usize| match operator.ints(name) {
            Some(values) if values.len() == count => {
                let values: Option<Vec<usize>> = values.iter().map(|value| usize::try_from(*value).ok()).collect();
                values.ok_or_else(|| format!("has {name} below 0"))
            }
            Some(values) => Err(format!("has {} {name} for {axes} axes", values.len())),
            None => Ok(vec![default; count]),
        };
        let (strides, dilations) = (given("strides", 1, axes)?, given("dilations", 1, axes)?);
        let pads = given("pads", 0, 2 * axes)?;
        let (mut front, mut behind) = (pads[..axes].to_vec(), pads[axes..].to_vec());
        let auto = operator.text("auto_pad").unwrap_or("NOTSET");
        for axis in 0..axes {
            let span = dilations[axis] * (kernel[axis].max(1) - 1) + 1;
            let needed = (places[axis].max(1) - 1) * strides[axis] + span;
            if auto.starts_with("SAME") {
                let pad = needed.saturating_sub(image[axis]);
                let less = pad / 2;
                (front[axis], behind[axis]) =
                    if auto == "SAME_UPPER" { (less, pad - less) } else { (pad - less, less) };
            }
        }
        Ok(Self {
            image: image.to_vec(),
            kernel: kernel.to_vec(),
            strides,
            dilations,
            front,
            behind,
            places: places.to_vec(),
        })
    }

    /// What the last windows reach beyond the padding, along each axis.
    pub(super) fn beyond(&self) -> Vec<usize> {
        let along = |axis: usize| {
            let span = self.dilations[axis] * (self.kernel[axis] - 1) + 1;
            let end = (self.places[axis] - 1) * self.strides[axis] + span;
            end.saturating_sub(self.front[axis] + self.image[axis] + self.behind[axis])
        };
        (0..self.image.len()).map(along).collect()
    }

    /// The windows over two axes; one axis is an image of one line.
    pub(super) fn flat(&self, channels: usize) -> Option<Window> {
        let axes = self.image.len();
        let two = |values: &[usize], none: usize| match *values {
            [a] => Some([none, a]),
            [a, b] => Some([a, b]),
            _ => None,
        };
        let ([height, width], beyond) = (two(&self.image, 1)?, self.beyond());
        let behind: Vec<usize> = (0..axes).map(|axis| self.behind[axis] + beyond[axis]).collect();
        let ([top, left], [bottom, right]) = (two(&self.front, 0)?, two(&behind, 0)?);
        Some(Window {
            image: [channels, height, width],
            kernel: two(&self.kernel, 1)?,
            stride: two(&self.strides, 1)?,
            padding: [top, left, bottom, right],
            dilation: two(&self.dilations, 1)?,
        })
    }

    /// For each place and entry the number of the element in a channel, none in the padding: `places x entries`.
    pub(super) fn elements(&self) -> Vec<Option<usize>> {
        let (places, entries) = (counted(&self.places), counted(&self.kernel));
        let mut all = Vec::with_capacity(places.len() * entries.len());
        for place in &places {
            for entry in &entries {
                let mut number = Some(0);
                for axis in 0..self.image.len() {
                    let at = place[axis] * self.strides[axis] + entry[axis] * self.dilations[axis];
                    let at = at.checked_sub(self.front[axis]).filter(|at| *at < self.image[axis]);
                    number = number.zip(at).map(|(number, at)| number * self.image[axis] + at);
                }
                all.push(number);
            }
        }
        all
    }
}

/// All indices of a box, the last axis innermost.
fn counted(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![Vec::new()], |all, length| {
        let longer = |index: &Vec<usize>| {
            let index = index.clone();
            (0..*length).map(move |at| index.iter().copied().chain([at]).collect())
        };
        all.iter().flat_map(longer).collect()
    })
}
