// Z = phi(X W^T + 1 b^T), one layer.
//
// One workgroup per GROUP_ROWS rows and GROUP_PANELS panels of W; the lane that computes a tile stores it. Where the inner
// length is too long for one piece of W, later dispatches add to what earlier ones stored, and the last one applies phi.

struct Params {
    shape: Shape,
    z_row: u32,    // row of z for the first row of x, in its block
    z_column: u32, // column of z for the first column of y
    z_stride: u32, // columns of z
    z_share: u32,  // words of z from the sums of one share of the inner range to those of the next
    resume: u32,   // 1 where z already holds the sum over earlier parts of the inner range
    bias: u32,     // 1 in the first part of the inner range, if there is a bias
    relu: u32,     // 1 in the last part, if phi is the rectifier
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn affine(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let tiles = (shape.end_row - shape.first_row + GROUP_ROWS - 1u) / GROUP_ROWS;
    let number = number_of(group, groups);
    let row = shape.first_row + number % tiles * GROUP_ROWS + row_of_lane(lane);
    let across = (shape.end_panel - shape.first_panel + GROUP_PANELS - 1u) / GROUP_PANELS;
    let panel = shape.first_panel + number / tiles % across * GROUP_PANELS + panel_of_lane(lane);
    let share = number / tiles / across;

    var tile: Tile;
    contract(&tile, share_of(shape, share), row, panel, lane);

    if panel >= shape.end_panel || share >= shape.shares {
        return;
    }
    for (var c = 0u; c < TILE_COLUMNS; c++) {
        let column = panel * TILE_COLUMNS + c;
        if column < shape.columns {
            var offset = 0.0;
            if params.bias == 1u {
                offset = b[params.z_column + column];
            }
            for (var r = 0u; r < TILE_ROWS; r++) {
                if row + r < shape.end_row {
                    let place = params.z_column + column + share * params.z_share;
                    let at = (params.z_row + row + r - shape.first_row) * params.z_stride + place;
                    var value = tile[r][c / 4u][c % 4u] + offset;
                    if params.resume == 1u {
                        value += z[at];
                    }
                    if params.relu == 1u {
                        value = max(value, 0.0);
                    }
                    z[at] = value;
                }
            }
        }
    }
}

struct Shares {
    rows: u32,     // rows of the sums
    columns: u32,  // columns of the sums
    shares: u32,   // sums for each entry, [share][row][column]
    z_row: u32,    // place of the first of them in z
    z_column: u32,
    z_stride: u32,
    resume: u32,
    bias: u32,
    relu: u32,
}

@group(0) @binding(5) var<uniform> share_params: Shares;
@group(0) @binding(6) var<storage, read> share_sums: array<f32>;
@group(0) @binding(7) var<storage, read> share_b: array<f32>;
@group(0) @binding(8) var<storage, read_write> share_z: array<f32>;

// Adds the shares of the inner range, in order. One lane per entry of the result.
@compute @workgroup_size(64)
fn affine_shares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = share_params;
    let entry = number_of(group, groups) * 64u + lane;
    let row = entry / p.columns;
    if row >= p.rows {
        return;
    }
    let column = p.z_column + entry % p.columns;
    let at = (p.z_row + row) * p.z_stride + column;
    var value = 0.0;
    for (var s = 0u; s < p.shares; s++) {
        value += share_sums[s * p.rows * p.columns + entry];
    }
    if p.bias == 1u {
        value += share_b[column];
    }
    if p.resume == 1u {
        value += share_z[at];
    }
    if p.relu == 1u {
        value = max(value, 0.0);
    }
    share_z[at] = value;
}
