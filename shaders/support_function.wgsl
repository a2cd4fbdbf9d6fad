// h(u) = <shift, u> + sum_i max(<g_i, u>, 0), the support function of a zonotope.
//
// One workgroup per TILE_ROWS directions. Each lane strides over the panels of generators and adds up their rectified
// products; the lanes' sums are added in workgroup memory, in the order of the lanes. Later dispatches go on with later
// generators where these do not fit into one piece or one submission.

struct Params {
    shape: Shape,
    z_row: u32,  // place of the first direction in the results
    shift: u32,  // words of the shift to add, 0 for none
    resume: u32, // 1 where the results already hold the sum over earlier generators
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read_write> h: array<f32>;

var<workgroup> lane_sums: array<f32, TILE_ROWS * LANES>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn support_function(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let row = shape.first_row + number_of(group, groups) * TILE_ROWS;
    var sums: array<f32, TILE_ROWS>;

    for (var panel = shape.first_panel; panel < shape.end_panel; panel += LANES) {
        var tile: Tile;
        contract(&tile, shape, row, panel + lane, lane);
        // The columns of the padding are zero and add nothing; a panel beyond the last belongs to another lane.
        let own = select(0.0, 1.0, panel + lane < shape.end_panel);
        for (var r = 0u; r < TILE_ROWS; r++) {
            var sum = vec4<f32>();
            for (var c = 0u; c < TILE_VECTORS; c++) {
                sum += max(tile[r][c], vec4<f32>());
            }
            sums[r] += own * (sum.x + sum.y + sum.z + sum.w);
        }
    }

    for (var r = 0u; r < TILE_ROWS; r++) {
        lane_sums[r * LANES + lane] = sums[r];
    }
    workgroupBarrier();

    for (var r = lane; r < TILE_ROWS; r += LANES) {
        if row + r < shape.end_row {
            let at = params.z_row + row + r - shape.first_row;
            var sum = 0.0;
            for (var j = 0u; j < params.shift; j++) {
                sum += shift[j] * x[(row + r) * shape.stride + j / 4u][j % 4u];
            }
            if params.resume == 1u {
                sum += h[at];
            }
            for (var l = 0u; l < LANES; l++) {
                sum += lane_sums[r * LANES + l];
            }
            h[at] = sum;
        }
    }
}
