// Z_o(p) = phi(b_o + <W_o, window p>), one convolutional layer, stored image by image.
//
// The rows of x are windows, unfolded by unfold.wgsl, the columns of y kernels. One workgroup per GROUP_ROWS windows and
// GROUP_PANELS panels of kernels; the lane that computes a tile stores it, its windows next to each other. Where the
// inner length is too long for one piece of kernels, later dispatches add to what earlier ones stored.

struct Params {
    shape: Shape,
    window: u32,    // the window of the first row of x, counted from the first image in the block of z
    column: u32,    // the output channel of the first column of y
    channels: u32,  // output channels of z
    positions: u32, // windows of an image
    resume: u32,    // 1 where z already holds the sum over earlier parts of the inner range
    bias: u32,      // 1 in the first part of the inner range, if there is a bias
    relu: u32,      // 1 in the last part, if phi is the rectifier
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
fn convolution(
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
    contract(&tile, shape, row, panel, lane);

    if panel >= shape.end_panel {
        return;
    }
    for (var r = 0u; r < TILE_ROWS; r++) {
        if row + r < shape.end_row {
            let window = params.window + row + r - shape.first_row;
            let start = window / params.positions * params.channels * params.positions + window % params.positions;
            for (var c = 0u; c < TILE_COLUMNS; c++) {
                let column = panel * TILE_COLUMNS + c;
                if column < shape.columns {
                    let at = start + (params.column + column) * params.positions;
                    var value = tile[r][c / 4u][c % 4u];
                    if params.bias == 1u {
                        value += b[params.column + column];
                    }
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
