// Y[i, j] = A[i, j] o B[r, (j / p) mod m], entry by entry, where r is i, or 0 where B has one row.
//
// ROW_LANES lanes own a row of the result, see grid.wgsl.

struct Params {
    rows: u32,    // rows in this dispatch
    a_row: u32,   // the first of them in its block of A, and of the result
    b_row: u32,   // and of B
    b_step: u32,  // rows of B from one row of A to the next: 1, or 0 where B has one row
    columns: u32, // columns of A
    period: u32,  // columns of B, m
    share: u32,   // neighbours of a row that meet the same entry, p
    how: u32,     // see Combination::code
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn joined(a: f32, b: f32) -> f32 {
    switch params.how {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return b - a; }
        case 3u: { return a * b; }
        case 4u: { return a / b; }
        case 5u: { return b / a; }
        case 6u: { return max(a, b); }
        default: { return min(a, b); }
    }
}

@compute @workgroup_size(64)
fn combine(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let start = (params.a_row + place.row) * params.columns;
    let second = (params.b_row + place.row * params.b_step) * params.period;
    if params.period == params.columns {
        for (var j = place.column; j < place.end; j += ROW_LANES) {
            y[start + j] = joined(a[start + j], b[second + j]);
        }
        return;
    }
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        y[start + j] = joined(a[start + j], b[second + (j / params.share) % params.period]);
    }
}
