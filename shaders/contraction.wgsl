// Library: the tiled loop over (rows of x) x (columns of y) x (inner index) that all contractions share.
//
// A lane owns a register tile of TILE_ROWS rows of x against one panel of TILE_COLUMNS columns of y. The lanes of a
// workgroup form a grid: LANE_ROWS neighbours own different rows, the others different panels, so that a workgroup
// covers GROUP_ROWS rows and GROUP_PANELS panels.
//
// The host appends
//     const TILE_ROWS: u32;     rows of the register tile
//     const TILE_COLUMNS: u32;  columns of the register tile, a multiple of 4
//     const LANE_ROWS: u32;     lanes along the rows
//     const GROUP_PANELS: u32;  lanes along the panels; LANES is the product
//     const SHARED: u32;        1 where workgroups take shares of the inner range
//     alias Stored;             a vector of four entries as operands hold them: vec4<f32>, or vec4<f16>
//     rows_workgroup.wgsl, or rows_registers.wgsl with rows_direct.wgsl or rows_broadcast.wgsl: `contract`
//     fold_memory.wgsl or fold_subgroups.wgsl: what lanes with the same rows do with what they folded
// and pads the inner length of both operands to a multiple of 4 with zeros and y to whole panels. The operation supplies
//     x: array<Stored>          row-major rows
//     y: array<Stored>          panels [panel][inner][TILE_COLUMNS]
//     fn inner(z, x, y)         the inner operation, such as z + x y
// and folds the finished tiles. It calls
//     fn contract(tile, shape, row, panel, lane)
// where all lanes of the workgroup do, with the first row and the panel of the lane: those of the workgroup plus
// `row_of_lane` and `panel_of_lane`. Rows and panels beyond the last repeat the last; their results are not used.

override LANES: u32 = 8u;
const GROUP_ROWS: u32 = TILE_ROWS * LANE_ROWS;
const TILE_VECTORS: u32 = TILE_COLUMNS / 4u;

// What one dispatch covers: rows of one block of x against panels of one piece of y, over one range of the inner index.
struct Shape {
    first_row: u32,   // in the block
    end_row: u32,     // one past the last row, in the block
    stride: u32,      // vectors in a row of x
    first: u32,       // first vector of the inner range in a row of x
    inner: u32,       // vectors in the inner range
    first_panel: u32, // in the piece
    end_panel: u32,   // one past the last panel, in the piece
    columns: u32,     // columns of the piece, without the padding of the last panel
    depth: u32,       // vectors of the inner range in a panel
    offset: u32,      // the first of them that takes part
    share: u32,       // vectors in a share of the inner range
    shares: u32,      // shares that workgroups take of it, of which each stores its own sums
}

// The first vector of the inner range in a panel that takes part, of each column. Where all take part, the two sizes that
// are not needed cost registers that a wave more has use for.
fn start_of(panel: u32, shape: Shape) -> u32 {
    if SHARED == 1u {
        return panel * shape.depth + shape.offset;
    }
    return panel * shape.inner;
}

// One share of the inner range. Workgroups beyond the last share repeat it; they store nothing.
fn share_of(shape: Shape, number: u32) -> Shape {
    let start = min(number, shape.shares - 1u) * shape.share;
    var part = shape;
    part.first += start;
    part.offset += start;
    part.inner = min(shape.share, shape.inner - start);
    return part;
}

alias Tile = array<array<vec4<f32>, TILE_VECTORS>, TILE_ROWS>;

// The number of a workgroup in a grid that is folded into three dimensions.
fn number_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return (group.z * groups.y + group.y) * groups.x + group.x;
}

// The first row of a lane, counted in its workgroup.
fn row_of_lane(lane: u32) -> u32 {
    return lane % LANE_ROWS * TILE_ROWS;
}

// The panel of a lane, counted in its workgroup.
fn panel_of_lane(lane: u32) -> u32 {
    return lane / LANE_ROWS;
}

// Where the lane that owns a row of the workgroup and the p-th of its panels keeps what it folded, in workgroup memory
// in which the lane at place `l` writes its row r to r * LANES + l.
fn slot_of(row: u32, p: u32) -> u32 {
    return row % TILE_ROWS * LANES + p * LANE_ROWS + row / TILE_ROWS;
}
