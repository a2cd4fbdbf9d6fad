//! Operators that only move elements: they are run on the numbers of the elements.

use super::build::{Builder, Held, Ruled};
use super::step::Step;
use crate::backend::Combination;
use crate::network::spaces::{Attribute, Grid, Numbers, axis, slices};

/// The number of an element that is zero.
const ZERO: u32 = u32::MAX;

impl Builder<'_> {
    pub(super) fn moves(&mut self, kind: &str) -> Option<Ruled<Vec<Held>>> {
        let one = |held: Ruled<Held>| Some(held.map(|held| vec![held]));
        match kind {
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => one(self.renamed()),
            "Transpose" => one(self.transpose()),
            "Slice" => one(self.slice()),
            "Split" => Some(self.split()),
            "Concat" => one(self.concat()),
            "Gather" => one(self.pick()),
            "Expand" => one(self.expand()),
            "Tile" => one(self.tile()),
            "Pad" => one(self.pad()),
            "DepthToSpace" | "SpaceToDepth" => one(self.blocks(kind)),
            "Resize" | "Upsample" => one(self.resize()),
            _ => None,
        }
    }

    /// The numbers of the elements of an input.
    fn numbered(&mut self, input: usize) -> Ruled<(Held, Grid<u32>)> {
        let held = self.operand(input)?;
        let grid = Grid::numbered(&held.shape).ok_or_else(|| format!("reads a value of shape {:?}", held.shape))?;
        Ok((held, grid))
    }

    /// The elements with these numbers.
    pub(super) fn moved(&mut self, held: &Held, grid: Grid<u32>) -> Ruled<Held> {
        let same = grid.items.len() == held.shape.iter().product::<usize>()
            && grid.items.iter().enumerate().all(|(at, from)| *from as usize == at);
        if same {
            return Ok(Held { slot: held.slot, shape: grid.shape });
        }
        self.push(Step::Gather(grid.items), &[held], grid.shape)
    }

    fn renamed(&mut self) -> Ruled<Held> {
        Ok(Held { slot: self.operand(0)?.slot, shape: self.output(0)? })
    }

    /// A value with its axes in another order.
    pub(super) fn transposed(&mut self, held: &Held, order: &[usize]) -> Ruled<Held> {
        let grid = Grid::numbered(&held.shape).ok_or_else(|| format!("reads a value of shape {:?}", held.shape))?;
        self.moved(held, grid.transposed(order))
    }

    fn transpose(&mut self) -> Ruled<Held> {
        let held = self.operand(0)?;
        let rank = held.shape.len();
        let order: Option<Vec<usize>> = match self.now().ints("perm") {
            Some(order) => order.iter().map(|at| axis(*at, rank)).collect(),
            None => Some((0..rank).rev().collect()),
        };
        let order = order.filter(|order| order.len() == rank).ok_or("has an order of another rank")?;
        self.transposed(&held, &order)
    }

    fn slice(&mut self) -> Ruled<Held> {
        let (held, mut grid) = self.numbered(0)?;
        let given: Vec<Option<Numbers>> = (0..self.now().inputs.len())
            .map(|input| {
                let values = self.integers(input).filter(|_| input > 0)?;
                #[expect(clippy::cast_precision_loss, reason = "bounds; those beyond 2^53 mean the end of an axis")]
                let values: Vec<f64> = values.into_iter().map(|value| value as f64).collect();
                Numbers::constant(vec![values.len()], values, false)
            })
            .collect();
        let inputs: Vec<Option<&Numbers>> = given.iter().map(Option::as_ref).collect();
        let slices = slices(self.now(), &inputs, &held.shape).ok_or("has bounds that are not known beforehand")?;
        for (axis, places) in slices {
            grid = grid.taken(axis, &places);
        }
        self.moved(&held, grid)
    }

    fn split(&mut self) -> Ruled<Vec<Held>> {
        let (held, grid) = self.numbered(0)?;
        let along = self.axis(0, held.shape.len())?;
        let mut first = 0;
        let mut parts = Vec::new();
        for at in 0..self.now().outputs.len() {
            let length = *self.output(at)?.get(along).ok_or("has parts of another rank")?;
            let places: Vec<usize> = (first..first + length).collect();
            first += length;
            if first > held.shape[along] {
                return Err("has parts that are longer than the whole".to_owned());
            }
            parts.push(self.moved(&held, grid.taken(along, &places))?);
        }
        Ok(parts)
    }

    fn concat(&mut self) -> Ruled<Held> {
        let count = self.now().inputs.len();
        let operands = (0..count).map(|input| self.operand(input)).collect::<Ruled<Vec<_>>>()?;
        let operands: Vec<Held> = operands.into_iter().filter(|held| !held.shape.contains(&0)).collect();
        let shape = self.output(0)?;
        let along = self.axis(0, shape.len())?;
        if let Some(like) = operands.iter().find(|held| self.entries(held).is_none()).cloned() {
            let spread = operands.iter().map(|held| self.spread(held, &like)).collect::<Ruled<Vec<_>>>()?;
            let mut first = 0;
            let parts = spread.iter().map(|held| {
                let grid = Grid::numbered(&held.shape).map(|mut grid| {
                    grid.items.iter_mut().for_each(|item| *item += first);
                    first += u32::try_from(grid.items.len()).unwrap_or(0);
                    grid
                });
                grid.ok_or_else(|| format!("reads a value of shape {:?}", held.shape))
            });
            let parts = parts.collect::<Ruled<Vec<_>>>()?;
            let order = Grid::concatenated(&parts, along).ok_or("joins values that do not fit")?;
            let whole = vec![order.items.len()];
            let joined = match spread.as_slice() {
                [only] => only.clone(),
                all => self.push(Step::Concat, &all.iter().collect::<Vec<_>>(), whole)?,
            };
            return self.moved(&joined, order);
        }
        let parts: Option<Vec<Grid<f32>>> =
            operands.iter().map(|held| Grid::row(self.entries(held)?.to_vec()).reshaped(held.shape.clone())).collect();
        let all = parts.and_then(|parts| Grid::concatenated(&parts, along)).ok_or("joins values that do not fit")?;
        Ok(self.fixed(all.shape, all.items))
    }

    fn pick(&mut self) -> Ruled<Held> {
        let places = self.integers(1).ok_or("looks up by values that are computed")?;
        let (held, grid) = self.numbered(0)?;
        let along = self.axis(0, held.shape.len())?;
        let places: Option<Vec<usize>> = places.into_iter().map(|at| axis(at, held.shape[along])).collect();
        let taken = grid.taken(along, &places.ok_or("takes places that are not there")?);
        let shape = self.output(0)?;
        self.moved(&held, taken.reshaped(shape).ok_or("has indices of another shape")?)
    }

    fn expand(&mut self) -> Ruled<Held> {
        let (held, shape) = (self.operand(0)?, self.output(0)?);
        self.expanded(&held, &shape)
    }

    fn tile(&mut self) -> Ruled<Held> {
        let (held, mut grid) = self.numbered(0)?;
        for (axis, length) in self.output(0)?.into_iter().enumerate() {
            let own = *held.shape.get(axis).ok_or("repeats axes that are not there")?;
            let places: Vec<usize> = (0..length).map(|at| at % own.max(1)).collect();
            grid = grid.taken(axis, &places);
        }
        self.moved(&held, grid)
    }

    fn pad(&mut self) -> Ruled<Held> {
        let (held, grid) = self.numbered(0)?;
        let rank = held.shape.len();
        let pads = match self.integers(1) {
            Some(pads) => pads,
            None => self.now().ints("pads").ok_or("has pads that are not known beforehand")?.to_vec(),
        };
        let axes: Vec<usize> = match self.integers(3) {
            Some(axes) => axes.iter().map(|at| axis(*at, rank)).collect::<Option<_>>().ok_or("has other axes")?,
            None => (0..rank).collect(),
        };
        let mode = self.now().text("mode").unwrap_or("constant").to_owned();
        let value = match self.now().attributes.get("value") {
            Some(Attribute::Float(value)) => *value,
            _ => self.scalar(2, 0.0)?,
        };
        let mut grid = grid;
        for (at, axis) in axes.iter().enumerate() {
            let side = |at: usize| pads.get(at).copied();
            let (Some(before), Some(behind)) = (side(at), side(axes.len() + at)) else {
                return Err("has pads of another number".to_owned());
            };
            let length = i64::try_from(grid.shape[*axis]).unwrap_or(0);
            let places: Option<Vec<Option<usize>>> =
                (-before..length + behind).map(|at| place(&mode, at, length)).collect();
            let places = places.ok_or_else(|| format!("pads by `{mode}` beyond what is there"))?;
            let inside: Vec<usize> = places.iter().map(|place| place.unwrap_or(0)).collect();
            grid = grid.taken(*axis, &inside);
            let (_, length, after) = grid.around(*axis);
            for (number, item) in grid.items.iter_mut().enumerate() {
                if places[number / after % length].is_none() {
                    *item = ZERO;
                }
            }
        }
        let outside: Vec<f32> = grid.items.iter().map(|item| if *item == ZERO { value } else { 0.0 }).collect();
        let moved = self.moved(&held, grid)?;
        if value == 0.0 {
            return Ok(moved);
        }
        let outside = self.fixed(moved.shape.clone(), outside);
        self.combined(&moved, &outside, Combination::Add)
    }

    fn blocks(&mut self, kind: &str) -> Ruled<Held> {
        let (held, grid) = self.numbered(0)?;
        let block = usize::try_from(self.now().int("blocksize", 0)).unwrap_or(0);
        let &[n, channels, height, width] = held.shape.as_slice() else { return Err("reads no image".to_owned()) };
        let shape = self.output(0)?;
        let (apart, order): (Vec<usize>, [usize; 6]) = if kind == "SpaceToDepth" {
            (vec![n, channels, shape[2], block, shape[3], block], [0, 3, 5, 1, 2, 4])
        } else if self.now().text("mode") == Some("CRD") {
            (vec![n, shape[1], block, block, height, width], [0, 1, 4, 2, 5, 3])
        } else {
            (vec![n, block, block, shape[1], height, width], [0, 3, 4, 1, 5, 2])
        };
        let grid = grid.reshaped(apart).ok_or("cuts blocks that do not fit")?.transposed(&order);
        self.moved(&held, grid.reshaped(shape).ok_or("cuts blocks that do not fit")?)
    }

    /// Every pixel several times: the nearest one, where sizes are multiples.
    fn resize(&mut self) -> Ruled<Held> {
        let (held, mut grid) = self.numbered(0)?;
        if self.now().text("mode").unwrap_or("nearest") != "nearest" {
            return Err("interpolates".to_owned());
        }
        for (axis, length) in self.output(0)?.into_iter().enumerate() {
            let own = held.shape.get(axis).copied().filter(|own| *own > 0 && length % own == 0);
            let times = length / own.ok_or("stretches by no whole number")?;
            let rounding = self.now().text("nearest_mode").unwrap_or("round_prefer_floor");
            let same = match self.now().text("coordinate_transformation_mode").unwrap_or("half_pixel") {
                "asymmetric" => rounding == "floor",
                "half_pixel" | "pytorch_half_pixel" => rounding.starts_with("round"),
                _ => false,
            };
            if times > 1 && self.now().kind == "Resize" && !same {
                return Err("takes other pixels than those at the same place".to_owned());
            }
            let places: Vec<usize> = (0..length).map(|at| at / times).collect();
            grid = grid.taken(axis, &places);
        }
        self.moved(&held, grid)
    }

    /// An axis attribute.
    pub(super) fn axis(&self, default: i64, rank: usize) -> Ruled<usize> {
        let given = self.now().int("axis", default);
        axis(given, rank).ok_or_else(|| format!("has no axis {given} among {rank}"))
    }
}

/// The element at a place before, inside or behind an axis of some length: none where there is a constant.
fn place(mode: &str, at: i64, length: i64) -> Option<Option<usize>> {
    let inside = (0..length).contains(&at);
    let at = match mode {
        "constant" => return Some(usize::try_from(at).ok().filter(|_| inside)),
        "edge" => at.clamp(0, length - 1),
        "wrap" => at.rem_euclid(length.max(1)),
        "reflect" => {
            let at = at.abs();
            if at < length { at } else { 2 * (length - 1) - at }
        }
        _ => return None,
    };
    usize::try_from(at).ok().filter(|at| i64::try_from(*at).is_ok_and(|at| at < length)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_around_an_axis_by_hand() {
        let of = |mode: &str| (-2..5).map(|at| place(mode, at, 3)).collect::<Vec<_>>();
        let some = |places: [usize; 7]| places.map(|place| Some(Some(place))).to_vec();
        assert_eq!(of("edge"), some([0, 0, 0, 1, 2, 2, 2]));
        assert_eq!(of("reflect"), some([2, 1, 0, 1, 2, 1, 0]));
        assert_eq!(of("wrap"), some([1, 2, 0, 1, 2, 0, 1]));
        assert_eq!(of("constant")[1..4], [Some(None), Some(Some(0)), Some(Some(1))]);
        assert_eq!(place("reflect", -3, 3), Some(Some(1)));
        assert_eq!(place("reflect", -5, 3), None);
    }
}
