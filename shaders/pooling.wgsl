// The entries of each window that lie inside the image folded channel by channel: their maximum, their mean, or their sum
// over the number of all entries.
//
// ROW_LANES lanes own a row of the result, which is an image, see grid.wgsl.

struct Params {
    rows: u32,      // images in this dispatch
    out_row: u32,   // the first of them in its block of the result
    image_row: u32, // the first of them in its block of images
    columns: u32,   // columns of the result
    channels: u32,
    positions: u32, // Y X
    across: u32,    // X
    fold: u32,      // 0 maximum, 1 mean of what is inside, 2 sum over all entries
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
@group(0) @binding(2) var<storage, read_write> pooled: array<f32>;

@compute @workgroup_size(64)
fn pooling(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let plane = ((params.image_row + place.row) * params.channels + j / params.positions) * params.height;
        let y = j % params.positions / params.across * params.stride_y;
        let x = j % params.positions % params.across * params.stride_x;
        var most = 0.0;
        var sum = 0.0;
        var inside = 0u;
        for (var k_y = 0u; k_y < params.kernel_height; k_y++) {
            // Before the image the difference wraps around and is too large as well.
            let down = y + k_y * params.dilation_y - params.top;
            for (var k_x = 0u; k_x < params.kernel_width; k_x++) {
                let right = x + k_x * params.dilation_x - params.left;
                if down < params.height && right < params.width {
                    let value = images[(plane + down) * params.width + right];
                    most = select(max(most, value), value, inside == 0u);
                    sum += value;
                    inside++;
                }
            }
        }
        var value = most;
        if params.fold == 1u {
            value = sum / f32(inside);
        } else if params.fold == 2u {
            value = sum / f32(params.kernel_height * params.kernel_width);
        }
        pooled[(params.out_row + place.row) * params.columns + j] = value;
    }
}
