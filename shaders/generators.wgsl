// G_m = Diag(weights_m) [A | c], row m p + i is weights_mi (A_i, c_i).
//
// ROW_LANES lanes own a row of G, see grid.wgsl. A dispatch covers rows of G whose weights and rows of A each lie in
// one block.

struct Params {
    rows: u32,         // rows of G to write
    out_row: u32,      // the first of them in its block
    first: u32,        // the first of them in the whole of G, less p times the class in which its dispatch starts
    neurons: u32,      // p
    columns: u32,      // n
    width: u32,        // n, or n + 1 with constants
    weights_row: u32,  // the class in which the dispatch starts, in its block of weights
    rows_first: u32,   // the neuron with which the block of A starts
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> constants: array<f32>;
@group(0) @binding(4) var<storage, read_write> g: array<f32>;

@compute @workgroup_size(64)
fn generators(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.width);
    if place.row >= params.rows {
        return;
    }
    let row = params.first + place.row;
    let m = params.weights_row + row / params.neurons;
    let i = row % params.neurons;
    let weight = weights[m * params.neurons + i];
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        var entry: f32;
        if j < params.columns {
            entry = a[(i - params.rows_first) * params.columns + j];
        } else {
            entry = constants[i];
        }
        g[(params.out_row + place.row) * params.width + j] = weight * entry;
    }
}
