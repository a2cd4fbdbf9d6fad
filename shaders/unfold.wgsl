// Row i of the result is window p_i % (Y X) of image p_i / (Y X): column (c k_h + k_y) k_w + k_x is the pixel of channel
// c under entry [k_y, k_x], 0 in the padding.
//
// ROW_LANES lanes own a row of the result, see grid.wgsl. A dispatch covers rows of one block; where windows are chosen,
// rows whose image lies in another block are left to another dispatch. Rows may be padded with zeros.

struct Params {
    rows: u32,           // rows of the result in this dispatch
    out_row: u32,        // the first of them in its block
    first: u32,          // its window, counted from image 0, where windows are not chosen
    chosen: u32,         // 1 where `windows` says which
    chosen_row: u32,     // the first of them in its block
    first_image: u32,    // the image with which the block of images starts
    images: u32,         // images in the block
    stride: u32,         // columns of the result
    columns: u32,        // columns that are no padding
    channels: u32,       // channels of an image
    first_channel: u32,  // the first channel to take
    positions: u32,      // Y X
    across: u32,         // X
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
@group(0) @binding(2) var<storage, read> windows: array<u32>;
@group(0) @binding(3) var<storage, read_write> patches: array<f32>;

@compute @workgroup_size(64)
fn unfold(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.stride);
    if place.row >= params.rows {
        return;
    }
    var window = params.first + place.row;
    if params.chosen == 1u {
        window = windows[params.chosen_row + place.row];
    }
    let image = window / params.positions;
    if image < params.first_image || image - params.first_image >= params.images {
        return;
    }
    let at = window % params.positions;
    let y = at / params.across * params.stride_y;
    let x = at % params.across * params.stride_x;
    let start = ((image - params.first_image) * params.channels + params.first_channel) * params.height;
    let entries = params.kernel_height * params.kernel_width;
    let out = (params.out_row + place.row) * params.stride;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let entry = j % entries;
        // Before the image the difference wraps around and is too large as well.
        let down = y + entry / params.kernel_width * params.dilation_y - params.top;
        let right = x + entry % params.kernel_width * params.dilation_x - params.left;
        var value = 0.0;
        if j < params.columns && down < params.height && right < params.width {
            value = images[(start + j / entries * params.height + down) * params.width + right];
        }
        patches[out + j] = value;
    }
}
