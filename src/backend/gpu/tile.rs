//! Which variant of the contraction runs on which adapter and shape, and how large its tiles are.

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::kernel::Constants;
use super::tuning::Tuning;
use crate::error::{Error, Result};

/// How the operands of a contraction come to the lanes of a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Through workgroup memory: adapters in hardware, unless there are few rows.
    Workgroup,
    /// Each lane loads what it needs: few rows, and adapters in software without subgroups.
    Direct,
    /// Each lane loads its columns, and the lanes of a subgroup share the rows: adapters in software.
    Broadcast,
}

/// The register tile of a lane, and the lanes of a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) variant: Variant,
    pub(super) rows: u32,
    pub(super) columns: u32,
    /// Lanes of a workgroup that own different rows of the same panel.
    pub(super) lane_rows: u32,
    /// Lanes of a workgroup that own different panels for the same rows.
    pub(super) lane_panels: u32,
    /// Vectors of the inner range that are in workgroup memory at a time.
    pub(super) staged: u32,
    /// Whether subgroups fold what their lanes folded.
    pub(super) subgroups: bool,
    /// Whether operands are stored in f16.
    pub(super) half: bool,
    /// Whether workgroups may take shares of the inner range.
    pub(super) shared: bool,
}

/// A tile, and the least rows and columns of a contraction that it is made for.
struct Choice(usize, usize, Tile);

const fn tile(variant: Variant, [rows, columns]: [u32; 2], [lane_rows, lane_panels]: [u32; 2]) -> Tile {
    Tile { variant, rows, columns, lane_rows, lane_panels, staged: 4, subgroups: false, half: false, shared: false }
}

/// The first that fits is taken. Large tiles load less for each product; small ones waste less on short edges. The
/// width of the panels follows from the columns alone, so that weights are packed once for all batches.
const CHOICES: &[Choice] = &[
    Choice(32, 33, tile(Variant::Workgroup, [8, 8], [8, 8])),
    Choice(32, 0, tile(Variant::Workgroup, [8, 4], [8, 8])),
    Choice(5, 33, tile(Variant::Direct, [8, 8], [1, 64])),
    Choice(5, 0, tile(Variant::Direct, [8, 4], [1, 64])),
    Choice(0, 33, tile(Variant::Direct, [4, 8], [1, 64])),
    Choice(0, 0, tile(Variant::Direct, [4, 4], [1, 64])),
    Choice(9, 0, tile(Variant::Broadcast, [32, 4], [1, 8])),
    Choice(0, 0, tile(Variant::Broadcast, [8, 4], [1, 8])),
];

/// Which variants a context takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variants {
    /// The only one, if the caller wants it so.
    wanted: Option<Variant>,
    /// What was measured on this adapter.
    tuning: Option<Tuning>,
    software: bool,
    /// Whether a lane's tile has to be small, see [`Tile::in_wave64`].
    wave64: bool,
    /// Lanes of a subgroup, where their number is fixed and a workgroup may consist of one.
    subgroup: Option<u32>,
}

impl Variants {
    pub(super) fn new(
        wanted: Option<Variant>,
        tuning: Option<Tuning>,
        software: bool,
        subgroup: Option<u32>,
    ) -> Result<Self> {
        let wave64 = subgroup == Some(64);
        let subgroup = subgroup.filter(|lanes| [4, 8, 16, 32].contains(lanes));
        if wanted == Some(Variant::Broadcast) && subgroup.is_none() {
            let problem = "the adapter has no subgroups of a fixed size up to 32".to_owned();
            return Err(Error::Argument { argument: "variant", problem });
        }
        // A preference for what the adapter no longer has is none.
        let has = |variant| variant != Variant::Broadcast || subgroup.is_some();
        let tuning = tuning.filter(|tuning| has(tuning.many_rows) && has(tuning.few_rows));
        Ok(Self { wanted, tuning, software, wave64, subgroup })
    }

    /// The same, or as if subgroups had 64 lanes.
    pub(super) fn with_wave64(self, forced: bool) -> Self {
        Self { wave64: self.wave64 || forced, ..self }
    }

    pub(super) fn tuning(self) -> Option<Tuning> {
        self.tuning
    }

    /// The lanes of the subgroups by which lanes pass on what they load, where that is how `rows` are contracted.
    pub(super) fn broadcasts(self, rows: usize) -> Option<u32> {
        self.subgroup.filter(|_| self.allow(Variant::Broadcast, rows))
    }

    fn allow(self, variant: Variant, rows: usize) -> bool {
        match (self.wanted.or(self.tuning.map(|tuning| tuning.variant(rows))), variant) {
            (Some(wanted), variant) => wanted == variant,
            (None, Variant::Broadcast) => self.software && self.subgroup.is_some(),
            (None, Variant::Direct) => !self.software || self.subgroup.is_none(),
            (None, Variant::Workgroup) => !self.software,
        }
    }
}

impl Tile {
    /// The tile for `rows` against `columns` with `depth` in between, and the length to which the inner range is padded.
    pub(super) fn new(context: &Context, rows: usize, columns: usize, depth: usize) -> Result<(Self, usize)> {
        let allowed = || CHOICES.iter().filter(|choice| context.variants.allow(choice.2.variant, rows));
        let fits = |choice: &&Choice| rows >= choice.0 && columns >= choice.1;
        let found = allowed().find(fits).or_else(|| allowed().next_back());
        let mut tile = found.ok_or_else(|| Error::Internal { what: "no variant of the contraction".to_owned() })?.2;
        tile.half = context.half;
        tile.subgroups = context.subgroups && tile.lane_rows == 1;
        if let (Variant::Broadcast, Some(lanes)) = (tile.variant, context.variants.subgroup) {
            tile.lane_panels = lanes;
            tile.rows = tile.rows.next_multiple_of(lanes);
        }
        if context.variants.wave64 {
            tile = tile.in_wave64();
        }
        if tile.variant != Variant::Workgroup {
            return Ok((tile, depth.next_multiple_of(4).max(4)));
        }
        // What is staged at a time is long, unless much of it would be padding.
        tile.staged = match depth {
            0..=4 => 1,
            5..=8 | 17..=24 => 2,
            _ => 4,
        };
        Ok((tile, depth.next_multiple_of(4 * tile.staged as usize).max(4)))
    }

    /// The tile on an adapter whose subgroups always have 64 lanes (GCN, CDNA): half of the rows where the whole tile goes
    /// through workgroup memory. The waves of a SIMD share 256 registers a lane there, and a tile that needs more than 128
    /// leaves room for one wave, which then waits for its loads.
    pub(super) fn in_wave64(self) -> Self {
        if self.variant == Variant::Workgroup { Self { rows: self.rows / 2, ..self } } else { self }
    }

    /// Rows of a workgroup.
    pub(super) fn group_rows(self) -> usize {
        (self.rows * self.lane_rows) as usize
    }

    /// Panels of a workgroup.
    pub(super) fn group_panels(self) -> usize {
        self.lane_panels as usize
    }

    /// What the contraction is composed with.
    pub(super) fn constants(self) -> Constants {
        let mut consts = vec![
            ("TILE_ROWS", self.rows),
            ("TILE_COLUMNS", self.columns),
            ("LANE_ROWS", self.lane_rows),
            ("GROUP_PANELS", self.lane_panels),
            ("SHARED", u32::from(self.shared)),
        ];
        let mut libraries = vec![if self.half { "alias Stored = vec4<f16>;" } else { "alias Stored = vec4<f32>;" }];
        libraries.push(if self.subgroups {
            include_str!("../../../shaders/fold_subgroups.wgsl")
        } else {
            include_str!("../../../shaders/fold_memory.wgsl")
        });
        libraries.push(match self.variant {
            Variant::Workgroup => {
                consts.push(("STAGED", self.staged));
                include_str!("../../../shaders/rows_workgroup.wgsl")
            }
            Variant::Direct => concat!(
                include_str!("../../../shaders/rows_direct.wgsl"),
                include_str!("../../../shaders/rows_registers.wgsl")
            ),
            Variant::Broadcast => {
                consts.push(("LANES_OF_SUBGROUP", self.lane_panels));
                concat!(
                    include_str!("../../../shaders/rows_broadcast.wgsl"),
                    include_str!("../../../shaders/rows_registers.wgsl")
                )
            }
        });
        let overrides = vec![("LANES", self.lane_rows * self.lane_panels)];
        Constants { consts, overrides, libraries, half: self.half }
    }
}

/// One tile of each variant and way to fold, for those who look at the composed modules: `(name, tile)`.
pub(super) fn samples() -> impl Iterator<Item = (&'static str, Tile)> {
    let first = |variant| CHOICES.iter().map(|choice| choice.2).find(|tile| tile.variant == variant);
    let named = [
        ("workgroup", Variant::Workgroup, false, false),
        ("direct", Variant::Direct, false, false),
        ("direct, subgroups", Variant::Direct, true, false),
        ("broadcast", Variant::Broadcast, true, false),
        ("workgroup, f16", Variant::Workgroup, false, true),
    ];
    let wave64 = first(Variant::Workgroup).map(|tile| ("workgroup, wave64", tile.in_wave64()));
    named
        .into_iter()
        .filter_map(move |(name, variant, subgroups, half)| Some((name, Tile { subgroups, half, ..first(variant)? })))
        .chain(wave64)
}
