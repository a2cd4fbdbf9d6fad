// z_ij = max_k x_ik + y_kj, the max-plus product of row-major rows and packed columns.
//
// One workgroup per GROUP_ROWS rows and GROUP_PANELS panels; the lane that computes a tile stores it. Where the inner length is
// too long for one piece of y, later dispatches take the maximum with what earlier ones stored.
//
// Zeros in the padding of the inner range would be terms of the maximum: the host first extends both operands to a
// multiple of what is taken at a time by repeating their last entry, a term that changes nothing.

struct Params {
    shape: Shape,
    z_row: u32,    // row of z for the first row of x, in its block
    z_column: u32, // column of z for the first column of y
    z_stride: u32, // columns of z
    resume: u32,   // 1 where z already holds the maximum over earlier parts of the inner range
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

// No finite sum lies below it.
const LOWEST: f32 = -0x1.fffffep+127f;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return max(z, x + y);
}

@compute @workgroup_size(LANES)
fn max_plus_matmul(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let tiles = (shape.end_row - shape.first_row + GROUP_ROWS - 1u) / GROUP_ROWS;
    let number = number_of(group, groups);
    let row = shape.first_row + number % tiles * GROUP_ROWS + row_of_lane(lane);
    let panel = shape.first_panel + number / tiles * GROUP_PANELS + panel_of_lane(lane);

    var tile: Tile;
    for (var r = 0u; r < TILE_ROWS; r++) {
        for (var c = 0u; c < TILE_VECTORS; c++) {
            tile[r][c] = vec4<f32>(LOWEST);
        }
    }
    contract(&tile, shape, row, panel, lane);

    if panel >= shape.end_panel {
        return;
    }
    for (var r = 0u; r < TILE_ROWS; r++) {
        for (var c = 0u; c < TILE_COLUMNS; c++) {
            let column = panel * TILE_COLUMNS + c;
            if row + r < shape.end_row && column < shape.columns {
                let at = (params.z_row + row + r - shape.first_row) * params.z_stride + params.z_column + column;
                var value = tile[r][c / 4u][c % 4u];
                if params.resume == 1u {
                    value = max(value, z[at]);
                }
                z[at] = value;
            }
        }
    }
}

struct ExtendParams {
    rows: u32,           // rows in this dispatch
    first_row: u32,      // the first of them in its block of the result
    source_row: u32,     // the row that it copies, in its block
    columns: u32,
    source_columns: u32,
}

@group(0) @binding(0) var<uniform> extend_params: ExtendParams;
@group(0) @binding(1) var<storage, read> short: array<f32>;
@group(0) @binding(2) var<storage, read_write> long: array<f32>;

// Copies rows and repeats the last entry of each. One lane per entry of the result.
@compute @workgroup_size(64)
fn extend(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = extend_params;
    let entry = number_of(group, groups) * 64u + lane;
    let row = entry / p.columns;
    if row >= p.rows {
        return;
    }
    let column = entry % p.columns;
    let source = (p.source_row + row) * p.source_columns + min(column, p.source_columns - 1u);
    long[(p.first_row + row) * p.columns + column] = short[source];
}
