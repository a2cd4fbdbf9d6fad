// z_nm = sum_i w_mi max(<g_i, u_n>, 0), the support functions of zonotopes whose generators differ by weights.
//
// One workgroup per GROUP_ROWS directions and four classes, whose sums share a vector. Each lane strides over the panels
// of generators; the lanes' sums are added by subgroups or in workgroup memory, in a fixed order. Later dispatches go on with
// later generators where these do not fit into one piece or one submission.

struct Params {
    shape: Shape,
    z_row: u32,      // place of the first direction in its block of z
    z_stride: u32,   // classes in all
    class_: u32,     // first class of this dispatch
    classes: u32,    // one to four
    weight_row: u32, // place of the first class in its block of w
    generators: u32,
    first: u32,      // index of the first generator of the piece
    resume: u32,     // 1 where z already holds the sums over earlier generators
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;

var<workgroup> lane_sums: array<vec4<f32>, TILE_ROWS * LANES>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn class_supports(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    lane: Lane,
) {
    let shape = params.shape;
    let row = shape.first_row + number_of(group, groups) * GROUP_ROWS;
    var sums: array<vec4<f32>, TILE_ROWS>;

    for (var panel = shape.first_panel; panel < shape.end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane.index);
        var tile: Tile;
        contract(&tile, shape, row + row_of_lane(lane.index), own, lane.index);
        if own < shape.end_panel {
            for (var c = 0u; c < TILE_COLUMNS; c++) {
                // Columns of the padding are zero and add nothing with any weight.
                let generator = params.first + min(own * TILE_COLUMNS + c, shape.columns - 1u);
                var weights = vec4<f32>();
                for (var m = 0u; m < params.classes; m++) {
                    weights[m] = w[(params.weight_row + m) * params.generators + generator];
                }
                for (var r = 0u; r < TILE_ROWS; r++) {
                    sums[r] += max(tile[r][c / 4u][c % 4u], 0.0) * weights;
                }
            }
        }
    }

    for (var r = 0u; r < TILE_ROWS; r++) {
        let sum = sums_of_lanes(sums[r]);
        if keeps(lane) {
            lane_sums[r * LANES + kept_at(lane)] = sum;
        }
    }
    workgroupBarrier();

    for (var r = lane.index; r < GROUP_ROWS; r += LANES) {
        if row + r < shape.end_row {
            let at = (params.z_row + row + r - shape.first_row) * params.z_stride + params.class_;
            var sum = vec4<f32>();
            for (var p = 0u; p < kept_of_row(lane); p++) {
                sum += lane_sums[slot_of(r, p)];
            }
            for (var m = 0u; m < params.classes; m++) {
                var value = sum[m];
                if params.resume == 1u {
                    value += z[at + m];
                }
                z[at + m] = value;
            }
        }
    }
}
