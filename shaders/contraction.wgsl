// Library: the tiled loop over (rows of x) x (columns of y) x (inner index) that all contractions share.
//
// A lane owns a register tile of TILE_ROWS rows of x against one panel of TILE_COLUMNS columns of y. The lanes of a
// workgroup share their rows and own neighbouring panels. There is no workgroup memory: adapters that emulate it lose
// more by its barriers than they gain.
//
// The host appends
//     const TILE_ROWS: u32;     rows of the register tile
//     const TILE_COLUMNS: u32;  columns of the register tile, a multiple of 4
//     rows_direct.wgsl or rows_broadcast.wgsl: how the rows come to the lanes
// and pads the inner length of both operands to a multiple of 4 with zeros and y to whole panels. The operation supplies
//     x: array<vec4<f32>>       row-major rows
//     y: array<vec4<f32>>       panels [panel][inner][TILE_COLUMNS]
//     fn inner(z, x, y)         the inner operation, such as z + x y
// and folds the finished tiles. It calls `contract` where all lanes of the workgroup do.

override LANES: u32 = 8u;
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
}

alias Tile = array<array<vec4<f32>, TILE_VECTORS>, TILE_ROWS>;

// The number of a workgroup in a grid that is folded into three dimensions.
fn number_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return (group.z * groups.y + group.y) * groups.x + group.x;
}

// Adds the inner range to a tile. Rows and panels beyond the last repeat the last; their results are not used.
fn contract(tile: ptr<function, Tile>, shape: Shape, row: u32, panel: u32, lane: u32) {
    var x_at: array<u32, HELD>;
    for (var h = 0u; h < HELD; h++) {
        x_at[h] = min(row + held_row(h, lane), shape.end_row - 1u) * shape.stride + shape.first;
    }
    var y_at = min(panel, shape.end_panel - 1u) * shape.inner * TILE_COLUMNS;
    for (var k = 0u; k < shape.inner; k++) {
        var y_now: array<array<vec4<f32>, TILE_VECTORS>, 4>;
        for (var s = 0u; s < 4u; s++) {
            for (var c = 0u; c < TILE_VECTORS; c++) {
                y_now[s][c] = y[y_at + s * TILE_VECTORS + c];
            }
        }
        y_at += TILE_COLUMNS;
        var held: array<vec4<f32>, HELD>;
        for (var h = 0u; h < HELD; h++) {
            held[h] = x[x_at[h] + k];
        }
        for (var r = 0u; r < TILE_ROWS; r++) {
            let x_now = row_of(&held, r);
            for (var c = 0u; c < TILE_VECTORS; c++) {
                var z = (*tile)[r][c];
                z = inner(z, x_now.x, y_now[0][c]);
                z = inner(z, x_now.y, y_now[1][c]);
                z = inner(z, x_now.z, y_now[2][c]);
                z = inner(z, x_now.w, y_now[3][c]);
                (*tile)[r][c] = z;
            }
        }
    }
}
