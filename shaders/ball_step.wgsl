// y_i = P_r(z_i),   z_i = x_i + step g_i / |g_i|,   P_r(z) = z min(1, r / |z|).
//
// ROW_LANES lanes own a row, see grid.wgsl: they add up strided partial sums of its squares, and every lane adds those of
// all lanes, in order. A lane writes z where y will be, and scales its own part once the norm is known.

struct Params {
    rows: u32,      // rows of this dispatch
    first_row: u32, // the first of them in its block
    columns: u32,
    step: f32,
    radius: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, GROUP>;

// The sum of what the lanes of a row hold; called by all lanes of a workgroup.
fn sum_of_row(lane: u32, part: f32) -> f32 {
    workgroupBarrier();
    partial[lane] = part;
    workgroupBarrier();
    let first = lane - lane % ROW_LANES;
    var sum = 0.0;
    for (var l = 0u; l < ROW_LANES; l++) {
        sum += partial[first + l];
    }
    return sum;
}

@compute @workgroup_size(64)
fn ball_step(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    let live = row < params.rows;
    let start = (params.first_row + row) * params.columns;
    var part = 0.0;
    if live {
        for (var j = lane % ROW_LANES; j < params.columns; j += ROW_LANES) {
            part += gradient[start + j] * gradient[start + j];
        }
    }
    let square = sum_of_row(lane, part);
    var factor = 0.0;
    if square > 0.0 {
        factor = params.step / sqrt(square);
    }
    part = 0.0;
    if live {
        for (var j = lane % ROW_LANES; j < params.columns; j += ROW_LANES) {
            let z = x[start + j] + factor * gradient[start + j];
            y[start + j] = z;
            part += z * z;
        }
    }
    let norm = sqrt(sum_of_row(lane, part));
    if live && norm > params.radius {
        let scale = params.radius / norm;
        for (var j = lane % ROW_LANES; j < params.columns; j += ROW_LANES) {
            y[start + j] *= scale;
        }
    }
}
