// min_j |x - y_j|^2 in direct differences, the value and the lowest j that attains it.
//
// One workgroup per GROUP_ROWS rows of x. Each lane strides over the panels of rows of y and keeps, for each x, the best
// value and its index; the lanes' bests are folded at the end, by subgroups or in workgroup memory. Later dispatches go on with later
// rows of y where these do not fit into one piece or one submission.

struct Params {
    shape: Shape,
    z_row: u32,  // place of the first x in the results
    first: u32,  // index of the first y of the piece
    resume: u32, // 1 where the results already hold the best of earlier ys
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> arguments: array<u32>;

var<workgroup> lane_values: array<f32, TILE_ROWS * LANES>;
var<workgroup> lane_arguments: array<u32, TILE_ROWS * LANES>;

// There is no infinity on a device: what is not yet known has this index.
const NONE: u32 = 0xffffffffu;
const HIGHEST: f32 = 0x1.fffffep+127f;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    let difference = x - y;
    return z + difference * difference;
}

@compute @workgroup_size(LANES)
fn nearest(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    lane: Lane,
) {
    let shape = params.shape;
    let row = shape.first_row + number_of(group, groups) * GROUP_ROWS;
    var best: array<f32, TILE_ROWS>;
    var argument: array<u32, TILE_ROWS>;
    for (var r = 0u; r < TILE_ROWS; r++) {
        argument[r] = NONE;
    }

    for (var panel = shape.first_panel; panel < shape.end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane.index);
        var tile: Tile;
        contract(&tile, shape, row + row_of_lane(lane.index), own, lane.index);
        if own < shape.end_panel {
            for (var c = 0u; c < TILE_COLUMNS; c++) {
                let column = own * TILE_COLUMNS + c;
                for (var r = 0u; r < TILE_ROWS; r++) {
                    let value = tile[r][c / 4u][c % 4u];
                    // Columns of the padding are no rows of y.
                    let wins = column < shape.columns && (argument[r] == NONE || value < best[r]);
                    best[r] = select(best[r], value, wins);
                    argument[r] = select(argument[r], params.first + column, wins);
                }
            }
        }
    }

    for (var r = 0u; r < TILE_ROWS; r++) {
        let value = smallest_of_lanes(select(HIGHEST, best[r], argument[r] != NONE));
        let index = lowest_of_lanes(select(NONE, argument[r], best[r] == value));
        if keeps(lane) {
            lane_values[r * LANES + kept_at(lane)] = value;
            lane_arguments[r * LANES + kept_at(lane)] = index;
        }
    }
    workgroupBarrier();

    for (var r = lane.index; r < GROUP_ROWS; r += LANES) {
        if row + r < shape.end_row {
            let at = params.z_row + row + r - shape.first_row;
            var value = 0.0;
            var index = NONE;
            if params.resume == 1u {
                value = values[at];
                index = arguments[at];
            }
            for (var p = 0u; p < kept_of_row(lane); p++) {
                let other = lane_values[slot_of(r, p)];
                let other_index = lane_arguments[slot_of(r, p)];
                let tie = other == value && other_index < index;
                if other_index != NONE && (index == NONE || other < value || tie) {
                    value = other;
                    index = other_index;
                }
            }
            values[at] = value;
            arguments[at] = index;
        }
    }
}
