// C_g = A_g B_g for the matrices that lie behind each other in A (m x k each) and B (k x l each).
//
// A workgroup owns a tile of 32 x 32 entries of one product, a lane 4 x 4 of them. Both operands pass through workgroup
// memory, 16 of the inner index at a time; what lies beyond an edge counts as zero.

const TILE: u32 = 32u;
const INNER: u32 = 16u;

struct Params {
    a_row: u32,  // the first row of the first product in its block of A
    b_row: u32,  // and of B
    c_row: u32,  // and of the result
    m: u32,
    k: u32,
    l: u32,
    count: u32,  // workgroups in this dispatch, or products where lanes own columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> a_tile: array<f32, 512>; // INNER x TILE, transposed
var<workgroup> b_tile: array<f32, 512>; // INNER x TILE

@compute @workgroup_size(64)
fn batched_matmul(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Workgroups beyond the last tile do its work, for barriers are for all.
    let given = number_of(group, groups);
    let number = min(given, params.count - 1u);
    let across = (params.l + TILE - 1u) / TILE;
    let down = (params.m + TILE - 1u) / TILE;
    let product = number / (across * down);
    let tile = number % (across * down);
    let first_row = tile / across * TILE;
    let first_column = tile % across * TILE;
    let a_start = (params.a_row + product * params.m) * params.k;
    let b_start = (params.b_row + product * params.k) * params.l;
    let own_row = lane / 8u * 4u;
    let own_column = lane % 8u * 4u;
    var sums: array<vec4<f32>, 4>;
    for (var begin = 0u; begin < params.k; begin += INNER) {
        for (var at = lane; at < TILE * INNER; at += 64u) {
            let row = first_row + at / INNER;
            let inner = begin + at % INNER;
            var value = 0.0;
            if row < params.m && inner < params.k {
                value = a[a_start + row * params.k + inner];
            }
            a_tile[at % INNER * TILE + at / INNER] = value;
            let other = begin + at / TILE;
            let column = first_column + at % TILE;
            value = 0.0;
            if other < params.k && column < params.l {
                value = b[b_start + other * params.l + column];
            }
            b_tile[at] = value;
        }
        workgroupBarrier();
        for (var inner = 0u; inner < INNER; inner++) {
            let at = inner * TILE + own_column;
            let columns = vec4(b_tile[at], b_tile[at + 1u], b_tile[at + 2u], b_tile[at + 3u]);
            for (var r = 0u; r < 4u; r++) {
                sums[r] += a_tile[inner * TILE + own_row + r] * columns;
            }
        }
        workgroupBarrier();
    }
    if given >= params.count {
        return;
    }
    for (var r = 0u; r < 4u; r++) {
        let row = first_row + own_row + r;
        if row >= params.m {
            break;
        }
        let to = (params.c_row + product * params.m + row) * params.l + first_column + own_column;
        for (var s = 0u; s < 4u && first_column + own_column + s < params.l; s++) {
            c[to + s] = sums[r][s];
        }
    }
}

// The same without workgroup memory, for adapters in software: a lane owns 8 entries of a column, one below the other, and
// neighbours own neighbouring columns.
const ROWS: u32 = 8u;

@compute @workgroup_size(64)
fn batched_matmul_direct(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = number_of(group, groups) * GROUP + lane;
    let column = number % params.l;
    let down = (params.m + ROWS - 1u) / ROWS;
    let first_row = number / params.l % down * ROWS;
    let product = number / params.l / down;
    if product >= params.count {
        return;
    }
    let a_start = (params.a_row + product * params.m) * params.k;
    let b_start = (params.b_row + product * params.k) * params.l + column;
    var sums: array<f32, 8>;
    for (var inner = 0u; inner < params.k; inner++) {
        let factor = b[b_start + inner * params.l];
        for (var r = 0u; r < ROWS; r++) {
            // Rows past the last one repeat it.
            sums[r] += a[a_start + min(first_row + r, params.m - 1u) * params.k + inner] * factor;
        }
    }
    for (var r = 0u; r < ROWS && first_row + r < params.m; r++) {
        c[(params.c_row + product * params.m + first_row + r) * params.l + column] = sums[r];
    }
}
