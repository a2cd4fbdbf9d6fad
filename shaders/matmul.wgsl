// Z = X Y, the product of row-major rows and packed columns.
//
// One workgroup per GROUP_ROWS rows and GROUP_PANELS panels; the lane that computes a tile stores it. Where the inner length is
// too long for one piece of y, later dispatches add to what earlier ones stored.

struct Params {
    shape: Shape,
    z_row: u32,    // row of z for the first row of x, in its block
    z_column: u32, // column of z for the first column of y
    z_stride: u32, // columns of z
    z_share: u32,  // words of z from the sums of one share of the inner range to those of the next
    resume: u32,   // 1 where z already holds the sum over earlier parts of the inner range
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn matmul(
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
    for (var r = 0u; r < TILE_ROWS; r++) {
        for (var c = 0u; c < TILE_COLUMNS; c++) {
            let column = panel * TILE_COLUMNS + c;
            if row + r < shape.end_row && column < shape.columns {
                let place = params.z_column + column + share * params.z_share;
                let at = (params.z_row + row + r - shape.first_row) * params.z_stride + place;
                var value = tile[r][c / 4u][c % 4u];
                if params.resume == 1u {
                    value += z[at];
                }
                z[at] = value;
            }
        }
    }
}
