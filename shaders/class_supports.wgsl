// z_nm = sum_i w_mi max(<g_i, u_n>, 0), the support functions of zonotopes whose generators differ by weights.
//
// One workgroup per GROUP_ROWS directions and four classes, whose sums share a vector. Each lane strides over the panels
// of generators; the lanes' sums are added in workgroup memory, in the order of their panels. Later dispatches go on with
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
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
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
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let row = shape.first_row + number_of(group, groups) * GROUP_ROWS;
    var sums: array<vec4<f32>, TILE_ROWS>;

    for (var panel = shape.first_panel; panel < shape.end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane);
        var tile: Tile;
        contract(&tile, shape, row + row_of_lane(lane), own, lane);
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
        lane_sums[r * LANES + lane] = sums[r];
    }
    workgroupBarrier();

    for (var r = lane; r < GROUP_ROWS; r += LANES) {
        if row + r < shape.end_row {
            let at = (params.z_row + row + r - shape.first_row) * params.z_stride + params.class_;
            var sum = vec4<f32>();
            for (var p = 0u; p < GROUP_PANELS; p++) {
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
