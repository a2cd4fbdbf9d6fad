//! Rules of operators that only move elements: they are run on the labels as on data.

use super::classes::NONE;
use super::facet::{Facet, Flow};
use super::graph::Attribute;
use super::grid::Grid;
use super::numbers::{Numbers, axis, reshaped, slices, squeezed, unsqueezed};
use super::walk::{Analysis, Or, Ruled, unknown, wrong};

impl Analysis<'_> {
    pub(super) fn move_rule(&mut self, kind: &str) -> Option<Ruled<Vec<Flow>>> {
        let one = |flow: Ruled<Flow>| Some(flow.map(|flow| vec![flow]));
        match kind {
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => one(self.reshape(kind)),
            "Transpose" => one(self.transpose()),
            "Slice" => one(self.slice()),
            "Split" => Some(self.split()),
            "Concat" => one(self.concat()),
            "Gather" => one(self.gather()),
            "Expand" => one(self.expand()),
            "Tile" => one(self.tile()),
            "Pad" => one(self.pad()),
            "DepthToSpace" | "SpaceToDepth" => one(self.depth_and_space(kind)),
            "ConstantOfShape" => one(self.filled()),
            "Resize" | "Upsample" => one(self.resize()),
            _ => None,
        }
    }

    /// Axes as an input or, in old models, as an attribute.
    pub(super) fn axes(&self, input: usize) -> Option<Vec<i64>> {
        match self.numbers(input) {
            Some(numbers) => Some(numbers.integers()),
            None => self.graph.operators[self.at].ints("axes").map(<[i64]>::to_vec),
        }
    }

    fn reshape(&mut self, kind: &str) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let operator = &self.graph.operators[self.at];
        let to = match kind {
            "Reshape" => {
                let wanted = self.numbers(1).map(|numbers| numbers.integers());
                let wanted = wanted.or_else(|| operator.ints("shape").map(<[i64]>::to_vec));
                let wanted = wanted.or_unknown("takes a shape that is not known beforehand")?;
                reshaped(&flow.shape, &wanted, operator.int("allowzero", 0) != 0)
                    .or_wrong(|| format!("gives {:?} the shape {wanted:?}", flow.shape))?
            }
            "Flatten" => {
                let rank = flow.shape.len();
                let at = operator.int("axis", 1);
                let at = axis(at, rank + 1).or_wrong(|| format!("has no axis {at}"))?;
                vec![flow.shape[..at].iter().product(), flow.shape[at..].iter().product()]
            }
            "Squeeze" => squeezed(&flow.shape, self.axes(1).as_deref())
                .or_wrong(|| "removes axes that are not of length one".to_owned())?,
            _ => {
                let axes = self.axes(1).or_unknown("lacks its axes")?;
                unsqueezed(&flow.shape, &axes).or_wrong(|| format!("adds axes {axes:?} to {:?}", flow.shape))?
            }
        };
        Ok(flow.reshaped(&to, &mut self.classes))
    }

    fn transpose(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let rank = flow.shape.len();
        let order: Vec<usize> = match self.graph.operators[self.at].ints("perm") {
            Some(order) => order
                .iter()
                .map(|at| axis(*at, rank))
                .collect::<Option<_>>()
                .or_wrong(|| "has an order of another rank".to_owned())?,
            None => (0..rank).rev().collect(),
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return wrong(format!("has the order {order:?} for {rank} axes"));
        }
        Ok(flow.transposed(&order))
    }

    fn slice(&mut self) -> Ruled<Flow> {
        let mut flow = self.operand(0)?;
        let operator = &self.graph.operators[self.at];
        let numbers: Vec<Option<Numbers>> = (0..operator.inputs.len()).map(|input| self.numbers(input)).collect();
        let inputs: Vec<Option<&Numbers>> = numbers.iter().map(Option::as_ref).collect();
        let slices = slices(operator, &inputs, &flow.shape).or_unknown("has bounds that are not known beforehand")?;
        for (axis, places) in slices {
            if places.is_empty() {
                return wrong(format!("leaves nothing of axis {axis}"));
            }
            // Of a constant, what is left out would belong to nothing.
            let steps = places.windows(2).any(|pair| pair[1] != pair[0] + 1) || self.constant(0).is_some();
            if steps {
                for facet in flow.facets.iter().filter(|facet| facet.along == axis) {
                    self.classes.freeze(&facet.labels.items, "takes units in steps");
                }
            }
            flow = flow.taken(axis, &places, &mut self.classes);
        }
        Ok(flow)
    }

    fn split(&mut self) -> Ruled<Vec<Flow>> {
        let flow = self.operand(0)?;
        let axis = self.axis(0, flow.shape.len())?;
        let (length, outputs) = (flow.shape[axis], self.graph.operators[self.at].outputs.len());
        let sizes = match self.numbers(1).map(|numbers| numbers.integers()) {
            Some(sizes) => Some(sizes),
            None if self.has(1) => return unknown("has sizes that are not known beforehand"),
            None => self.graph.operators[self.at].ints("split").map(<[i64]>::to_vec),
        };
        let sizes: Vec<usize> = match sizes {
            Some(sizes) => sizes.into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect(),
            None => {
                let each = length.div_ceil(outputs.max(1));
                (0..outputs).map(|at| each.min(length.saturating_sub(at * each))).collect()
            }
        };
        if sizes.iter().sum::<usize>() != length || sizes.contains(&0) || sizes.len() != outputs {
            return wrong(format!("splits {length} into {sizes:?}"));
        }
        let mut first = 0;
        let part = |size: &usize| {
            let places: Vec<usize> = (first..first + size).collect();
            first += size;
            flow.taken(axis, &places, &mut self.classes)
        };
        Ok(sizes.iter().map(part).collect())
    }

    fn concat(&mut self) -> Ruled<Flow> {
        let count = self.graph.operators[self.at].inputs.len();
        let operands: Vec<Flow> = (0..count).map(|input| self.operand(input)).collect::<Ruled<_>>()?;
        let rank = operands.first().map_or(0, |flow| flow.shape.len());
        let axis = self.axis(0, rank)?;
        let mut shape = operands[0].shape.clone();
        let fits = |flow: &Flow| {
            flow.shape.len() == rank && (0..rank).all(|at| at == axis || flow.shape[at] == operands[0].shape[at])
        };
        if !operands.iter().all(fits) {
            let shapes: Vec<&Vec<usize>> = operands.iter().map(|flow| &flow.shape).collect();
            return wrong(format!("joins {shapes:?} along axis {axis}"));
        }
        shape[axis] = operands.iter().map(|flow| flow.shape[axis]).sum();
        // Facets along other axes meet as in a sum; those along this one lie behind each other.
        let beside = |flow: &Flow| {
            let facets = flow.facets.iter().filter(|facet| !facet.varies(axis)).cloned().collect();
            let mut shape = flow.shape.clone();
            shape[axis] = 1;
            Flow { shape, facets }
        };
        let mut out = self.meet(operands.iter().map(beside).collect())?;
        out.shape.clone_from(&shape);
        let here: Vec<Option<&Facet>> =
            operands.iter().map(|flow| flow.facets.iter().find(|facet| facet.varies(axis))).collect();
        let Some(along) = here.iter().flatten().map(|facet| facet.along).next() else { return Ok(out) };
        let mut others = vec![1; rank];
        for facet in here.iter().flatten() {
            facet.axes().filter(|at| *at != axis).for_each(|at| others[at] = facet.labels.shape[at]);
        }
        let part = |(flow, facet): (&Flow, &Option<&Facet>)| {
            let mut shape = others.clone();
            shape[axis] = flow.shape[axis];
            match facet {
                Some(facet) => facet.labels.broadcast(&shape),
                None => Some(Grid { items: vec![NONE; shape.iter().product()], shape }),
            }
        };
        let parts: Option<Vec<Grid<u32>>> = operands.iter().zip(&here).map(part).collect();
        let labels =
            parts.and_then(|parts| Grid::concatenated(&parts, axis)).or_unknown("joins labels that do not fit")?;
        let facet = Facet { labels, along };
        facet.balance(&mut self.classes);
        let settled = facet.settled(&mut self.classes);
        Ok(out.with(settled, &mut self.classes))
    }

    fn gather(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let axis = self.axis(0, flow.shape.len())?;
        let Some(indices) = self.numbers(1) else {
            // A table that is looked up: its rows stay, what lies along other axes is passed on.
            let picked = self.operand(1)?;
            picked.freeze(&mut self.classes, "looks up by it");
            let mut shape = flow.shape[..axis].to_vec();
            shape.extend(&picked.shape);
            shape.extend(&flow.shape[axis + 1..]);
            let (added, mut out) = (picked.shape.len(), Flow::plain(shape));
            for facet in flow.facets {
                if facet.varies(axis) {
                    self.classes.freeze(&facet.labels.items, "looks them up");
                    continue;
                }
                let mut labels = facet.labels;
                labels.shape.splice(axis..=axis, std::iter::repeat_n(1, added));
                let along = if facet.along > axis { facet.along + added - 1 } else { facet.along };
                out.facets.push(Facet { labels, along });
            }
            return Ok(out);
        };
        let length = i64::try_from(flow.shape[axis]).unwrap_or(i64::MAX);
        let places = indices.integers().into_iter().map(|at| if at < 0 { at + length } else { at });
        let places: Vec<usize> = places
            .map(|at| usize::try_from(at).ok().filter(|at| *at < flow.shape[axis]))
            .collect::<Option<_>>()
            .or_wrong(|| format!("takes places that axis {axis} of {:?} does not have", flow.shape))?;
        let many = indices.shape().len() > 1;
        let doubled = places.iter().collect::<std::collections::BTreeSet<_>>().len() < places.len();
        if many || doubled || self.constant(0).is_some() {
            for facet in flow.facets.iter().filter(|facet| facet.along == axis) {
                self.classes.freeze(&facet.labels.items, "takes units by an index map");
            }
        }
        let taken = flow.taken(axis, &places, &mut self.classes);
        let mut shape = flow.shape[..axis].to_vec();
        shape.extend(indices.shape());
        shape.extend(&flow.shape[axis + 1..]);
        Ok(taken.reshaped(&shape, &mut self.classes))
    }

    /// A shape as an input.
    fn wanted(&self, input: usize) -> Ruled<Vec<usize>> {
        let numbers = self.numbers(input).or_unknown("takes a shape that is not known beforehand")?;
        let shape = numbers.integers().into_iter().map(|at| usize::try_from(at).ok());
        shape.collect::<Option<_>>().or_wrong(|| "takes a shape with negative lengths".to_owned())
    }

    fn expand(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let wanted = self.wanted(1)?;
        let shape = super::grid::broadcast_shape(&[&flow.shape, &wanted])
            .or_wrong(|| format!("expands {:?} to {wanted:?}", flow.shape))?;
        let mut flow = flow.lifted(shape.len());
        let rank = shape.len();
        for (at, length) in shape.iter().enumerate().skip(1) {
            // Heads that share keys and values are repeated for them, and go together.
            if flow.shape[at] == 1 && *length > 1 && !self.classes.by_heads {
                let filler = self.filler(rank, at, *length);
                flow = flow.with(filler, &mut self.classes);
            }
        }
        flow.shape = shape;
        Ok(flow)
    }

    fn tile(&mut self) -> Ruled<Flow> {
        let mut flow = self.operand(0)?;
        let repeats = self.wanted(1)?;
        if repeats.len() != flow.shape.len() {
            return wrong(format!("repeats {:?} by {repeats:?}", flow.shape));
        }
        for (axis, times) in repeats.into_iter().enumerate().filter(|(_, times)| *times != 1) {
            let places: Vec<usize> = (0..times).flat_map(|_| 0..flow.shape[axis]).collect();
            if places.is_empty() {
                return wrong("repeats no times");
            }
            flow = flow.taken(axis, &places, &mut self.classes);
        }
        Ok(flow)
    }

    fn pad(&mut self) -> Ruled<Flow> {
        let mut flow = self.operand(0)?;
        let operator = &self.graph.operators[self.at];
        let pads = match self.numbers(1) {
            Some(numbers) => numbers.integers(),
            None => operator.ints("pads").or_unknown("has pads that are not known beforehand")?.to_vec(),
        };
        let rank = flow.shape.len();
        let axes: Vec<usize> = match self.numbers(3) {
            Some(axes) => axes
                .integers()
                .iter()
                .map(|at| axis(*at, rank))
                .collect::<Option<_>>()
                .or_wrong(|| "has axes beyond the rank".to_owned())?,
            None => (0..rank).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return wrong(format!("has {} pads for {} axes", pads.len(), axes.len()));
        }
        let zeros = operator.text("mode").unwrap_or("constant") == "constant";
        for (at, axis) in axes.iter().copied().enumerate() {
            let side = |pad: i64| usize::try_from(pad).ok().or_unknown("cuts with negative pads");
            let (before, behind) = (side(pads[at])?, side(pads[axes.len() + at])?);
            if before + behind == 0 {
                continue;
            }
            let length = flow.shape[axis] + before + behind;
            let facets = std::mem::take(&mut flow.facets);
            for facet in facets {
                if !facet.varies(axis) {
                    flow.facets.push(facet);
                    continue;
                }
                if facet.is_joint() || !zeros {
                    self.classes.freeze(&facet.labels.items, "puts values around them");
                    continue;
                }
                let mut labels = self.classes.fresh(before);
                labels.extend(facet.line_labels());
                labels.extend(self.classes.fresh(behind));
                flow.facets.push(Facet::line(rank, axis, labels));
            }
            flow.shape[axis] = length;
        }
        Ok(flow)
    }

    fn depth_and_space(&mut self, kind: &str) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let operator = &self.graph.operators[self.at];
        let block = usize::try_from(operator.int("blocksize", 0)).unwrap_or(0);
        let &[n, channels, height, width] = flow.shape.as_slice() else { return wrong("reads no image") };
        if block == 0 {
            return wrong("has no block size");
        }
        let classes = &mut self.classes;
        if kind == "SpaceToDepth" {
            if height % block + width % block > 0 {
                return wrong(format!("cuts {height} x {width} into blocks of {block}"));
            }
            let (h, w) = (height / block, width / block);
            let apart = flow.reshaped(&[n, channels, h, block, w, block], classes).transposed(&[0, 3, 5, 1, 2, 4]);
            return Ok(apart.reshaped(&[n, channels * block * block, h, w], classes));
        }
        if !channels.is_multiple_of(block * block) {
            return wrong(format!("makes blocks of {block} from {channels} channels"));
        }
        let (less, to) = (channels / block / block, [height * block, width * block]);
        let apart = if operator.text("mode").unwrap_or("DCR") == "CRD" {
            flow.reshaped(&[n, less, block, block, height, width], classes).transposed(&[0, 1, 4, 2, 5, 3])
        } else {
            flow.reshaped(&[n, block, block, less, height, width], classes).transposed(&[0, 3, 4, 1, 5, 2])
        };
        Ok(apart.reshaped(&[n, less, to[0], to[1]], classes))
    }

    fn filled(&mut self) -> Ruled<Flow> {
        let shape = self.wanted(0)?;
        if matches!(self.graph.operators[self.at].attributes.get("value"), Some(Attribute::Other)) {
            return Ok(Flow::plain(shape));
        }
        let mut flow = Flow::plain(shape.clone());
        for (axis, length) in shape.iter().enumerate().skip(1) {
            let filler = self.filler(shape.len(), axis, *length);
            flow.facets.extend(filler);
        }
        Ok(flow)
    }

    fn resize(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let operator = &self.graph.operators[self.at];
        let by_scales = |scales: Vec<f64>| -> Ruled<Vec<usize>> {
            if scales.len() != flow.shape.len() {
                return wrong(format!("has {} scales", scales.len()));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "sizes of images"
            )]
            let lengths =
                flow.shape.iter().zip(scales).map(|(length, scale)| (*length as f64 * scale).floor() as usize);
            Ok(lengths.collect())
        };
        let (scales, sizes) = if operator.inputs.len() < 3 { (1, usize::MAX) } else { (2, 3) };
        let known = |input: usize| self.numbers(input).filter(|numbers| !numbers.shape().contains(&0));
        let to = if let Some(sizes) = known(sizes) {
            sizes.integers().into_iter().map(|at| usize::try_from(at).unwrap_or(0)).collect()
        } else if let Some(scales) = known(scales) {
            by_scales(scales.values().collect())?
        } else if let Some(Attribute::Floats(scales)) = operator.attributes.get("scales") {
            by_scales(scales.iter().map(|scale| f64::from(*scale)).collect())?
        } else {
            return unknown("has sizes that are not known beforehand");
        };
        if to.len() != flow.shape.len() || to.contains(&0) {
            return wrong(format!("gives {:?} the shape {to:?}", flow.shape));
        }
        let mut out = Flow::plain(to);
        for facet in flow.facets {
            if facet.axes().any(|axis| flow.shape[axis] != out.shape[axis]) {
                self.classes.freeze(&facet.labels.items, "stretches them");
            } else {
                out.facets.push(facet);
            }
        }
        Ok(out)
    }
}
