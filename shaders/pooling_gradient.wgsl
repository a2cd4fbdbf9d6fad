// What pooling passes back: the slope of a folded window goes to the first entry that is its maximum, or in equal parts to
// the entries inside the image.
//
// ROW_LANES lanes own a row of the result, which is an image, see grid.wgsl; each pixel gathers what its windows pass to it.

struct Params {
    rows: u32,         // images in this dispatch
    image_row: u32,    // the first of them in its block of images
    pooled_row: u32,   // in its block of folded windows
    gradient_row: u32, // in its block of their slopes
    out_row: u32,      // in its block of the result
    columns: u32,      // columns of the result
    down: u32,         // Y
    across: u32,       // X
    fold: u32,         // 0 maximum, 1 mean of what is inside, 2 sum over all entries
    channels: u32,
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
@group(0) @binding(2) var<storage, read> pooled: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>;

// Whether an entry of the window at [y, x] before the given one is its maximum as well.
fn earlier(plane: u32, most: f32, y: u32, x: u32, end: u32) -> bool {
    for (var k = 0u; k < end; k++) {
        // Before the image the difference wraps around and is too large as well.
        let down = y * params.stride_y + k / params.kernel_width * params.dilation_y - params.top;
        let right = x * params.stride_x + k % params.kernel_width * params.dilation_x - params.left;
        if down < params.height && right < params.width && images[(plane + down) * params.width + right] == most {
            return true;
        }
    }
    return false;
}

// Entries of a window that lie inside the image along one axis.
fn inside(start: u32, kernel: u32, dilation: u32, padding: u32, length: u32) -> u32 {
    var count = 0u;
    for (var k = 0u; k < kernel; k++) {
        count += select(0u, 1u, start + k * dilation - padding < length);
    }
    return count;
}

@compute @workgroup_size(64)
fn pooling_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let size = params.height * params.width;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let channel = j / size;
        let plane = ((params.image_row + place.row) * params.channels + channel) * params.height;
        let windows = channel * params.down * params.across;
        let seen = (params.pooled_row + place.row) * params.channels * params.down * params.across + windows;
        let given = (params.gradient_row + place.row) * params.channels * params.down * params.across + windows;
        let value = images[plane * params.width + j % size];
        var sum = 0.0;
        for (var k_y = 0u; k_y < params.kernel_height; k_y++) {
            // Where the first entry of the window would lie: a multiple of the stride, if there is one.
            let start_y = j % size / params.width + params.top - k_y * params.dilation_y;
            let y = start_y / params.stride_y;
            if start_y % params.stride_y != 0u || y >= params.down {
                continue;
            }
            for (var k_x = 0u; k_x < params.kernel_width; k_x++) {
                let start_x = j % params.width + params.left - k_x * params.dilation_x;
                let x = start_x / params.stride_x;
                if start_x % params.stride_x != 0u || x >= params.across {
                    continue;
                }
                let slope = gradient[given + y * params.across + x];
                if params.fold == 0u {
                    let most = pooled[seen + y * params.across + x];
                    if value == most && !earlier(plane, most, y, x, k_y * params.kernel_width + k_x) {
                        sum += slope;
                    }
                } else if params.fold == 1u {
                    let rows = inside(start_y, params.kernel_height, params.dilation_y, params.top, params.height);
                    let columns = inside(start_x, params.kernel_width, params.dilation_x, params.left, params.width);
                    sum += slope / f32(rows * columns);
                } else {
                    sum += slope / f32(params.kernel_height * params.kernel_width);
                }
            }
        }
        slopes[(params.out_row + place.row) * params.columns + j] = sum;
    }
}
