// Rows of X in units of themselves: softmax (0), its logarithm (1), less the mean over the deviation (2), over the root of
// the mean square (3).
//
// ROW_LANES lanes own a row, see grid.wgsl.

struct Params {
    rows: u32,    // rows in this dispatch
    x_row: u32,   // the first of them in its block of X
    y_row: u32,   // and of the result
    columns: u32, // columns of both
    norm: u32,    // see RowNorm::code
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn normalize_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    // Lanes beyond the last row do the work of that one, for barriers are for all.
    let row = min(number, params.rows - 1u);
    let start = (params.x_row + row) * params.columns;
    let first = lane % ROW_LANES;
    let count = f32(params.columns);
    let exponential = params.norm < 2u;
    // What is taken off first: the largest entry, the mean, or nothing.
    var value = select(0.0, x[start], exponential);
    for (var j = first; j < params.columns; j += ROW_LANES) {
        let entry = x[start + j];
        value = select(value + entry, max(value, entry), exponential);
    }
    let found = of_row(value, lane, select(0u, 1u, exponential));
    let shift = select(select(0.0, found / count, params.norm == 2u), found, exponential);
    var sum = 0.0;
    for (var j = first; j < params.columns; j += ROW_LANES) {
        let entry = x[start + j] - shift;
        sum += select(entry * entry, exp(entry), exponential);
    }
    let total = of_row(sum, lane, 0u);
    if number >= params.rows {
        return;
    }
    let to = (params.y_row + row) * params.columns;
    let scale = select(inverseSqrt(total / count + params.epsilon), 1.0 / total, exponential);
    let logarithm = log(max(total, 1.0));
    for (var j = first; j < params.columns; j += ROW_LANES) {
        let entry = x[start + j] - shift;
        switch params.norm {
            case 0u: { y[to + j] = exp(entry) * scale; }
            // The largest entry alone adds up to one.
            case 1u: { y[to + j] = entry - logarithm; }
            default: { y[to + j] = entry * scale; }
        }
    }
}
