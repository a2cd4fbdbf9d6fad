// y_i: the sum, the mean, the largest, the least entry of row i of X, or the sum of squares.
//
// ROW_LANES lanes own a row, see grid.wgsl; lanes without an entry of their own repeat the first one where that changes
// nothing.

struct Params {
    rows: u32,      // rows in this dispatch
    x_row: u32,     // the first of them in its block of X
    y_row: u32,     // and of the result
    columns: u32,   // columns of X
    reduction: u32, // see Reduction::code
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn reduce_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    // Lanes beyond the last row do the work of that one, for barriers are for all.
    let row = min(number, params.rows - 1u);
    let start = (params.x_row + row) * params.columns;
    let reduction = params.reduction;
    let extreme = reduction == 2u || reduction == 3u;
    var value = select(0.0, x[start], extreme);
    for (var j = lane % ROW_LANES; j < params.columns; j += ROW_LANES) {
        let entry = x[start + j];
        switch reduction {
            case 2u: { value = max(value, entry); }
            case 3u: { value = min(value, entry); }
            case 4u: { value += entry * entry; }
            default: { value += entry; }
        }
    }
    let found = of_row(value, lane, select(0u, reduction - 1u, extreme));
    if lane % ROW_LANES == 0u && number < params.rows {
        y[params.y_row + row] = select(found, found / f32(params.columns), reduction == 1u);
    }
}
