//! Operators that look at several elements at once: pooling, means, norms, softmax.

use super::build::{Builder, Held, Ruled};
use super::step::Step;
use super::window::Windows;
use crate::backend::{Combination, Function, Pooling, Reduction, RowNorm, Window};
use crate::network::spaces::{Attribute, axis};

impl Builder<'_> {
    pub(super) fn reduction(&mut self, kind: &str) -> Option<Ruled<Vec<Held>>> {
        let held = match kind {
            "MaxPool" => self.pool(Pooling::Max),
            "AveragePool" if self.now().int("count_include_pad", 0) != 0 => self.pool(Pooling::AveragePadded),
            "AveragePool" => self.pool(Pooling::Average),
            "GlobalAveragePool" => self.global(Reduction::Mean),
            "GlobalMaxPool" => self.global(Reduction::Max),
            "ReduceMean" => self.reduce(Reduction::Mean),
            "ReduceSum" | "ReduceL1" => self.reduce(Reduction::Sum),
            "ReduceMax" => self.reduce(Reduction::Max),
            "ReduceMin" => self.reduce(Reduction::Min),
            "ReduceSumSquare" | "ReduceL2" => self.reduce(Reduction::Squares),
            "Softmax" => self.softmax(RowNorm::Softmax),
            "LogSoftmax" => self.softmax(RowNorm::LogSoftmax),
            "BatchNormalization" => self.batch_norm(),
            "LayerNormalization" => self.layer_norm(true),
            "RMSNormalization" | "SimplifiedLayerNormalization" | "com.microsoft.SimplifiedLayerNormalization" => {
                self.layer_norm(false)
            }
            "InstanceNormalization" | "GroupNormalization" => self.group_norm(kind == "GroupNormalization"),
            "LRN" => self.lrn(),
            "LpNormalization" => self.lp_norm(),
            _ => return None,
        };
        Some(held.map(|held| vec![held]))
    }

    fn float(&self, name: &str, default: f32) -> f32 {
        match self.now().attributes.get(name) {
            Some(Attribute::Float(value)) => *value,
            _ => default,
        }
    }

    fn pool(&mut self, pooling: Pooling) -> Ruled<Held> {
        self.apart()?;
        let (x, shape) = (self.operand(0)?, self.output(0)?);
        let &[images, channels, ref image @ ..] = x.shape.as_slice() else { return Err("reads no image".to_owned()) };
        let kernel = self.now().ints("kernel_shape").ok_or("lacks `kernel_shape`")?;
        let kernel: Vec<usize> = kernel.iter().map(|size| usize::try_from(*size).unwrap_or(0).max(1)).collect();
        let windows = Windows::of(self.now(), image, &kernel, &shape[2..])?;
        if pooling == Pooling::AveragePadded && windows.beyond().iter().any(|beyond| *beyond > 0) {
            return Err("counts padding, but not what lies beyond it".to_owned());
        }
        if let Some(window) = windows.flat(channels) {
            return self.push(Step::Pool { window, pooling }, &[&x], shape);
        }
        // Maxima and means over boxes are those along the last two axes, and then along the others one by one.
        let [.., height, width] = *image else { return Err("reads no image".to_owned()) };
        let ahead = image.len() - 2;
        let outer: usize = image[..ahead].iter().product();
        let two = |values: &[usize]| [values[ahead], values[ahead + 1]];
        let beyond = windows.beyond();
        let window = Window {
            image: [channels * outer, height, width],
            kernel: two(&windows.kernel),
            stride: two(&windows.strides),
            padding: [
                windows.front[ahead],
                windows.front[ahead + 1],
                windows.behind[ahead] + beyond[ahead],
                windows.behind[ahead + 1] + beyond[ahead + 1],
            ],
            dilation: two(&windows.dilations),
        };
        let mut lengths = image.to_vec();
        lengths[ahead..].copy_from_slice(&windows.places[ahead..]);
        let sized = |lengths: &[usize]| [&[images, channels], lengths].concat();
        let mut held = self.push(Step::Pool { window, pooling }, &[&x], sized(&lengths))?;
        for at in (0..ahead).rev() {
            let before: usize = lengths[..at].iter().product();
            let after: usize = lengths[at + 1..].iter().product();
            let window = Window {
                kernel: [windows.kernel[at], 1],
                stride: [windows.strides[at], 1],
                padding: [windows.front[at], 0, windows.behind[at] + beyond[at], 0],
                dilation: [windows.dilations[at], 1],
                ..Window::new([channels * before, lengths[at], after], [1, 1])
            };
            lengths[at] = windows.places[at];
            held = self.push(Step::Pool { window, pooling }, &[&held], sized(&lengths))?;
        }
        Ok(held)
    }

    fn global(&mut self, reduction: Reduction) -> Ruled<Held> {
        self.apart()?;
        let (x, shape) = (self.operand(0)?, self.output(0)?);
        let columns = x.shape.iter().skip(2).product();
        self.push(Step::Reduce { columns, reduction }, &[&x], shape)
    }

    fn reduce(&mut self, reduction: Reduction) -> Ruled<Held> {
        let (mut x, shape) = (self.operand(0)?, self.output(0)?);
        let rank = x.shape.len();
        let axes = match self.integers(1).or_else(|| self.now().ints("axes").map(<[i64]>::to_vec)) {
            Some(axes) if !axes.is_empty() => axes,
            _ if self.has(1) && self.integers(1).is_none() => return Err("has axes that are computed".to_owned()),
            _ if self.now().int("noop_with_empty_axes", 0) != 0 => return Ok(x),
            _ => (0..i64::try_from(rank).unwrap_or(0)).collect(),
        };
        let axes: Vec<usize> = axes.iter().map(|at| axis(*at, rank)).collect::<Option<_>>().ok_or("has other axes")?;
        if self.counts_samples(0, &axes) {
            return Err("mixes samples".to_owned());
        }
        if self.now().kind == "ReduceL1" {
            x = self.map(Step::Function(Function::Abs), &x)?;
        }
        let order: Vec<usize> = (0..rank).filter(|at| !axes.contains(at)).chain(axes.iter().copied()).collect();
        let columns = axes.iter().map(|at| x.shape[*at]).product();
        let last = self.transposed(&x, &order)?;
        let reduced = self.push(Step::Reduce { columns, reduction }, &[&last], shape)?;
        if self.now().kind == "ReduceL2" {
            return self.map(Step::Function(Function::Sqrt), &reduced);
        }
        Ok(reduced)
    }

    /// A value with some axes last, worked on, and put back.
    fn behind(
        &mut self,
        x: &Held,
        axes: &[usize],
        work: impl FnOnce(&mut Self, &Held, usize) -> Ruled<Held>,
    ) -> Ruled<Held> {
        let rank = x.shape.len();
        let order: Vec<usize> = (0..rank).filter(|at| !axes.contains(at)).chain(axes.iter().copied()).collect();
        let columns = axes.iter().map(|at| x.shape[*at]).product();
        let last = self.transposed(x, &order)?;
        let done = work(self, &last, columns)?;
        let mut back = vec![0; rank];
        order.iter().enumerate().for_each(|(at, from)| back[*from] = at);
        self.transposed(&done, &back)
    }

    fn softmax(&mut self, norm: RowNorm) -> Ruled<Held> {
        let x = self.operand(0)?;
        let rank = x.shape.len();
        // Before version 13 it was over all axes from one on.
        let old = self.graph.opset < 13;
        let first = self.axis(if old { 1 } else { -1 }, rank)?;
        let axes: Vec<usize> = if old { (first..rank).collect() } else { vec![first] };
        if self.counts_samples(0, &axes) {
            return Err("mixes samples".to_owned());
        }
        self.behind(&x, &axes, |builder, x, columns| builder.map(Step::Normalize { columns, norm }, x))
    }

    /// A vector of a number for each channel, with axes behind it for those of an image.
    fn by_channel(&mut self, input: usize, rank: usize) -> Ruled<Held> {
        let vector = self.operand(input)?;
        let length = vector.shape.iter().product();
        let mut shape = vec![1; rank - 1];
        shape[0] = length;
        Ok(Held { slot: vector.slot, shape })
    }

    /// A factor and a shift for each channel, inputs 1 and 2.
    fn scaled(&mut self, x: &Held) -> Ruled<Held> {
        let (factor, shift) = (self.by_channel(1, x.shape.len())?, self.by_channel(2, x.shape.len())?);
        let product = self.combined(x, &factor, Combination::Multiply)?;
        self.combined(&product, &shift, Combination::Add)
    }

    fn batch_norm(&mut self) -> Ruled<Held> {
        let x = self.operand(0)?;
        if self.now().int("training_mode", 0) != 0 || x.shape.len() < 2 {
            return Err("is in training".to_owned());
        }
        let (scale, shift) = (self.constant(1)?, self.constant(2)?);
        let (mean, variance) = (self.constant(3)?, self.constant(4)?);
        let epsilon = f64::from(self.float("epsilon", 1e-5));
        // Scale and shift on their own, behind a norm by constants, or all in one.
        let own = |values: &[f32], at: usize, none: f64| if self.apart { none } else { f64::from(values[at]) };
        let factor = |at: usize| own(&scale, at, 1.0) / (f64::from(variance[at]) + epsilon).sqrt();
        if [&shift, &mean, &variance].iter().any(|values| values.len() != scale.len()) {
            return Err("has vectors of different lengths".to_owned());
        }
        let factors: Vec<f64> = (0..scale.len()).map(factor).collect();
        let shifts = (0..scale.len()).map(|at| own(&shift, at, 0.0) - factors[at] * f64::from(mean[at]));
        let shifts: Vec<f32> = shifts.map(super::build::narrow).collect();
        let factors: Vec<f32> = factors.into_iter().map(super::build::narrow).collect();
        let mut shape = vec![1; x.shape.len() - 1];
        shape[0] = scale.len();
        let (factors, shifts) = (self.fixed(shape.clone(), factors), self.fixed(shape, shifts));
        let product = self.combined(&x, &factors, Combination::Multiply)?;
        let normed = self.combined(&product, &shifts, Combination::Add)?;
        if self.apart { self.scaled(&normed) } else { Ok(normed) }
    }

    fn layer_norm(&mut self, centred: bool) -> Ruled<Held> {
        let x = self.operand(0)?;
        let rank = x.shape.len();
        let first = self.axis(-1, rank)?;
        let axes: Vec<usize> = (first..rank).collect();
        if self.counts_samples(0, &axes) || (self.now().outputs.len() > 1 && self.now().outputs[1].is_some()) {
            return Err("gives its statistics, or mixes samples".to_owned());
        }
        let epsilon = self.float("epsilon", 1e-5);
        let norm = if centred { RowNorm::Standard { epsilon } } else { RowNorm::RootMeanSquare { epsilon } };
        let columns = axes.iter().map(|at| x.shape[*at]).product();
        let mut held = self.map(Step::Normalize { columns, norm }, &x)?;
        for (input, how) in [(1, Combination::Multiply), (2, Combination::Add)] {
            if self.has(input) {
                let vector = self.operand(input)?;
                held = self.combined(&held, &vector, how)?;
            }
        }
        Ok(held)
    }

    fn group_norm(&mut self, grouped: bool) -> Ruled<Held> {
        self.apart()?;
        let x = self.operand(0)?;
        let channels = *x.shape.get(1).ok_or("has no channels")?;
        let groups = if grouped { usize::try_from(self.now().int("num_groups", 1)).unwrap_or(0) } else { channels };
        if groups == 0 || channels % groups != 0 {
            return Err(format!("makes {groups} groups of {channels} channels"));
        }
        let columns = channels / groups * x.shape[2..].iter().product::<usize>();
        let norm = RowNorm::Standard { epsilon: self.float("epsilon", 1e-5) };
        let normal = self.map(Step::Normalize { columns, norm }, &x)?;
        let factors = self.operand(1)?.shape.iter().product::<usize>();
        if factors == channels {
            return self.scaled(&normal);
        }
        // Before version 21 one factor for each group.
        let apart = Held { slot: normal.slot, shape: vec![x.shape[0], groups, columns] };
        let scaled = self.scaled(&apart)?;
        Ok(Held { slot: scaled.slot, shape: x.shape })
    }

    /// `x / (bias + alpha / size * sum of squares over size channels)^beta`.
    fn lrn(&mut self) -> Ruled<Held> {
        self.apart()?;
        let x = self.operand(0)?;
        let &[_, channels, ref image @ ..] = x.shape.as_slice() else { return Err("has no channels".to_owned()) };
        let size = usize::try_from(self.now().int("size", 1)).unwrap_or(0).max(1);
        let squares = self.combined(&x, &x, Combination::Multiply)?;
        let before = (size - 1) / 2;
        let window = Window {
            padding: [before, 0, size - 1 - before, 0],
            ..Window::new([1, channels, image.iter().product()], [size, 1])
        };
        let step = Step::Pool { window, pooling: Pooling::AveragePadded };
        let mean = self.push(step, &[&squares], x.shape.clone())?;
        let scaled = self.map(Step::Scale(self.float("alpha", 1e-4)), &mean)?;
        let shift = self.fixed(Vec::new(), vec![self.float("bias", 1.0)]);
        let sum = self.combined(&scaled, &shift, Combination::Add)?;
        let exponent = -self.float("beta", 0.75);
        let factor = self.map(Step::Function(Function::Power { exponent }), &sum)?;
        self.combined(&x, &factor, Combination::Multiply)
    }

    fn lp_norm(&mut self) -> Ruled<Held> {
        let x = self.operand(0)?;
        let along = self.axis(-1, x.shape.len())?;
        if self.now().int("p", 2) != 2 || self.counts_samples(0, &[along]) {
            return Err("is no Euclidean norm of a sample".to_owned());
        }
        self.behind(&x, &[along], |builder, x, columns| {
            let mut shape = x.shape.clone();
            shape.last_mut().into_iter().for_each(|length| *length = 1);
            let squares = builder.push(Step::Reduce { columns, reduction: Reduction::Squares }, &[x], shape)?;
            let norm = builder.map(Step::Function(Function::Sqrt), &squares)?;
            builder.combined(x, &norm, Combination::Divide)
        })
    }
}
