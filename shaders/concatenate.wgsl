// Copies the rows of one part to their columns in the rows of all parts side by side.
//
// ROW_LANES lanes own a row, see grid.wgsl.

struct Params {
    rows: u32,    // rows in this dispatch
    row: u32,     // the first of them in its block of the part
    out_row: u32, // the first of them in its block of the result
    columns: u32, // columns of the part
    column: u32,  // the first of them in the result
    stride: u32,  // columns of the result
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> part: array<f32>;
@group(0) @binding(2) var<storage, read_write> joined: array<f32>;

@compute @workgroup_size(64)
fn concatenate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        joined[(params.out_row + place.row) * params.stride + params.column + j] =
            part[(params.row + place.row) * params.columns + j];
    }
}
