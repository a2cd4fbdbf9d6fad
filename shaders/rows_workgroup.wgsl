// Library of the contraction: the lanes of a workgroup bring STAGED vectors of the inner range of all their rows and
// panels to workgroup memory, from which each lane reads its own rows and columns. For adapters in hardware.
//
// A lane brings 4 rows at a time and turns them, so that the rows of a tile lie next to each other, and vectors of the
// panels as they are. The host appends STAGED, a divisor of the inner range.

const STEPS: u32 = STAGED * 4u;
const ROW_VECTORS: u32 = TILE_ROWS / 4u;
const STEP_ROWS: u32 = GROUP_ROWS / 4u;
const STEP_COLUMNS: u32 = GROUP_PANELS * TILE_VECTORS;

var<workgroup> x_staged: array<vec4<f32>, STEPS * STEP_ROWS>;    // [step][vector of tile][lane]
var<workgroup> y_staged: array<vec4<f32>, STEPS * STEP_COLUMNS>; // [step][panel][vector]

// Adds the inner range to a tile.
fn contract(tile: ptr<function, Tile>, shape: Shape, row: u32, panel: u32, lane: u32) {
    let group_row = row - row_of_lane(lane);
    let group_panel = panel - panel_of_lane(lane);
    for (var k = 0u; k < shape.inner; k += STAGED) {
        // The lanes have read what is about to be replaced.
        workgroupBarrier();
        for (var i = 0u; i < (STEP_ROWS * STAGED + LANES - 1u) / LANES; i++) {
            let unit = i * LANES + lane;
            if unit < STEP_ROWS * STAGED {
                let four = unit / STAGED;
                let vector = unit % STAGED;
                var rows: array<vec4<f32>, 4>;
                for (var s = 0u; s < 4u; s++) {
                    let source = min(group_row + four * 4u + s, shape.end_row - 1u);
                    rows[s] = x[source * shape.stride + shape.first + k + vector];
                }
                let to = vector * 4u * STEP_ROWS + four % ROW_VECTORS * LANE_ROWS + four / ROW_VECTORS;
                for (var s = 0u; s < 4u; s++) {
                    x_staged[to + s * STEP_ROWS] = vec4<f32>(rows[0][s], rows[1][s], rows[2][s], rows[3][s]);
                }
            }
        }
        for (var i = 0u; i < (STEPS * STEP_COLUMNS + LANES - 1u) / LANES; i++) {
            let unit = i * LANES + lane;
            if unit < STEPS * STEP_COLUMNS {
                let source = min(group_panel + unit / (STEPS * TILE_VECTORS), shape.end_panel - 1u);
                let step = unit / TILE_VECTORS % STEPS;
                let to = step * STEP_COLUMNS + unit / (STEPS * TILE_VECTORS) * TILE_VECTORS + unit % TILE_VECTORS;
                y_staged[to] = y[(source * shape.inner + k) * TILE_COLUMNS + unit % (STEPS * TILE_VECTORS)];
            }
        }
        workgroupBarrier();
        for (var step = 0u; step < STEPS; step += 4u) {
            var x_now: array<array<vec4<f32>, ROW_VECTORS>, 4>;
            var y_now: array<array<vec4<f32>, TILE_VECTORS>, 4>;
            for (var s = 0u; s < 4u; s++) {
                for (var r = 0u; r < ROW_VECTORS; r++) {
                    x_now[s][r] = x_staged[(step + s) * STEP_ROWS + r * LANE_ROWS + lane % LANE_ROWS];
                }
                for (var c = 0u; c < TILE_VECTORS; c++) {
                    y_now[s][c] = y_staged[(step + s) * STEP_COLUMNS + panel_of_lane(lane) * TILE_VECTORS + c];
                }
            }
            for (var r = 0u; r < TILE_ROWS; r++) {
                for (var c = 0u; c < TILE_VECTORS; c++) {
                    var z = (*tile)[r][c];
                    z = inner(z, x_now[0][r / 4u][r % 4u], y_now[0][c]);
                    z = inner(z, x_now[1][r / 4u][r % 4u], y_now[1][c]);
                    z = inner(z, x_now[2][r / 4u][r % 4u], y_now[2][c]);
                    z = inner(z, x_now[3][r / 4u][r % 4u], y_now[3][c]);
                    (*tile)[r][c] = z;
                }
            }
        }
    }
}
