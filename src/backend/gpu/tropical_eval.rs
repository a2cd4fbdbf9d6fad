//! Tropical polynomials: `max_i c_i + <a_i, x>` with its lowest argument.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape, Slices};
use super::grid::lanes;
use super::kernel::{Constants, Source};
use super::matrix::{Indices, Matrix, parts, word};
use crate::backend::{Maxima, Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "tropical_eval",
    entry: "tropical_eval",
    wgsl: concat!(
        include_str!("../../../shaders/tropical_eval.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
    trusted: true,
};
pub(super) const SLICES: Source = Source { entry: "tropical_eval_slices", ..SOURCE };

pub(super) const NARROW: Source = Source {
    stem: "tropical_eval_narrow",
    entry: "tropical_eval_narrow",
    wgsl: include_str!("../../../shaders/tropical_eval_narrow.wgsl"),
    trusted: true,
};

/// The most coordinates of points that lanes own.
const DEPTH: u32 = 4;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    slice: u32,
    slices: u32,
    z_row: u32,
    first: u32,
    resume: u32,
}

pub(super) fn tropical_eval(
    context: &Context,
    points: &Matrix,
    exponents: &Matrix,
    coefficients: &Matrix,
) -> Result<Maxima<Matrix, Indices>> {
    let n = check::tropical_eval(points.shape(), exponents.shape(), coefficients.shape())?;
    let mut values = Matrix::new(context, "tropical_eval", [n, 1])?;
    let mut arguments = Indices::new(context, "tropical_eval", n)?;
    if let Some(narrow) = Narrow::new(context, points.shape()) {
        narrow.run(context, [points, exponents, coefficients], &mut values, &mut arguments)?;
        return Ok(Maxima { values, arguments });
    }
    let contraction = Contraction {
        operation: "tropical_eval",
        x: (points, Transpose::No),
        y: (exponents, Transpose::No),
        fold: Fold::Slices,
        step: values.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (value, z_row) = values.blocks.locate_mut(step.rows.start)?;
        let (argument, _) = arguments.blocks.locate_mut(step.rows.start)?;
        let first = word(step.first_column)?;
        let Slices { panels: slice, count: slices } = step.slices;
        let params = Params { shape: step.shape, slice, slices, z_row, first, resume: u32::from(!step.begins) };
        let partial = if slices == 1 { params } else { Params { z_row: 0, resume: 0, ..params } };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&partial).read(step.x).read(step.y);
        let launch = launch.read_or_empty(coefficients.only());
        if slices == 1 {
            return launch.write(value).write_words(argument).dispatch(step.groups);
        }
        let bytes = step.rows.len() as u64 * u64::from(slices) * 4;
        let mut bests = context.storage("tropical_eval", bytes)?;
        let mut indices = context.storage("tropical_eval", bytes)?;
        launch.write(&mut bests).write_words(&mut indices).dispatch(step.groups)?;
        let kernel = context.kernel(&SLICES, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(&bests).read_words(&indices);
        launch.write(value).write_words(argument).dispatch(lanes(step.rows.len()))
    })?;
    Ok(Maxima { values, arguments })
}

/// The kernel in which lanes own points: few coordinates, and points enough for all lanes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrow {
    depth: u32,
    /// Vectors of four points that a lane owns.
    vectors: u32,
    lanes: u32,
    /// Whether the lanes of a workgroup, a subgroup, pass monomials on.
    broadcast: bool,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct NarrowParams {
    first_row: u32,
    end_row: u32,
    z_row: u32,
    first_exponent: u32,
    first: u32,
    monomials: u32,
    resume: u32,
}

impl Narrow {
    /// The kernel for `n` points, if these have few coordinates and keep the adapter busy: this kernel cuts points only.
    fn new(context: &Context, [n, depth]: [usize; 2]) -> Option<Self> {
        let depth = word(depth).ok().filter(|depth| (1..=DEPTH).contains(depth))?;
        let broadcast = context.variants.broadcasts(n);
        // The more points share what is loaded the better. Hardware has registers for 16, with 10 waves per SIMD; where
        // registers are memory anyway, 32 take half the time of 8.
        let most = if broadcast.is_some() { 8 } else { 4 };
        let narrow = |vectors| Self { depth, vectors, lanes: broadcast.unwrap_or(64), broadcast: broadcast.is_some() };
        let sizes = [8, 4, 2, 1].into_iter().filter(|vectors| *vectors <= most);
        sizes.map(narrow).find(|narrow| n >= context.groups * narrow.points())
    }

    /// Points of a workgroup.
    fn points(self) -> usize {
        (self.lanes * self.vectors * 4) as usize
    }

    /// What the kernel is composed with.
    pub(super) fn constants(self) -> Constants {
        let mut consts = vec![("DEPTH", self.depth), ("VECTORS", self.vectors)];
        let library = if self.broadcast {
            consts.push(("LANES_OF_SUBGROUP", self.lanes));
            include_str!("../../../shaders/monomials_broadcast.wgsl")
        } else {
            include_str!("../../../shaders/monomials_uniform.wgsl")
        };
        let overrides = vec![("LANES", self.lanes)];
        Constants { consts, overrides, libraries: vec![library], half: false }
    }

    /// Evaluates all monomials at all points, in submissions of bounded length.
    fn run(
        self,
        context: &Context,
        [points, exponents, coefficients]: [&Matrix; 3],
        values: &mut Matrix,
        arguments: &mut Indices,
    ) -> Result<()> {
        let kernel = context.kernel(&NARROW, self.constants())?;
        let [n, m] = [points.shape()[0], exponents.shape()[0]];
        // A monomial costs a point about as much as four multiply-adds.
        let work = usize::try_from(context.work).unwrap_or(usize::MAX) / 4;
        let most_rows = (work / m / self.points() * self.points()).max(self.points());
        for rows in parts(0..n, &[points.blocks.step, values.blocks.step], most_rows) {
            let (x, first_row) = points.blocks.locate(rows.start)?;
            for run in parts(0..m, &[exponents.blocks.step], (work / rows.len()).max(1)) {
                let (y, first_exponent) = exponents.blocks.locate(run.start)?;
                let (value, z_row) = values.blocks.locate_mut(rows.start)?;
                let (argument, _) = arguments.blocks.locate_mut(rows.start)?;
                let params = NarrowParams {
                    first_row,
                    end_row: first_row + word(rows.len())?,
                    z_row,
                    first_exponent,
                    first: word(run.start)?,
                    monomials: word(run.len())?,
                    resume: u32::from(run.start > 0),
                };
                let launch = context.launch(&kernel).params(&params).read(x).read(y);
                let launch = launch.read_or_empty(coefficients.only()).write(value).write_words(argument);
                launch.dispatch(rows.len().div_ceil(self.points()) as u64)?;
            }
        }
        Ok(())
    }
}

/// One kernel for each way that monomials come to the lanes, for those who look at the composed modules.
pub(super) fn samples() -> [(&'static str, Narrow); 2] {
    let narrow = Narrow { depth: 2, vectors: 4, lanes: 64, broadcast: false };
    [("workgroup", narrow), ("broadcast", Narrow { lanes: 8, broadcast: true, ..narrow })]
}
