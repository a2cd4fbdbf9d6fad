//! Rules of sums over units: the labels of the axis that is summed over end, and those of the outputs begin.

use super::classes::{Balance, NONE};
use super::facet::{Facet, Flow};
use super::grid::broadcast_shape;
use super::walk::{Analysis, Contraction, Heads, Or, Ruled, wrong};

impl Analysis<'_> {
    pub(super) fn contraction_rule(&mut self, kind: &str) -> Option<Ruled<Vec<Flow>>> {
        let one = |flow: Ruled<Flow>| Some(flow.map(|flow| vec![flow]));
        match kind {
            "Conv" => one(self.conv()),
            "ConvTranspose" => one(self.conv_transpose()),
            "Gemm" => one(self.gemm()),
            "MatMul" => one(self.matmul()),
            "Einsum" => one(self.einsum()),
            _ => None,
        }
    }

    /// The facet of an image that lies along its channels; what varies from place to place becomes one unit.
    fn channels(&mut self, flow: &Flow) -> Option<Facet> {
        let mut channels = None;
        for facet in &flow.facets {
            if !facet.varies(1) {
                self.classes.freeze(&facet.labels.items, "slides over them");
                continue;
            }
            let places = (0..flow.shape.len()).filter(|axis| *axis != 1);
            channels = facet.clone().collapsed(places, &mut self.classes);
        }
        channels
    }

    fn conv(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let constant = self.constant(1).or_unknown("has weights that are computed")?;
        let weights = self.graph.weights(constant).map(|tensor| tensor.dimensions().to_vec()).unwrap_or_default();
        let (&[_, channels, ref image @ ..], &[outputs, each, ref kernel @ ..]) =
            (flow.shape.as_slice(), weights.as_slice())
        else {
            return wrong(format!("has weights of shape {weights:?} for {:?}", flow.shape));
        };
        let groups = usize::try_from(self.graph.operators[self.at].int("group", 1)).unwrap_or(0);
        if groups == 0 || each * groups != channels || !outputs.is_multiple_of(groups) || kernel.len() != image.len() {
            return wrong(format!("has weights of shape {weights:?} in {groups} groups for {:?}", flow.shape));
        }
        let mut shape = vec![flow.shape[0], outputs];
        shape.extend(self.windows(image, kernel)?);
        let rank = shape.len();
        let facet = self.channels(&flow);
        let depthwise = each == 1 && groups > 1;
        let axes: &[usize] = if groups == 1 { &[0, 1] } else { &[0] };
        let weight = self.parameter(1, constant, axes)?;
        let on = |axis: usize| {
            weight.facets.iter().find(|facet| facet.along == axis).map(|facet| facet.labels.items.clone())
        };
        let rows = on(0);
        if depthwise {
            // Each output belongs to the unit of the channel that it reads.
            if let Some(rows) = &rows {
                let from = facet.as_ref().map(|facet| facet.line_labels().to_vec());
                for (at, row) in rows.iter().enumerate() {
                    let label = from.as_ref().map_or(NONE, |from| from[at * channels / outputs]);
                    self.classes.tie(*row, label);
                }
            }
        } else if groups == 1 {
            let columns = on(1).unwrap_or_default();
            self.read(&columns, facet.as_ref());
        } else {
            let bucket = |labels: &[u32], of: usize| -> Vec<(u32, u32)> {
                let bucket = |at: usize| u32::try_from(at * groups / of.max(1)).unwrap_or(0);
                labels.iter().enumerate().map(|(at, label)| (*label, bucket(at))).collect()
            };
            if let Some(facet) = &facet {
                let labels = facet.line_labels().to_vec();
                self.classes.balances.push(Balance { buckets: bucket(&labels, channels) });
                if let Some(expected) = self.expected(1, 1) {
                    let same = expected.len() == labels.len()
                        && expected.iter().zip(&labels).all(|(was, label)| *was == self.classes.origin(*label));
                    if !same {
                        return wrong("reads other channels than before");
                    }
                }
                self.own(1, constant, 1, groups, labels);
            }
            if let Some(rows) = &rows {
                self.classes.balances.push(Balance { buckets: bucket(rows, outputs) });
            }
        }
        if !depthwise {
            self.contractions.push(Contraction { operator: self.at, weight: 1, flow: 0, summed: 1, given: 0 });
        }
        self.biased(Flow::plain(shape), rows.map(|rows| Facet::line(rank, 1, rows)))
    }

    /// Ties the columns of weights to the units that they read.
    fn read(&mut self, columns: &[u32], facet: Option<&Facet>) {
        match facet {
            Some(facet) => {
                for (column, label) in columns.iter().zip(facet.line_labels()) {
                    self.classes.tie(*column, *label);
                }
            }
            None => self.classes.freeze(columns, "reads values that cannot go"),
        }
    }

    /// The outputs of a convolution with its bias, input 2.
    fn biased(&mut self, flow: Flow, facet: Option<Facet>) -> Ruled<Flow> {
        let rank = flow.shape.len();
        let flow = flow.with(facet, &mut self.classes);
        if !self.has(2) {
            return Ok(flow);
        }
        let bias = self.operand(2)?;
        self.meet(vec![flow, along_channels(bias, rank)?])
    }

    fn conv_transpose(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let constant = self.constant(1).or_unknown("has weights that are computed")?;
        let weights = self.graph.weights(constant).map(|tensor| tensor.dimensions().to_vec()).unwrap_or_default();
        let operator = &self.graph.operators[self.at];
        let groups = usize::try_from(operator.int("group", 1)).unwrap_or(0);
        let (&[_, channels, ref image @ ..], &[inputs, each, ref kernel @ ..]) =
            (flow.shape.as_slice(), weights.as_slice())
        else {
            return wrong(format!("has weights of shape {weights:?} for {:?}", flow.shape));
        };
        if groups == 0
            || inputs != channels
            || kernel.len() != image.len()
            || operator.text("auto_pad").unwrap_or("NOTSET") != "NOTSET"
        {
            return wrong(format!("has weights of shape {weights:?} for {:?}", flow.shape));
        }
        let mut shape = vec![flow.shape[0], each * groups];
        for (at, (length, size)) in image.iter().zip(kernel).enumerate() {
            let given = |name: &str, at: usize, default: i64| {
                operator.ints(name).and_then(|values| values.get(at)).copied().unwrap_or(default)
            };
            let signed = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
            let span = given("dilations", at, 1) * (signed(*size) - 1) + 1;
            let pads = given("pads", at, 0) + given("pads", at + kernel.len(), 0);
            let out = given("strides", at, 1) * (signed(*length) - 1) + given("output_padding", at, 0) + span - pads;
            shape
                .push(usize::try_from(out).ok().filter(|out| *out > 0).or_wrong(|| "gives an empty image".to_owned())?);
        }
        let facet = self.channels(&flow);
        let rank = shape.len();
        if groups > 1 && !(groups == channels && each == 1) {
            if let Some(facet) = facet {
                self.classes.freeze(&facet.labels.items, "sums them in groups");
            }
            return self.biased(Flow::plain(shape), None);
        }
        let weight = self.parameter(1, constant, if groups == 1 { &[0, 1] } else { &[0] })?;
        let on = |axis: usize| {
            weight.facets.iter().find(|facet| facet.along == axis).map(|facet| facet.labels.items.clone())
        };
        let columns = on(0).unwrap_or_default();
        self.read(&columns, facet.as_ref());
        let rows = if groups == 1 { on(1) } else { Some(columns) };
        self.biased(Flow::plain(shape), rows.filter(|rows| !rows.is_empty()).map(|rows| Facet::line(rank, 1, rows)))
    }

    /// The places of windows over an image: `floor((n + pads - span) / stride) + 1` along each axis, or with `ceil_mode` the
    /// ceiling.
    pub(super) fn windows(&self, image: &[usize], kernel: &[usize]) -> Ruled<Vec<usize>> {
        let operator = &self.graph.operators[self.at];
        let place = |(at, (length, size)): (usize, (&usize, &usize))| {
            let given = |name: &str, at: usize, default: usize| {
                let value = operator.ints(name).and_then(|values| values.get(at)).copied();
                value.map_or(Some(default), |value| usize::try_from(value).ok())
            };
            let (stride, dilation) = (given("strides", at, 1)?, given("dilations", at, 1)?);
            if stride == 0 {
                return None;
            }
            if matches!(operator.text("auto_pad"), Some("SAME_UPPER" | "SAME_LOWER")) {
                return Some(length.div_ceil(stride));
            }
            let pads = given("pads", at, 0)? + given("pads", at + kernel.len(), 0)?;
            let room = (length + pads).checked_sub(dilation * size.checked_sub(1)? + 1)?;
            if operator.int("ceil_mode", 0) == 0 {
                return Some(room / stride + 1);
            }
            // A window may not begin beyond the image and its padding in front.
            let places = room.div_ceil(stride) + 1;
            let beyond = (places - 1) * stride >= length + given("pads", at, 0)?;
            Some(places - usize::from(beyond))
        };
        let places = image.iter().zip(kernel).enumerate().map(place).collect::<Option<Vec<usize>>>();
        places.or_wrong(|| format!("has windows of {kernel:?} that do not fit {image:?}"))
    }

    fn gemm(&mut self) -> Ruled<Flow> {
        let operator = &self.graph.operators[self.at];
        let (turn_a, turn_b) = (operator.int("transA", 0) != 0, operator.int("transB", 0) != 0);
        self.floats(1)?;
        let (a, b) = (self.operand(0)?, self.operand(1)?);
        if a.shape.len() != 2 || b.shape.len() != 2 {
            return wrong(format!("multiplies {:?} by {:?}", a.shape, b.shape));
        }
        let a = if turn_a { a.transposed(&[1, 0]) } else { a };
        let b = if turn_b { b.transposed(&[1, 0]) } else { b };
        let product = self.product(a, b)?;
        if self.constant(1).is_some() {
            let (summed, given) = if turn_b { (1, 0) } else { (0, 1) };
            self.contractions.push(Contraction { operator: self.at, weight: 1, flow: 0, summed, given });
        }
        if !self.has(2) {
            return Ok(product);
        }
        let bias = self.operand(2)?;
        self.meet(vec![product, bias])
    }

    /// Checks that weights are no integers.
    fn floats(&self, input: usize) -> Ruled<()> {
        match self.numbers(input).filter(|_| self.constant(input).is_none()) {
            Some(_) => wrong("has weights of integers"),
            None => Ok(()),
        }
    }

    fn matmul(&mut self) -> Ruled<Flow> {
        self.floats(1)?;
        let (a, b) = (self.operand(0)?, self.operand(1)?);
        if a.shape.len() < 2 || b.shape.len() < 2 {
            return wrong(format!("multiplies {:?} by {:?}", a.shape, b.shape));
        }
        let rank = b.shape.len();
        if self.constant(1).is_some() && rank == 2 {
            let (summed, given) = (0, 1);
            self.contractions.push(Contraction { operator: self.at, weight: 1, flow: 0, summed, given });
        }
        self.matrices(a, b)
    }

    /// A product of matrices, of which heads of attentions are noted.
    pub(super) fn matrices(&mut self, a: Flow, b: Flow) -> Ruled<Flow> {
        let sets: usize = a.shape[..a.shape.len() - 2].iter().product();
        let computed = self.constant(0).is_none() && self.constant(1).is_none();
        if !self.classes.by_heads || !computed || sets < 2 {
            return self.product(a, b);
        }
        let [a, b] = [a, b].map(|operand| self.by_heads(operand));
        let product = self.product(a, b)?;
        let row = product.shape.len() - 2;
        let ahead = product.facets.iter().filter(|facet| facet.along < row);
        let labels = ahead.flat_map(|facet| facet.labels.items.iter().copied()).collect();
        self.heads.push(Heads { operator: self.at, sets, labels });
        Ok(product)
    }

    /// An operand of which all that a head has is one unit.
    fn by_heads(&mut self, operand: Flow) -> Flow {
        let row = operand.shape.len() - 2;
        let mut out = Flow::plain(operand.shape.clone());
        for facet in operand.facets {
            let of_head = (0..row).any(|axis| facet.varies(axis));
            let facet = if of_head { facet.collapsed(row..row + 2, &mut self.classes) } else { Some(facet) };
            out = out.with(facet, &mut self.classes);
        }
        out
    }

    /// `sum_k a[.., m, k] b[.., k, n]`, batch axes broadcast.
    fn product(&mut self, a: Flow, b: Flow) -> Ruled<Flow> {
        let rank = a.shape.len().max(b.shape.len());
        let shapes = (a.shape.clone(), b.shape.clone());
        let (a, b) = (a.lifted(rank), b.lifted(rank));
        let (row, last) = (rank - 2, rank - 1);
        let batch = broadcast_shape(&[&a.shape[..row], &b.shape[..row]]);
        let (Some(batch), true) = (batch, a.shape[last] == b.shape[row]) else {
            return wrong(format!("multiplies {:?} by {:?}", shapes.0, shapes.1));
        };
        let mut shape = batch;
        shape.extend([a.shape[row], b.shape[last]]);
        // The summed axis: what varies along the outer axes of an operand, too, is one unit there.
        let mut ends: [Option<Facet>; 2] = [None, None];
        let mut passes: [Vec<Facet>; 2] = [Vec::new(), Vec::new()];
        for (side, (operand, summed, outer)) in [(a, last, row), (b, row, last)].into_iter().enumerate() {
            for facet in operand.facets {
                if facet.varies(summed) {
                    // Weights of one matrix are shared by all places of the other operand.
                    let shared = side == 0 && shapes.1.len() == 2;
                    let batch = if shared { 0..row } else { 0..0 };
                    ends[side] = facet.collapsed(batch.chain(std::iter::once(outer)), &mut self.classes);
                } else {
                    passes[side].push(facet);
                }
            }
        }
        let [of_a, of_b] = ends;
        let turned = of_b.map(|facet| {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(row, last);
            Facet { labels: facet.labels.transposed(&order), along: order[facet.along] }
        });
        match (of_a, turned) {
            (Some(a), Some(b)) => {
                if let Some(joined) = self.joined(&a, &b).and_then(|joined| joined.settled(&mut self.classes)) {
                    joined.balance(&mut self.classes);
                }
            }
            (Some(facet), None) | (None, Some(facet)) => {
                self.classes.freeze(&facet.labels.items, "is multiplied by values that cannot go");
            }
            (None, None) => {}
        }
        // What lies along outer axes is passed on, and what lies along batch axes meets.
        let [of_a, of_b] = passes;
        let mut out = Flow::plain(shape.clone());
        let mut batch: [Vec<Facet>; 2] = [Vec::new(), Vec::new()];
        for (side, (facets, outer)) in [(of_a, row), (of_b, last)].into_iter().enumerate() {
            for facet in facets {
                if facet.varies(outer) {
                    out = out.with(Some(facet), &mut self.classes);
                } else {
                    batch[side].push(facet);
                }
            }
        }
        let [of_a, of_b] = batch;
        if !of_a.is_empty() || !of_b.is_empty() {
            let side = |facets: Vec<Facet>, own: &[usize]| {
                let mut shape = vec![1; rank];
                let ahead = rank - own.len();
                shape[ahead..row.max(ahead)].copy_from_slice(&own[..row.saturating_sub(ahead)]);
                Flow { shape, facets }
            };
            let met = self.meet(vec![side(of_a, &shapes.0), side(of_b, &shapes.1)])?;
            for facet in met.facets {
                out = out.with(Some(facet), &mut self.classes);
            }
        }
        Ok(out)
    }
}

/// A vector of one value per channel, to meet images of a rank.
pub(super) fn along_channels(vector: Flow, rank: usize) -> Ruled<Flow> {
    let &[length] = vector.shape.as_slice() else { return wrong(format!("has {:?} values per channel", vector.shape)) };
    let mut shape = vec![1; rank];
    shape[1] = length;
    let facet = |facet: Facet| Facet::line(rank, 1, facet.labels.items);
    Ok(Flow { shape, facets: vector.facets.into_iter().map(facet).collect() })
}
