// Y[i, j] = A[i, j] B[i, j / p], entry by entry: p neighbours of a row share a factor.
//
// ROW_LANES lanes own a row of the result, see grid.wgsl.

struct Params {
    rows: u32,    // rows in this dispatch
    a_row: u32,   // the first of them in its block of A, and of the result
    b_row: u32,   // and of B
    columns: u32, // columns of A
    factors: u32, // columns of B
    share: u32,   // p
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let start = (params.a_row + place.row) * params.columns;
    let factors = (params.b_row + place.row) * params.factors;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        y[start + j] = a[start + j] * b[factors + j / params.share];
    }
}
