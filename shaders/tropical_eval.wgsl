// f(x) = max_i c_i + <a_i, x>, the value and the lowest i that attains it.
//
// One workgroup per GROUP_ROWS points and slice of monomials. Each lane strides over the panels of the slice and keeps,
// for each of its points, the best value and its index; the lanes' bests are folded at the end, by subgroups or in workgroup memory.
// Where there are several slices, a lane per point folds theirs. Later dispatches go on with later monomials where these
// do not fit into one piece or one submission.

struct Params {
    shape: Shape,
    slice: u32,  // panels of a slice, a multiple of GROUP_PANELS
    slices: u32, // slices of this dispatch
    z_row: u32,  // place of the first point in the results
    first: u32,  // index of the first monomial of the piece
    resume: u32, // 1 where the results already hold the best of earlier monomials
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
@group(0) @binding(4) var<storage, read> slice_values: array<f32>;    // [point][slice]
@group(0) @binding(5) var<storage, read> slice_arguments: array<u32>; // [point][slice]
@group(0) @binding(6) var<storage, read_write> values: array<f32>;
@group(0) @binding(7) var<storage, read_write> arguments: array<u32>;

var<workgroup> lane_values: array<f32, TILE_ROWS * LANES>;
var<workgroup> lane_arguments: array<u32, TILE_ROWS * LANES>;

// There is no minus infinity on a device: what is not yet known has this index.
const NONE: u32 = 0xffffffffu;
const LOWEST: f32 = -0x1.fffffep+127f;

struct Best {
    value: f32,
    index: u32,
}

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

// The larger value; of ties, the lower index.
fn better(one: Best, other: Best) -> Best {
    let tie = other.value == one.value && other.index < one.index;
    if other.index != NONE && (one.index == NONE || other.value > one.value || tie) {
        return other;
    }
    return one;
}

@compute @workgroup_size(LANES)
fn tropical_eval(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    lane: Lane,
) {
    let shape = params.shape;
    let tiles = (shape.end_row - shape.first_row + GROUP_ROWS - 1u) / GROUP_ROWS;
    let number = number_of(group, groups);
    let slice = number / tiles;
    let row = shape.first_row + number % tiles * GROUP_ROWS;
    let first_panel = shape.first_panel + slice * params.slice;
    let end_panel = min(first_panel + params.slice, shape.end_panel);
    var best: array<f32, TILE_ROWS>;
    var argument: array<u32, TILE_ROWS>;
    let first_own = first_panel + panel_of_lane(lane.index);
    for (var r = 0u; r < TILE_ROWS; r++) {
        // Should no value lie above the lowest, the first monomial of the lane attains it.
        best[r] = LOWEST;
        argument[r] = select(NONE, params.first + first_own * TILE_COLUMNS, first_own < end_panel);
    }

    for (var panel = first_panel; panel < end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane.index);
        var tile: Tile;
        for (var c = 0u; c < TILE_COLUMNS; c++) {
            let column = own * TILE_COLUMNS + c;
            // The sums of the padding are zero: they stay at the lowest value and never win.
            let coefficient = select(LOWEST, coefficients[params.first + min(column, shape.columns - 1u)], column < shape.columns);
            for (var r = 0u; r < TILE_ROWS; r++) {
                tile[r][c / 4u][c % 4u] = coefficient;
            }
        }
        contract(&tile, shape, row + row_of_lane(lane.index), own, lane.index);
        if own < end_panel {
            for (var c = 0u; c < TILE_COLUMNS; c++) {
                let monomial = params.first + own * TILE_COLUMNS + c;
                for (var r = 0u; r < TILE_ROWS; r++) {
                    let value = tile[r][c / 4u][c % 4u];
                    argument[r] = select(argument[r], monomial, value > best[r]);
                    best[r] = max(best[r], value);
                }
            }
        }
    }

    for (var r = 0u; r < TILE_ROWS; r++) {
        let value = largest_of_lanes(best[r]);
        let index = lowest_of_lanes(select(NONE, argument[r], best[r] == value));
        if keeps(lane) {
            lane_values[r * LANES + kept_at(lane)] = value;
            lane_arguments[r * LANES + kept_at(lane)] = index;
        }
    }
    workgroupBarrier();

    for (var r = lane.index; r < GROUP_ROWS; r += LANES) {
        // A grid that is folded has groups beyond the last slice.
        if row + r < shape.end_row && slice < params.slices {
            let at = (params.z_row + row + r - shape.first_row) * params.slices + slice;
            var found = Best(0.0, NONE);
            if params.resume == 1u {
                found = Best(values[at], arguments[at]);
            }
            for (var p = 0u; p < kept_of_row(lane); p++) {
                let slot = slot_of(r, p);
                found = better(found, Best(lane_values[slot], lane_arguments[slot]));
            }
            values[at] = found.value;
            arguments[at] = found.index;
        }
    }
}

@compute @workgroup_size(64)
fn tropical_eval_slices(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let row = number_of(group, groups) * 64u + lane;
    if row >= shape.end_row - shape.first_row {
        return;
    }
    let at = params.z_row + row;
    var found = Best(0.0, NONE);
    if params.resume == 1u {
        found = Best(values[at], arguments[at]);
    }
    for (var s = 0u; s < params.slices; s++) {
        let source = row * params.slices + s;
        found = better(found, Best(slice_values[source], slice_arguments[source]));
    }
    values[at] = found.value;
    arguments[at] = found.index;
}
