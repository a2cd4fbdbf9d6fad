// Forward:  out_i = 1/2 (sum_j w_ij^2 squares_j + b_i^2).
// Backward: out_j = 1/2 sum_i w_ij^2 squares_i.
//
// Forward, ROW_LANES lanes own a row of W, see grid.wgsl, read vectors where rows start at one, and add up what they found.
// Backward, the lanes of a workgroup share a few columns, see columns.wgsl; later blocks add to earlier ones.

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
@group(0) @binding(1) var<storage, read> w: array<vec4<f32>>;
// Forward.
@group(0) @binding(2) var<storage, read> square_vectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
// Backward.
@group(0) @binding(4) var<storage, read> squares: array<f32>;

@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn path_norms_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, lane: Lane) {
    let row = number_of(group, groups) * (GROUP / ROW_LANES) + lane.index / ROW_LANES;
    let live = row < params.rows;
    var sum = 0.0;
    if live {
        let start = (params.first_row + row) * params.columns;
        if params.columns % 4u == 0u {
            for (var j = lane.index % ROW_LANES; j < params.columns / 4u; j += ROW_LANES) {
                let entries = w[start / 4u + j];
                sum += dot(entries * entries, square_vectors[j]);
            }
        } else {
            for (var j = lane.index % ROW_LANES; j < params.columns; j += ROW_LANES) {
                let entry = w[(start + j) / 4u][(start + j) % 4u];
                sum += entry * entry * square_vectors[j / 4u][j % 4u];
            }
        }
    }
    var total = sum_of_row(sum, lane);
    if live && lane.index % ROW_LANES == 0u {
        let i = params.row + row;
        if params.bias == 1u {
            total += b[i] * b[i];
        }
        out[i] = 0.5 * total;
    }
}

// Entries w_ij to w_i,j+3, from the place of the first.
fn entries_of(at: u32) -> vec4<f32> {
    if at % 4u == 0u {
        return w[at / 4u];
    }
    return straddling(w[at / 4u], w[min(at / 4u + 1u, arrayLength(&w) - 1u)], at % 4u);
}

@compute @workgroup_size(64)
fn path_norms_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = params.first + column_of_lane(number_of(group, groups), lane);
    var sums = vec4<f32>();
    if first < params.end {
        for (var i = lane / COLUMN_VECTORS; i < params.rows; i += ROW_SHARES) {
            let entries = entries_of(i * params.columns + first);
            sums += entries * entries * squares[params.row + i];
        }
    }
    sums = sum_of_shares(sums, lane);
    // One lane for each column.
    let c = lane / COLUMN_VECTORS;
    let j = first + c;
    if c >= 4u || j >= params.end {
        return;
    }
    var sum = 0.5 * sums[c];
    if params.resume == 1u {
        sum += out[j];
    }
    out[j] = sum;
}
