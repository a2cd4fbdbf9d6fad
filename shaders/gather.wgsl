// Y[i, j] = X[i, index_j], and 0 where index_j is no column: whatever only moves entries of a row, or pads it.
//
// ROW_LANES lanes own a row of the result, see grid.wgsl.

struct Params {
    rows: u32,    // rows in this dispatch
    x_row: u32,   // the first of them in its block of X
    y_row: u32,   // and of the result
    columns: u32, // columns of X
    out: u32,     // columns of the result
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.out);
    if place.row >= params.rows {
        return;
    }
    let start = (params.x_row + place.row) * params.columns;
    let to = (params.y_row + place.row) * params.out;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let column = index[j];
        var value = 0.0;
        if column < params.columns {
            value = x[start + column];
        }
        y[to + j] = value;
    }
}
