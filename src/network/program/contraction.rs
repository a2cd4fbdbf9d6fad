//! Operators that sum products: convolutions, products of matrices.

use super::build::{Builder, Held, Ruled};
use super::source::{Fixed, numbers};
use super::step::{Step, Weights};
use super::window::Windows;
use crate::backend::Window;
use crate::network::spaces::Attribute;

impl Builder<'_> {
    pub(super) fn contraction(&mut self, kind: &str) -> Option<Ruled<Vec<Held>>> {
        let held = match kind {
            "Conv" => self.conv(),
            "ConvTranspose" => self.conv_transpose(),
            "Gemm" => self.gemm(),
            "MatMul" => self.matmul(),
            _ => return None,
        };
        Some(held.map(|held| vec![held]))
    }

    fn groups(&self) -> usize {
        usize::try_from(self.now().int("group", 1)).unwrap_or(0).max(1)
    }

    fn bias(&mut self, outputs: usize) -> Ruled<Option<Fixed>> {
        if !self.has(2) {
            return Ok(None);
        }
        let bias = self.weights(2)?;
        let count = bias.values.len();
        if count == outputs { Ok(Some(bias)) } else { Err(format!("has {count} biases for {outputs}")) }
    }

    fn conv(&mut self) -> Ruled<Held> {
        self.apart()?;
        let (x, weight, shape) = (self.operand(0)?, self.operand(1)?, self.output(0)?);
        let values = self.weights(1)?;
        let (&[_, channels, ref image @ ..], &[outputs, _, ref kernel @ ..]) =
            (x.shape.as_slice(), weight.shape.as_slice())
        else {
            return Err(format!("has weights of shape {:?}", weight.shape));
        };
        let windows = Windows::of(self.now(), image, kernel, &shape[2..])?;
        let (groups, bias) = (self.groups(), self.bias(outputs)?);
        let weights = Weights { outputs, weight: values, bias };
        match windows.flat(channels) {
            Some(window) => self.push(Step::conv(window, groups, weights), &[&x], shape),
            None => self.unfolded(&x, &windows, groups, weights, shape),
        }
    }

    /// A convolution over three axes or more: its windows as rows, group by group.
    fn unfolded(
        &mut self,
        x: &Held,
        windows: &Windows,
        groups: usize,
        weights: Weights,
        shape: Vec<usize>,
    ) -> Ruled<Held> {
        let (images, channels) = (x.shape[0], x.shape[1] / groups);
        let (plane, entries) = (windows.image.iter().product::<usize>(), windows.kernel.iter().product::<usize>());
        let places = windows.places.iter().product::<usize>();
        let (each, columns, elements) = (weights.outputs / groups, channels * entries, windows.elements());
        let mut parts = Vec::with_capacity(groups);
        for group in 0..groups {
            let mut index = Vec::with_capacity(images * places * columns);
            for image in 0..images {
                for place in 0..places {
                    for channel in 0..channels {
                        let start = ((image * groups + group) * channels + channel) * plane;
                        let window = &elements[place * entries..(place + 1) * entries];
                        let number = |at: &Option<usize>| at.and_then(|at| u32::try_from(start + at).ok());
                        index.extend(window.iter().map(|at| number(at).unwrap_or(u32::MAX)));
                    }
                }
            }
            let rows = self.push(Step::Gather(index), &[x], vec![images * places, columns])?;
            let part = |fixed: &Fixed, rows: usize| fixed.gathered(&numbers(group * rows..(group + 1) * rows));
            let weights = Weights {
                outputs: each,
                weight: part(&weights.weight, each * columns),
                bias: weights.bias.as_ref().map(|bias| part(bias, each)),
            };
            let outputs = self.push(Step::affine(columns, weights), &[&rows], vec![images, places, each])?;
            parts.push(self.transposed(&outputs, &[0, 2, 1])?);
        }
        let joined = match parts.as_slice() {
            [only] => only.clone(),
            all if images == 1 => {
                self.push(Step::Concat, &all.iter().collect::<Vec<_>>(), vec![groups * each * places])?
            }
            _ => return Err("has groups over several images of a sample".to_owned()),
        };
        Ok(Held { slot: joined.slot, shape })
    }

    /// The transpose of a convolution: zeros between the pixels and around them, under the kernel turned round.
    fn conv_transpose(&mut self) -> Ruled<Held> {
        self.apart()?;
        let (x, weight, shape) = (self.operand(0)?, self.operand(1)?, self.output(0)?);
        let (values, groups) = (self.weights(1)?, self.groups());
        let (&[images, channels, ref image @ ..], &[_, each, ref kernel @ ..]) =
            (x.shape.as_slice(), weight.shape.as_slice())
        else {
            return Err(format!("has weights of shape {:?}", weight.shape));
        };
        let axes = image.len();
        let given = |name: &str, default: i64| -> Vec<i64> {
            self.now().ints(name).map_or_else(|| vec![default; 2 * axes], <[i64]>::to_vec)
        };
        let (strides, dilations, pads) = (given("strides", 1), given("dilations", 1), given("pads", 0));
        let mut index = vec![Some(0)];
        let mut wide = Vec::with_capacity(axes);
        for axis in 0..axes {
            let length = |value: i64| usize::try_from(value).map_err(|_| "has lengths below 0".to_owned());
            let (stride, dilation) = (length(strides[axis])?.max(1), length(dilations[axis])?.max(1));
            let front = (dilation * (kernel[axis] - 1)).checked_sub(length(pads[axis])?);
            let front = front.ok_or("cuts more than a window reaches")?;
            // As many as the windows need for all places of the output.
            let all = shape[2 + axis] + dilation * (kernel[axis] - 1);
            wide.push(all);
            let along = |at: usize| {
                let at = at.checked_sub(front).filter(|at| at % stride == 0)? / stride;
                (at < image[axis]).then_some(at)
            };
            let longer = |before: &Option<usize>| {
                let before = *before;
                let length = image[axis];
                (0..all).map(move |at| Some(before? * length + along(at)?)).collect::<Vec<_>>()
            };
            index = index.iter().flat_map(longer).collect();
        }
        let plane: usize = image.iter().product();
        let number = |(channel, at): (usize, &Option<usize>)| {
            at.and_then(|at| u32::try_from(channel * plane + at).ok()).unwrap_or(u32::MAX)
        };
        let items = (0..images * channels).flat_map(|channel| index.iter().map(move |at| number((channel, at))));
        let items: Vec<u32> = items.collect();
        let spread = [&[images, channels], wide.as_slice()].concat();
        let spread = self.push(Step::Gather(items), &[&x], spread)?;
        // Weights lie by inputs: turned to outputs, each kernel from its end.
        let (inputs, entries) = (channels / groups, kernel.iter().product::<usize>());
        let mut turned = Vec::with_capacity(values.values.len());
        for output in 0..groups * each {
            let (group, own) = (output / each, output % each);
            for input in 0..inputs {
                let start = ((group * inputs + input) * each + own) * entries;
                turned.extend(numbers(start..start + entries).iter().rev());
            }
        }
        let bias = self.bias(groups * each)?;
        let weights = Weights { outputs: groups * each, weight: values.gathered(&turned), bias };
        let two = |values: &[usize], none: usize| match *values {
            [a] => Ok([none, a]),
            [a, b] => Ok([a, b]),
            _ => Err(format!("has {axes} axes")),
        };
        let dilation: Vec<usize> =
            dilations[..axes].iter().map(|value| usize::try_from(*value).unwrap_or(1).max(1)).collect();
        let [height, width] = two(&wide, 1)?;
        let window = Window { dilation: two(&dilation, 1)?, ..Window::new([channels, height, width], two(kernel, 1)?) };
        self.push(Step::conv(window, groups, weights), &[&spread], shape)
    }

    fn gemm(&mut self) -> Ruled<Held> {
        let (x, weight, shape) = (self.operand(0)?, self.operand(1)?, self.output(0)?);
        let float = |name: &str| match self.now().attributes.get(name) {
            Some(Attribute::Float(value)) => *value,
            _ => 1.0,
        };
        let (alpha, beta) = (float("alpha"), float("beta"));
        if self.now().int("transA", 0) != 0 {
            return Err("turns its input round".to_owned());
        }
        let turn = self.now().int("transB", 0) != 0;
        let &[a, b] = weight.shape.as_slice() else { return Err("has weights of another rank".to_owned()) };
        let (outputs, columns) = if turn { (a, b) } else { (b, a) };
        let values = self.weights(1)?;
        let values = if turn { values } else { values.gathered(&turned([a, b])) };
        let scaled = |fixed: Fixed, by: f32| {
            if by.to_bits() == 1.0_f32.to_bits() {
                fixed
            } else {
                Fixed::computed(fixed.values.iter().map(|value| value * by).collect())
            }
        };
        let bias = match self.has(2).then(|| self.weights(2)).transpose()? {
            Some(bias) if bias.values.len() == outputs => Some(scaled(bias, beta)),
            Some(bias) if bias.values.len() == 1 => Some(Fixed::computed(vec![bias.values[0] * beta; outputs])),
            Some(bias) => return Err(format!("has {} biases for {outputs}", bias.values.len())),
            None => None,
        };
        let weights = Weights { outputs, weight: scaled(values, alpha), bias };
        self.push(Step::affine(columns, weights), &[&x], shape)
    }

    fn matmul(&mut self) -> Ruled<Held> {
        let (a, b, shape) = (self.operand(0)?, self.operand(1)?, self.output(0)?);
        let (ranks, fixed) = ([a.shape.len(), b.shape.len()], [&a, &b].map(|held| self.entries(held).is_some()));
        if ranks.iter().any(|rank| *rank < 2) {
            return Err(format!("multiplies {:?} by {:?}", a.shape, b.shape));
        }
        let flat = |shape: &[usize]| shape[..shape.len() - 2].iter().all(|length| *length == 1);
        let (rows, inner) = (a.shape[ranks[0] - 2], a.shape[ranks[0] - 1]);
        let outputs = b.shape[ranks[1] - 1];
        if fixed[1] && flat(&b.shape) {
            let weight = self.weights(1)?.gathered(&turned([inner, outputs]));
            let weights = Weights { outputs, weight, bias: None };
            return self.push(Step::affine(inner, weights), &[&a], shape);
        }
        if fixed[0] && flat(&a.shape) {
            // Weights on the left: (A B)^T = B^T A^T.
            let mut order: Vec<usize> = (0..ranks[1]).collect();
            order.swap(ranks[1] - 2, ranks[1] - 1);
            let other = self.transposed(&b, &order)?;
            let weights = Weights { outputs: rows, weight: self.weights(0)?, bias: None };
            let mut between = shape.clone();
            let rank = shape.len();
            between.swap(rank - 2, rank - 1);
            let product = self.push(Step::affine(inner, weights), &[&other], between)?;
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank - 2, rank - 1);
            return self.transposed(&product, &order);
        }
        let batch = &shape[..shape.len() - 2];
        let sides = [(&a, [rows, inner]), (&b, [inner, outputs])].map(|(held, own)| (held, [batch, &own].concat()));
        let [a, b] = match sides {
            [(a, of_a), (b, of_b)] => [self.expanded(a, &of_a)?, self.expanded(b, &of_b)?],
        };
        let like = if fixed[0] { b.clone() } else { a.clone() };
        let (a, mut b) = (self.spread(&a, &like)?, self.spread(&b, &like)?);
        if a.slot == b.slot && inner != outputs {
            // One matrix cannot have rows of two lengths.
            b = self.push(Step::Scale(1.0), &[&b], b.shape.clone())?;
        }
        self.push(Step::Matmul { rows, columns: [inner, outputs] }, &[&a, &b], shape)
    }
}

/// Where the entries of the transpose of a matrix stand in it.
fn turned([rows, columns]: [usize; 2]) -> Vec<u32> {
    (0..columns)
        .flat_map(|column| (0..rows).flat_map(move |row| numbers(row * columns + column..row * columns + column + 1)))
        .collect()
}
