// Z_o(y, x) = phi(b_o + sum_c sum_k W_o(c, k) X_c(stride (y, x) + dilation k - padding)) over the channels of o's group.
//
// For several groups, whose kernels share too little for a contraction. ROW_LANES lanes own a row of z, which is an
// image, see grid.wgsl; neighbours own neighbouring windows of one channel.

struct Params {
    rows: u32,      // images in this dispatch
    out_row: u32,   // the first of them in its block of z
    image_row: u32, // the first of them in its block of images
    row: u32,       // the first row of the block of weights
    row_end: u32,   // one past its last row
    columns: u32,   // columns of z
    inputs: u32,    // input channels of a group
    outputs: u32,   // output channels of a group
    channels: u32,  // input channels of an image
    positions: u32, // Y X
    across: u32,    // X
    bias: u32,      // 1 if there is a bias
    relu: u32,      // 1 if phi is the rectifier
    height: u32,
    width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    top: u32,
    left: u32,
    dilation_y: u32,
    dilation_x: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> images: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;

@compute @workgroup_size(64)
fn convolution_grouped(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let image = (params.image_row + place.row) * params.channels;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let output = j / params.positions;
        if output < params.row || output >= params.row_end {
            continue;
        }
        let y = j % params.positions / params.across * params.stride_y;
        let x = j % params.positions % params.across * params.stride_x;
        var weight = (output - params.row) * params.inputs * params.kernel_height * params.kernel_width;
        var value = 0.0;
        for (var c = 0u; c < params.inputs; c++) {
            let plane = (image + output / params.outputs * params.inputs + c) * params.height;
            for (var k_y = 0u; k_y < params.kernel_height; k_y++) {
                // Before the image the difference wraps around and is too large as well.
                let down = y + k_y * params.dilation_y - params.top;
                for (var k_x = 0u; k_x < params.kernel_width; k_x++) {
                    let right = x + k_x * params.dilation_x - params.left;
                    if down < params.height && right < params.width {
                        value += weights[weight] * images[(plane + down) * params.width + right];
                    }
                    weight++;
                }
            }
        }
        if params.bias == 1u {
            value += b[output];
        }
        if params.relu == 1u {
            value = max(value, 0.0);
        }
        z[(params.out_row + place.row) * params.columns + j] = value;
    }
}
