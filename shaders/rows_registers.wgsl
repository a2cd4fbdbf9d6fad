// Library of the contraction: each lane loads the columns of its panel, and the rows come to it as rows_direct.wgsl or
// rows_broadcast.wgsl says. There is no workgroup memory: adapters that emulate it lose more by its barriers than they
// gain, and few rows leave nothing to share.

// Adds the inner range to a tile.
fn contract(tile: ptr<function, Tile>, shape: Shape, row: u32, panel: u32, lane: u32) {
    var x_at: array<u32, HELD>;
    for (var h = 0u; h < HELD; h++) {
        x_at[h] = min(row + held_row(h, lane), shape.end_row - 1u) * shape.stride + shape.first;
    }
    var y_at = start_of(min(panel, shape.end_panel - 1u), shape) * TILE_COLUMNS;
    for (var k = 0u; k < shape.inner; k++) {
        var y_now: array<array<vec4<f32>, TILE_VECTORS>, 4>;
        for (var s = 0u; s < 4u; s++) {
            for (var c = 0u; c < TILE_VECTORS; c++) {
                y_now[s][c] = vec4<f32>(y[y_at + s * TILE_VECTORS + c]);
            }
        }
        y_at += TILE_COLUMNS;
        var held: array<vec4<f32>, HELD>;
        for (var h = 0u; h < HELD; h++) {
            held[h] = vec4<f32>(x[x_at[h] + k]);
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
