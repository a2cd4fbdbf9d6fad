// h(u) = <shift, u> + sum_i max(<g_i, u>, 0), the support function of a zonotope.
//
// One workgroup per GROUP_ROWS directions and slice of generators. Each lane strides over the panels of the slice and
// adds up their rectified products; the lanes' sums are added by subgroups or in workgroup memory, in a fixed order. Where
// there are several slices, a lane per direction adds their sums, in order. Later dispatches go on with later generators
// where these do not fit into one piece or one submission.

struct Params {
    shape: Shape,
    slice: u32,  // panels of a slice, a multiple of GROUP_PANELS
    slices: u32, // slices of this dispatch
    z_row: u32,  // place of the first direction in the results
    shift: u32,  // words of the shift to add, 0 for none
    resume: u32, // 1 where the results already hold the sum over earlier generators
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read> slice_sums: array<f32>; // [direction][slice]
@group(0) @binding(5) var<storage, read_write> h: array<f32>;

var<workgroup> lane_sums: array<f32, TILE_ROWS * LANES>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn support_function(
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
    var sums: array<f32, TILE_ROWS>;

    for (var panel = first_panel; panel < end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane.index);
        var tile: Tile;
        contract(&tile, shape, row + row_of_lane(lane.index), own, lane.index);
        // The columns of the padding are zero and add nothing; a panel beyond the last belongs to another lane.
        let counts = select(0.0, 1.0, own < end_panel);
        for (var r = 0u; r < TILE_ROWS; r++) {
            var sum = vec4<f32>();
            for (var c = 0u; c < TILE_VECTORS; c++) {
                sum += max(tile[r][c], vec4<f32>());
            }
            sums[r] += counts * (sum.x + sum.y + sum.z + sum.w);
        }
    }

    for (var r = 0u; r < TILE_ROWS; r++) {
        let sum = sum_of_lanes(sums[r]);
        if keeps(lane) {
            lane_sums[r * LANES + kept_at(lane)] = sum;
        }
    }
    workgroupBarrier();

    for (var r = lane.index; r < GROUP_ROWS; r += LANES) {
        // A grid that is folded has groups beyond the last slice.
        if row + r < shape.end_row && slice < params.slices {
            let at = (params.z_row + row + r - shape.first_row) * params.slices + slice;
            var sum = 0.0;
            if slice == 0u {
                for (var j = 0u; j < params.shift; j++) {
                    sum += shift[j] * vec4<f32>(x[(row + r) * shape.stride + j / 4u])[j % 4u];
                }
            }
            if params.resume == 1u {
                sum += h[at];
            }
            for (var p = 0u; p < kept_of_row(lane); p++) {
                sum += lane_sums[slot_of(r, p)];
            }
            h[at] = sum;
        }
    }
}

@compute @workgroup_size(64)
fn support_function_slices(
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
    var sum = 0.0;
    if params.resume == 1u {
        sum = h[at];
    }
    for (var s = 0u; s < params.slices; s++) {
        sum += slice_sums[row * params.slices + s];
    }
    h[at] = sum;
}
