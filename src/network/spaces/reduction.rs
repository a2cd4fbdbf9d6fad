//! Rules of operators that look at several elements at once: pooling, means, norms, softmax.

use super::contraction::along_channels;
use super::facet::Flow;
use super::numbers::axis;
use super::walk::{Analysis, Carried, Misfit, Or, Ruled, unknown, wrong};

impl Analysis<'_> {
    pub(super) fn reduction_rule(&mut self, kind: &str) -> Option<Ruled<Vec<Flow>>> {
        let one = |flow: Ruled<Flow>| Some(flow.map(|flow| vec![flow]));
        match kind {
            "MaxPool" | "AveragePool" | "LpPool" => one(self.pool()),
            "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => one(self.global_pool()),
            "ArgMax" | "ArgMin" => one(self.best()),
            "BatchNormalization" => one(self.scaled_channels(&[1, 2, 3, 4], false)),
            "InstanceNormalization" | "GroupNormalization" => one(self.scaled_channels(&[1, 2], true)),
            "LayerNormalization"
            | "RMSNormalization"
            | "SimplifiedLayerNormalization"
            | "com.microsoft.SimplifiedLayerNormalization" => one(self.layer_norm()),
            "LRN" | "LpNormalization" | "MeanVarianceNormalization" => one(self.normalised()),
            "Softmax" | "LogSoftmax" | "Hardmax" => one(self.softmax()),
            "CumSum" | "GatherElements" | "ScatterElements" | "ScatterND" | "Trilu" => one(self.scattered(kind)),
            "LSTM" | "GRU" | "RNN" => Some(self.recurrent(kind)),
            _ if kind.starts_with("Reduce") => one(self.reduce()),
            _ => None,
        }
    }

    fn pool(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let kernel =
            self.graph.operators[self.at].ints("kernel_shape").or_wrong(|| "lacks `kernel_shape`".to_owned())?;
        let kernel: Vec<usize> = kernel.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
        let image =
            flow.shape.get(2..).filter(|image| image.len() == kernel.len()).or_wrong(|| "reads no image".to_owned())?;
        let mut shape = flow.shape[..2].to_vec();
        shape.extend(self.windows(image, &kernel)?);
        let facets = flow.facets.into_iter();
        let facets = facets.filter_map(|facet| facet.collapsed(2..shape.len(), &mut self.classes)).collect();
        Ok(Flow { shape, facets })
    }

    fn global_pool(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let axes: Vec<usize> = (2..flow.shape.len()).collect();
        self.reduced(flow, &axes, true)
    }

    /// Values over which statistics are taken: units along these axes end there, and change them when they go.
    fn reduced(&mut self, flow: Flow, axes: &[usize], keep: bool) -> Ruled<Flow> {
        let mut out = Flow::plain(flow.shape.clone());
        axes.iter().for_each(|axis| out.shape[*axis] = 1);
        for facet in flow.facets {
            if axes.contains(&facet.along) {
                self.classes.couple(&facet.labels.items);
                continue;
            }
            let facet = facet.collapsed(axes.iter().copied(), &mut self.classes);
            out = out.with(facet, &mut self.classes);
        }
        if keep {
            return Ok(out);
        }
        let lengths = out.shape.iter().enumerate().filter(|(at, _)| !axes.contains(at));
        let shape: Vec<usize> = lengths.map(|(_, length)| *length).collect();
        Ok(out.reshaped(&shape, &mut self.classes))
    }

    fn reduce(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let rank = flow.shape.len();
        let operator = &self.graph.operators[self.at];
        let keep = operator.int("keepdims", 1) != 0;
        let axes = match self.axes(1) {
            Some(axes) if !axes.is_empty() => axes,
            None if self.has(1) => return unknown("has axes that are not known beforehand"),
            _ if operator.int("noop_with_empty_axes", 0) != 0 => return Ok(flow),
            _ => (0..i64::try_from(rank).unwrap_or(0)).collect(),
        };
        let axes: Vec<usize> = axes
            .iter()
            .map(|at| axis(*at, rank))
            .collect::<Option<_>>()
            .or_wrong(|| format!("has no axes {axes:?}"))?;
        self.reduced(flow, &axes, keep)
    }

    fn best(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let axis = self.axis(0, flow.shape.len())?;
        for facet in flow.facets.iter().filter(|facet| facet.varies(axis)) {
            self.classes.freeze(&facet.labels.items, "gives their numbers");
        }
        let keep = self.graph.operators[self.at].int("keepdims", 1) != 0;
        self.reduced(flow, &[axis], keep)
    }

    /// A factor and a shift for each channel, after statistics over places where `norm` says so.
    fn scaled_channels(&mut self, vectors: &[usize], norm: bool) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let rank = flow.shape.len();
        if rank < 2 {
            return wrong("has no channels");
        }
        let operator = &self.graph.operators[self.at];
        if operator.int("training_mode", 0) != 0 {
            return wrong("is in training");
        }
        let groups = operator.kind == "GroupNormalization";
        for facet in flow.facets.iter().filter(|_| norm) {
            if groups || facet.axes().any(|axis| axis > 1) {
                self.classes.couple(&facet.labels.items);
            }
        }
        let channels = flow.shape[1];
        let mut operands = vec![flow];
        if groups {
            // The channels of a group lose equally many: as rows of `groups x channels of one`.
            let count = usize::try_from(operator.int("num_groups", 1)).unwrap_or(0);
            if count == 0 || !channels.is_multiple_of(count) {
                return wrong(format!("makes {count} groups of {channels} channels"));
            }
            let mut apart = vec![operands[0].shape[0], count, channels / count];
            apart.extend(&operands[0].shape[2..]);
            let whole = operands[0].shape.clone();
            operands[0] = operands[0].clone().reshaped(&apart, &mut self.classes).reshaped(&whole, &mut self.classes);
        }
        for input in vectors {
            let vector = self.operand(*input)?;
            if groups && vector.shape != [channels] {
                // Before version 21 one factor for each group.
                self.operand(*input)?.freeze(&mut self.classes, "scales groups");
                continue;
            }
            operands.push(along_channels(vector, rank)?);
        }
        self.meet(operands)
    }

    fn layer_norm(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        let first = self.axis(-1, flow.shape.len())?;
        for facet in flow.facets.iter().filter(|facet| facet.axes().any(|axis| axis >= first)) {
            self.classes.couple(&facet.labels.items);
        }
        let mut operands = vec![flow];
        for input in 1..3 {
            if self.has(input) {
                operands.push(self.operand(input)?);
            }
        }
        self.meet(operands)
    }

    fn normalised(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        flow.facets.iter().for_each(|facet| self.classes.couple(&facet.labels.items));
        Ok(flow)
    }

    fn softmax(&mut self) -> Ruled<Flow> {
        let flow = self.operand(0)?;
        // Before version 13 it was over all axes from one on.
        let old = self.graph.opset < 13;
        let axis = self.axis(if old { 1 } else { -1 }, flow.shape.len())?;
        let over = if old { axis..flow.shape.len() } else { axis..axis + 1 };
        let mut out = Flow::plain(flow.shape.clone());
        for facet in flow.facets {
            if over.contains(&facet.along) {
                self.classes.freeze(&facet.labels.items, "weighs them against each other");
                continue;
            }
            // Sets of units that are weighed against each other lose the same ones.
            let facet = facet.collapsed(over.clone(), &mut self.classes);
            out = out.with(facet, &mut self.classes);
        }
        Ok(out)
    }

    /// Values in the shape of the first input, or of the second for `GatherElements`, of which none may go that is touched.
    fn scattered(&mut self, kind: &str) -> Ruled<Flow> {
        let count = self.graph.operators[self.at].inputs.len();
        let mut shape = Vec::new();
        for input in 0..count {
            let operand = self.operand(input)?;
            if input == usize::from(kind == "GatherElements") {
                shape.clone_from(&operand.shape);
            }
            operand.freeze(&mut self.classes, "moves them by indices");
        }
        Ok(Flow::plain(shape))
    }

    /// Recurrent layers are carried along; only their shapes are known.
    fn recurrent(&mut self, kind: &str) -> Ruled<Vec<Flow>> {
        let flow = self.operand(0)?;
        for input in 0..self.graph.operators[self.at].inputs.len() {
            if self.has(input) {
                self.operand(input)?.freeze(&mut self.classes, "is carried along");
            }
        }
        let operator = &self.graph.operators[self.at];
        let hidden = usize::try_from(operator.int("hidden_size", 0)).unwrap_or(0);
        let directions = if operator.text("direction") == Some("bidirectional") { 2 } else { 1 };
        let &[steps, batch, _] = flow.shape.as_slice() else { return wrong("reads no sequence") };
        if hidden == 0 || operator.int("layout", 0) != 0 {
            return unknown("has another layout");
        }
        let why = Misfit::Unknown(format!("{kind} is carried along"));
        self.carried.push(Carried { operator: self.at, why });
        let state = Flow::plain(vec![directions, batch, hidden]);
        Ok(vec![Flow::plain(vec![steps, directions, batch, hidden]), state.clone(), state])
    }
}
