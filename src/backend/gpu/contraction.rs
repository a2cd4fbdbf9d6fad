//! The host's side of `shaders/contraction.wgsl`: tiles, panels, and the loop over what fits into one dispatch.
//!
//! What a compiler for real GPUs (Mesa RADV, RDNA 2 and RDNA 1) makes of the variant for hardware: the instructions of
//! the loop over the inner range, 16 steps with all that brings their operands, and what the whole kernel needs.
//! `unchecked` is what runs; `checked` shows why: with the bounds checks and forced loop bounds that wgpu inserts by
//! default, the register tile is no longer unrolled.
//!
//! ```text
//! kernel                     target  checks     share  loop  math other scalar local global  wide waits  VGPRs spilled    LDS waves/SIMD
//! affine                     NAVI21  unchecked  87.3 %  1173  1024    32      8    72      8     8    29    160       0   8192          6
//! affine                     NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    168       0   8192          6
//! affine                     NAVI10  unchecked  87.2 %  1174  1024    32      8    72      8     8    30    160       0   8192          6
//! matmul                     NAVI21  unchecked  87.3 %  1173  1024    32      8    72      8     8    29    160       0   8192          6
//! matmul                     NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    168       0   8192          6
//! matmul                     NAVI10  unchecked  87.2 %  1174  1024    32      8    72      8     8    30    160       0   8192          6
//! support_function           NAVI21  unchecked  87.6 %  1169  1024    28      8    72      8     8    29    168       0  10240          6
//! support_function           NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    168       0  10240          6
//! support_function           NAVI10  unchecked  87.5 %  1170  1024    28      8    72      8     8    30    164       0  10240          6
//! tropical_eval              NAVI21  unchecked  87.4 %  1171  1024    30      8    72      8     8    29    168       0  12288          6
//! tropical_eval              NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    184       0  12288          4
//! tropical_eval              NAVI10  unchecked  87.4 %  1172  1024    30      8    72      8     8    30    168       0  12288          6
//! max_plus_matmul            NAVI21  unchecked  91.3 %  1682  1536    29      8    72      8     8    29    160       0   8192          6
//! max_plus_matmul            NAVI21  checked    16.1 %   299    48   124    118     0      0     0     9    168       0   8192          6
//! max_plus_matmul            NAVI10  unchecked  91.3 %  1683  1536    29      8    72      8     8    30    160       0   8192          6
//! nearest                    NAVI21  unchecked  93.4 %  2193  2048    28      8    72      8     8    29    176       0  12288          4
//! nearest                    NAVI21  checked    20.3 %   315    64   124    118     0      0     0     9    184       0  12288          4
//! nearest                    NAVI10  unchecked  93.3 %  2195  2048    28      8    72      8     8    31    172       0  12288          4
//! class_supports             NAVI21  unchecked  87.6 %  1169  1024    28      8    72      8     8    29    192       0  16384          4
//! class_supports             NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    200       0  16384          4
//! class_supports             NAVI10  unchecked  87.4 %  1171  1024    28      8    72      8     8    31    188       0  16384          4
//! activation_patterns        NAVI21  unchecked  87.6 %  1169  1024    28      8    72      8     8    29    160       0  10240          6
//! activation_patterns        NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    168       0  10240          6
//! activation_patterns        NAVI10  unchecked  87.4 %  1171  1024    28      8    72      8     8    31    156       0  10240          6
//! convolution                NAVI21  unchecked  87.6 %  1169  1024    28      8    72      8     8    29    160       0   8192          6
//! convolution                NAVI21  checked    11.3 %   283    32   124    118     0      0     0     9    160       0   8192          6
//! convolution                NAVI10  unchecked  87.5 %  1170  1024    28      8    72      8     8    30    156       0   8192          6
//! affine.f16                 NAVI21  unchecked  85.9 %  1192  1024    51      8    72      8     0    29    160       0   8192          6
//! affine.f16                 NAVI10  unchecked  85.8 %  1193  1024    51      8    72      8     0    30    160       0   8192          6
//! max_plus_matmul.f16        NAVI21  unchecked  90.4 %  1700  1536    47      8    72      8     0    29    168       0   8192          6
//! max_plus_matmul.f16        NAVI10  unchecked  90.3 %  1701  1536    47      8    72      8     0    30    164       0   8192          6
//! nearest.f16                NAVI21  unchecked  92.6 %  2212  2048    47      8    72      8     0    29    176       0  12288          4
//! nearest.f16                NAVI10  unchecked  92.5 %  2214  2048    47      8    72      8     0    31    172       0  12288          4
//! tropical_eval.f16          NAVI21  unchecked  86.1 %  1190  1024    49      8    72      8     0    29    168       0  12288          6
//! tropical_eval.f16          NAVI10  unchecked  86.0 %  1191  1024    49      8    72      8     0    30    168       0  12288          6
//! affine                     VEGA10  unchecked  87.4 %  1172  1024    32      7    72      8     8    29    160       0   8192          1
//! affine.wave64              VEGA10  unchecked  78.9 %   649   512    33     10    56      8     8    30    112       0   6144          2
//! max_plus_matmul            VEGA10  unchecked  91.3 %  1682  1536    30      7    72      8     8    29    160       0   8192          1
//! max_plus_matmul.wave64     VEGA10  unchecked  85.2 %   901   768    29     10    56      8     8    30    116       0   6144          2
//! tropical_eval              VEGA10  unchecked  87.7 %  1168  1024    28      7    72      8     8    29    176       0  12288          1
//! tropical_eval.wave64       VEGA10  unchecked  79.4 %   645   512    29     10    56      8     8    30    116       0   8192          2
//! nearest                    VEGA10  unchecked  93.4 %  2192  2048    28      7    72      8     8    29    172       0  12288          1
//! nearest.wave64             VEGA10  unchecked  88.5 %  1157  1024    29     10    56      8     8    30    116       0   8192          2
//! class_supports             VEGA10  unchecked  87.7 %  1168  1024    28      7    72      8     8    29    188       0  16384          1
//! class_supports.wave64      VEGA10  unchecked  79.4 %   645   512    29     10    56      8     8    30    124       0  10240          2
//! tropical_eval_narrow       NAVI21  unchecked  48.7 %   394   192   139     45     0      0     0    18     96       0      0         10
//! tropical_eval_narrow       NAVI21  checked    19.0 %   252    48    49    152     0      0     0     3     72       0      0         14
//! tropical_eval_narrow       NAVI10  unchecked  48.6 %   395   192   139     45     0      0     0    19     96       0      0         10
//! row_norms                  NAVI21  checked    20.0 %    25     5     4     13     0      1     1     2     16       0    512         32
//! row_norms                  NAVI10  checked    18.5 %    27     5     4     13     0      1     1     4     12       0    512         40
//! row_scores                 NAVI21  checked    10.7 %    75     8    29     27     0      3     2     8     32       0   1024         32
//! row_scores                 NAVI10  checked    10.5 %    76     8    26     26     0      3     2    13     24       0   1024         40
//! target_sums                NAVI21  checked    26.4 %    91    24    29     27     0      3     2     8     40       0   1024         24
//! target_sums                NAVI10  checked    26.7 %    90    24    26     26     0      3     2    11     36       0   1024         28
//! path_norms_forward         NAVI21  checked    26.5 %    34     9     5     15     0      2     2     3     16       0    512         32
//! path_norms_forward         NAVI10  checked    25.0 %    36     9     5     15     0      2     2     5     16       0    512         40
//! path_norms_backward        NAVI21  checked    10.4 %    77     8    27     28     0      4     2    10     24       0   1024         32
//! path_norms_backward        NAVI10  checked     9.6 %    83     8    27     28     0      4     2    16     24       0   1024         40
//! ```
//!
//! From the two commands in `benches/kernel-isa/README.md`. Outside of this loop, each panel of 8 columns costs the fold
//! of `tropical_eval` a comparison, a selection and a maximum for each element.
//! The loop of `tropical_eval_narrow` takes four monomials for 16 points of two coordinates and loads by the scalar unit alone;
//! its other vector instructions are the comparison and the selection of the fold, 128 of 139.
//! The last rows are the passes over rows and columns, which memory bounds and which run with checks: their loops load 16 bytes
//! a lane (`wide`), from neighbouring places of a row, and two such vectors only where rows do not start at one.
//! `.f16` are the modules for operands stored in f16. On VEGA10 (`--target VEGA10`) the waves of a SIMD share 256 registers a lane,
//! and above 128 there is room for one, whose loads nothing hides: adapters whose subgroups always have 64 lanes get tiles
//! with half of the rows (`.wave64`).

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::matrix::{Matrix, parts, word};
use super::pack::{self, Rectangle, turned};
use super::pool::Buffer;
use super::tile::Tile;
use crate::backend::Transpose;
use crate::error::{Error, Result};

/// Panels up to this size stay with their matrix; larger ones are packed piece by piece at each use, which costs little
/// beside the product and does not double the memory that the weights take.
const KEPT: u64 = 32 << 20;

/// What one dispatch covers, see `shaders/contraction.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct Shape {
    first_row: u32,
    end_row: u32,
    stride: u32,
    first: u32,
    inner: u32,
    first_panel: u32,
    end_panel: u32,
    columns: u32,
    depth: u32,
    offset: u32,
    share: u32,
    shares: u32,
}

impl Shape {
    /// Shares of the inner range, each with sums of its own.
    pub(super) fn shares(&self) -> u32 {
        self.shares
    }

    /// Columns of the piece.
    pub(super) fn columns(&self) -> u32 {
        self.columns
    }
}

/// Vectors of the inner range for which a share of its own pays.
const SHARE: usize = 64;

/// The right operand of a contraction, packed.
#[derive(Debug)]
pub(super) struct Panels {
    width: u32,
    /// The length to which the inner range is padded: that of the left operand.
    inner: usize,
    transpose: Transpose,
    pieces: Vec<(Rectangle, Buffer)>,
}

/// How the tiles of one contraction are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Each tile is stored: the inner range may be cut.
    Store,
    /// The same, where the operation also adds up shares of the inner range that workgroups take.
    Shares,
    /// All columns fold into one value for each row, which takes whole sums: the inner range is not cut.
    Columns,
    /// The same, where the operation also folds slices of the columns that workgroups share.
    Slices,
}

impl Fold {
    /// Whether each tile is stored.
    fn stores(self) -> bool {
        matches!(self, Self::Store | Self::Shares)
    }
}

/// How the workgroups of one dispatch share the columns of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slices {
    /// Panels of a slice.
    pub(super) panels: u32,
    /// Results for each row, to be folded if there are several.
    pub(super) count: u32,
}

/// One dispatch of a contraction.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) x: &'a Buffer,
    pub(super) y: &'a Buffer,
    pub(super) shape: Shape,
    /// Rows of the whole left operand.
    pub(super) rows: Range<usize>,
    /// The first column of the piece in the whole right operand.
    pub(super) first_column: usize,
    /// Whether nothing was folded into these results before.
    pub(super) begins: bool,
    /// Whether nothing is folded into these results after.
    pub(super) ends: bool,
    pub(super) slices: Slices,
    /// Workgroups.
    pub(super) groups: u64,
}

/// A contraction of `op(x)`, `n x d`, with `op(y)`, `m x d`: both with the inner index along their rows.
pub(super) struct Contraction<'a> {
    pub(super) operation: &'static str,
    pub(super) x: (&'a Matrix, Transpose),
    pub(super) y: (&'a Matrix, Transpose),
    pub(super) fold: Fold,
    /// Rows in a block of the results.
    pub(super) step: usize,
}

impl Contraction<'_> {
    /// Calls `dispatch` for each part of the work.
    ///
    /// An empty inner range and an empty right operand take part as zeros, so that what follows the sum still happens.
    pub(super) fn run(
        &self,
        context: &Context,
        mut dispatch: impl FnMut(&Tile, &Step<'_>) -> Result<()>,
    ) -> Result<()> {
        let [n, d] = turned(self.x.0.shape(), self.x.1);
        let m = turned(self.y.0.shape(), self.y.1)[0].max(1);
        let (mut tile, inner) = Tile::new(context, n, m, d)?;
        tile.shared = self.fold == Fold::Shares;
        if !self.fold.stores() && inner as u64 * 4 * u64::from(tile.columns) > context.max_binding {
            tile.columns = 4;
        }
        let copy;
        let x = if self.x.1 == Transpose::No && inner == d && !context.half {
            self.x.0
        } else {
            copy = pack::rows(context, self.operation, self.x.0, self.x.1, inner)?;
            &copy
        };
        let mut visit =
            |rectangle: &Rectangle, y: &Buffer| self.visit(context, tile, (x, inner), rectangle, y, &mut dispatch);
        let rectangles = self.rectangles(context, tile, m, inner)?;
        let (source, transpose) = self.y;
        if rectangles.iter().map(Rectangle::bytes).sum::<u64>() <= KEPT {
            let fresh = || -> Result<Panels> {
                let pack = |rectangle: Rectangle| Ok((rectangle.clone(), self.pack(context, &rectangle)?));
                let pieces = rectangles.iter().cloned().map(pack).collect::<Result<_>>()?;
                Ok(Panels { width: tile.columns, inner, transpose, pieces })
            };
            if source.panels.get().is_none() {
                // Another thread may have been first: its panels are as good.
                let _ = source.panels.set(fresh()?);
            }
            let fits = |panels: &&Panels| {
                panels.width == tile.columns && panels.inner == inner && panels.transpose == transpose
            };
            match source.panels.get().filter(fits) {
                Some(panels) => panels.pieces.iter().try_for_each(|(rectangle, y)| visit(rectangle, y)),
                None => fresh()?.pieces.iter().try_for_each(|(rectangle, y)| visit(rectangle, y)),
            }
        } else {
            rectangles.iter().try_for_each(|rectangle| visit(rectangle, &self.pack(context, rectangle)?))
        }
    }

    /// Cuts the right operand into pieces of whole panels that each fit into a binding.
    fn rectangles(&self, context: &Context, tile: Tile, m: usize, inner: usize) -> Result<Vec<Rectangle>> {
        let width = tile.columns as usize;
        let limit = usize::try_from(context.max_binding).unwrap_or(usize::MAX) / 4;
        let vectors = tile.staged as usize * 4;
        let most = (limit / width / vectors * vectors).max(vectors);
        if inner > most && !self.fold.stores() {
            let bytes = inner as u64 * 4 * width as u64;
            return Err(Error::TooLarge { operation: self.operation, bytes, limit: context.max_binding });
        }
        let columns = (limit / (inner.min(most) * width)).max(1) * width;
        let mut found = Vec::new();
        for across in parts(0..m, &[columns], m) {
            for along in parts(0..inner, &[most], inner) {
                found.push(Rectangle {
                    columns: across.clone(),
                    inner: along,
                    width: tile.columns,
                    half: context.half,
                });
            }
        }
        Ok(found)
    }

    fn pack(&self, context: &Context, rectangle: &Rectangle) -> Result<Buffer> {
        let mut buffer = context.storage(self.operation, rectangle.bytes())?;
        pack::pack(context, &self.y.0.blocks, self.y.1, rectangle, &mut buffer)?;
        Ok(buffer)
    }

    /// Cuts the work on one piece into submissions of bounded length.
    fn visit(
        &self,
        context: &Context,
        tile: Tile,
        (x, stride): (&Matrix, usize),
        rectangle: &Rectangle,
        y: &Buffer,
        dispatch: &mut impl FnMut(&Tile, &Step<'_>) -> Result<()>,
    ) -> Result<()> {
        let n = x.blocks.rows;
        let m = turned(self.y.0.shape(), self.y.1)[0].max(1);
        let (height, width, across) = (tile.group_rows(), tile.columns as usize, tile.group_panels());
        let work = usize::try_from(context.work).unwrap_or(usize::MAX);
        let length = rectangle.inner.len();
        let panels = rectangle.columns.len().div_ceil(width);
        let most_rows = work / (panels * width * length) / height * height;
        let most_panels = (work / (height * width * length)).next_multiple_of(across);
        for rows in parts(0..n, &[x.blocks.step, self.step], most_rows.max(height)) {
            let (buffer, first_row) = x.blocks.locate(rows.start)?;
            for run in parts(0..panels, &[panels], most_panels.max(across)) {
                let tiles = rows.len().div_ceil(height) as u64;
                let slices = self.slices(context, tile, rows.len(), run.len())?;
                let mut share = length / 4;
                let (begins, ends, groups) = match self.fold {
                    Fold::Store | Fold::Shares => {
                        let groups = tiles * run.len().div_ceil(across) as u64;
                        let entries = rows.len() * rectangle.columns.len();
                        if self.fold == Fold::Shares && run.len() == panels {
                            share = share_of(context, tile, groups, length / 4, entries);
                        }
                        (
                            rectangle.inner.start == 0,
                            rectangle.inner.end == stride,
                            groups * (length / 4).div_ceil(share) as u64,
                        )
                    }
                    Fold::Columns | Fold::Slices => (
                        rectangle.columns.start == 0 && run.start == 0,
                        rectangle.columns.end == m && run.end == panels,
                        tiles * u64::from(slices.count),
                    ),
                };
                let shape = Shape {
                    first_row,
                    end_row: first_row + word(rows.len())?,
                    stride: word(stride / 4)?,
                    first: word(rectangle.inner.start / 4)?,
                    inner: word(length / 4)?,
                    first_panel: word(run.start)?,
                    end_panel: word(run.end)?,
                    columns: word(rectangle.columns.len())?,
                    depth: word(length / 4)?,
                    offset: 0,
                    share: word(share)?,
                    shares: word((length / 4).div_ceil(share))?,
                };
                let first_column = rectangle.columns.start;
                let rows = rows.clone();
                dispatch(&tile, &Step { x: buffer, y, shape, rows, first_column, begins, ends, slices, groups })?;
            }
        }
        Ok(())
    }

    /// Cuts the columns into slices where the rows alone do not keep the adapter busy.
    fn slices(&self, context: &Context, tile: Tile, rows: usize, panels: usize) -> Result<Slices> {
        let tiles = rows.div_ceil(tile.group_rows());
        let runs = panels.div_ceil(tile.group_panels());
        let room = usize::try_from(context.max_binding).unwrap_or(usize::MAX) / 4 / rows;
        let most = if self.fold == Fold::Slices { (context.groups / tiles).min(room).clamp(1, runs) } else { 1 };
        let panels_of_slice = runs.div_ceil(most) * tile.group_panels();
        Ok(Slices { panels: word(panels_of_slice)?, count: word(panels.div_ceil(panels_of_slice))? })
    }
}

/// Vectors of the inner range that a workgroup takes, fewer than all where the tiles alone do not keep the adapter busy.
fn share_of(context: &Context, tile: Tile, groups: u64, vectors: usize, entries: usize) -> usize {
    let room = usize::try_from(context.max_binding).unwrap_or(usize::MAX) / 4 / entries.max(1);
    let idle = context.groups / usize::try_from(groups).unwrap_or(usize::MAX).max(1);
    let shares = idle.min(room).min(vectors / SHARE).max(1);
    vectors.div_ceil(shares).next_multiple_of(tile.staged as usize)
}
