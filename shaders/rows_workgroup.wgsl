// Library of the contraction: the lanes of a workgroup bring STAGED vectors of the inner range of all their rows and
// panels to workgroup memory, from which each lane reads its own rows and columns. For adapters in hardware.
//
// A lane brings 4 rows at a time and turns them, so that the rows of a tile lie next to each other, and vectors of the
// panels as they are. The host appends STAGED: 1, 2 or 4, a divisor of the inner range. Drivers do not move what a loop
// repeats out of it, and do not unroll loops over whole tiles: addresses are computed before, and steps follow in fours.

const STEPS: u32 = STAGED * 4u;
const ROW_VECTORS: u32 = TILE_ROWS / 4u;
const STEP_ROWS: u32 = GROUP_ROWS / 4u;
const STEP_COLUMNS: u32 = GROUP_PANELS * TILE_VECTORS;
const GROUP_LANES: u32 = LANE_ROWS * GROUP_PANELS;
const X_UNITS: u32 = STEP_ROWS * STAGED;
const Y_UNITS: u32 = STEP_COLUMNS * STEPS;
const X_TURNS: u32 = (X_UNITS + GROUP_LANES - 1u) / GROUP_LANES;
const Y_TURNS: u32 = (Y_UNITS + GROUP_LANES - 1u) / GROUP_LANES;

var<workgroup> x_staged: array<vec4<f32>, STEPS * STEP_ROWS>;    // [step][vector of tile][lane]
var<workgroup> y_staged: array<vec4<f32>, STEPS * STEP_COLUMNS>; // [step][panel][vector]

// Adds the inner range to a tile.
fn contract(tile: ptr<function, Tile>, shape: Shape, row: u32, panel: u32, lane: u32) {
    let group_row = row - row_of_lane(lane);
    let group_panel = panel - panel_of_lane(lane);
    var x_from: array<array<u32, 4>, X_TURNS>;
    var x_to: array<u32, X_TURNS>;
    for (var i = 0u; i < X_TURNS; i++) {
        let four = (i * GROUP_LANES + lane) / STAGED;
        let vector = (i * GROUP_LANES + lane) % STAGED;
        for (var s = 0u; s < 4u; s++) {
            x_from[i][s] = min(group_row + four * 4u + s, shape.end_row - 1u) * shape.stride + shape.first + vector;
        }
        x_to[i] = vector * 4u * STEP_ROWS + four % ROW_VECTORS * LANE_ROWS + four / ROW_VECTORS;
    }
    var y_from: array<u32, Y_TURNS>;
    var y_to: array<u32, Y_TURNS>;
    for (var i = 0u; i < Y_TURNS; i++) {
        let own = (i * GROUP_LANES + lane) / (STEPS * TILE_VECTORS);
        let vector = (i * GROUP_LANES + lane) % (STEPS * TILE_VECTORS);
        let from_panel = min(group_panel + own, shape.end_panel - 1u);
        y_from[i] = start_of(from_panel, shape) * TILE_COLUMNS + vector;
        y_to[i] = vector / TILE_VECTORS * STEP_COLUMNS + own * TILE_VECTORS + vector % TILE_VECTORS;
    }

    for (var k = 0u; k < shape.inner; k += STAGED) {
        var rows: array<array<vec4<f32>, 4>, X_TURNS>;
        for (var i = 0u; i < X_TURNS; i++) {
            for (var s = 0u; s < 4u; s++) {
                rows[i][s] = vec4<f32>(x[x_from[i][s] + k]);
            }
        }
        var columns: array<vec4<f32>, Y_TURNS>;
        for (var i = 0u; i < Y_TURNS; i++) {
            columns[i] = vec4<f32>(y[y_from[i] + k * TILE_COLUMNS]);
        }
        // The lanes have read what is about to be replaced.
        workgroupBarrier();
        for (var i = 0u; i < X_TURNS; i++) {
            if X_UNITS % GROUP_LANES == 0u || i * GROUP_LANES + lane < X_UNITS {
                let four = rows[i];
                for (var s = 0u; s < 4u; s++) {
                    x_staged[x_to[i] + s * STEP_ROWS] = vec4<f32>(four[0][s], four[1][s], four[2][s], four[3][s]);
                }
            }
        }
        for (var i = 0u; i < Y_TURNS; i++) {
            if Y_UNITS % GROUP_LANES == 0u || i * GROUP_LANES + lane < Y_UNITS {
                y_staged[y_to[i]] = columns[i];
            }
        }
        workgroupBarrier();
        four_steps(tile, 0u, lane);
        if STAGED > 1u {
            four_steps(tile, 4u, lane);
        }
        if STAGED > 2u {
            four_steps(tile, 8u, lane);
            four_steps(tile, 12u, lane);
        }
    }
}

fn four_steps(tile: ptr<function, Tile>, first: u32, lane: u32) {
    var x_now: array<array<vec4<f32>, ROW_VECTORS>, 4>;
    var y_now: array<array<vec4<f32>, TILE_VECTORS>, 4>;
    for (var s = 0u; s < 4u; s++) {
        for (var r = 0u; r < ROW_VECTORS; r++) {
            x_now[s][r] = x_staged[(first + s) * STEP_ROWS + r * LANE_ROWS + lane % LANE_ROWS];
        }
        for (var c = 0u; c < TILE_VECTORS; c++) {
            y_now[s][c] = y_staged[(first + s) * STEP_COLUMNS + panel_of_lane(lane) * TILE_VECTORS + c];
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
