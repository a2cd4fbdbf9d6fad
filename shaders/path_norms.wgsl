// Forward:  out_i = 1/2 (sum_j w_ij^2 squares_j + b_i^2).
// Backward: out_j = 1/2 sum_i w_ij^2 squares_i.
//
// Forward, ROW_LANES lanes own a row of W, see grid.wgsl, and read vectors where rows start at one; the first of them adds
// the partial sums of all, in order.
// Backward, a lane owns a column, so that neighbours read neighbouring words; later blocks add to earlier ones.

struct Params {
    rows: u32,      // rows of W in this dispatch
    first_row: u32, // the first of them in its block
    row: u32,       // the first of them in the whole of W
    columns: u32,
    bias: u32,      // forward: 1 if there is a bias
    first: u32,     // backward: first column of this dispatch
    end: u32,       // backward: one past the last
    resume: u32,    // backward: 1 where the result already holds earlier blocks
}

@group(0) @binding(0) var<uniform> params: Params;
// Forward.
@group(0) @binding(1) var<storage, read> w_vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> square_vectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
// Backward.
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> squares: array<f32>;

@group(0) @binding(6) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, GROUP>;

@compute @workgroup_size(64)
fn path_norms_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    let live = row < params.rows;
    var sum = 0.0;
    if live {
        let start = (params.first_row + row) * params.columns;
        if params.columns % 4u == 0u {
            for (var j = lane % ROW_LANES; j < params.columns / 4u; j += ROW_LANES) {
                let entries = w_vectors[start / 4u + j];
                sum += dot(entries * entries, square_vectors[j]);
            }
        } else {
            for (var j = lane % ROW_LANES; j < params.columns; j += ROW_LANES) {
                let entry = w_vectors[(start + j) / 4u][(start + j) % 4u];
                sum += entry * entry * square_vectors[j / 4u][j % 4u];
            }
        }
    }
    partial[lane] = sum;
    workgroupBarrier();
    if live && lane % ROW_LANES == 0u {
        let i = params.row + row;
        var total = 0.0;
        for (var l = 0u; l < ROW_LANES; l++) {
            total += partial[lane + l];
        }
        if params.bias == 1u {
            total += b[i] * b[i];
        }
        out[i] = 0.5 * total;
    }
}

@compute @workgroup_size(64)
fn path_norms_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let j = params.first + number_of(group, groups) * GROUP + lane;
    if j >= params.end {
        return;
    }
    var sum = 0.0;
    for (var i = 0u; i < params.rows; i++) {
        let entry = w[i * params.columns + j];
        sum += entry * entry * squares[params.row + i];
    }
    sum *= 0.5;
    if params.resume == 1u {
        sum += out[j];
    }
    out[j] = sum;
}
