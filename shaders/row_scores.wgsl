// norms_i = ||(A_i, c_i)||,   r_i = norms_i sum_j b_ji^2 / sum_j |b_ji|.
//
// `norms`: ROW_LANES lanes own a row of A, see grid.wgsl; they add up strided partial sums, of vectors where rows start at
// one, and the first of them adds those of all lanes, in order. `scores`: a lane owns a neuron and walks down its column of B, so that neighbours read
// neighbouring words; blocks of B follow one another in later dispatches.

struct Norms {
    rows: u32,      // rows of A in this dispatch
    first_row: u32, // the first of them in its block
    neuron: u32,    // the first of them in the whole of A
    columns: u32,
    constants: u32, // 1 if there are constants
}

struct Scores {
    rows: u32,     // rows of this block of B
    neurons: u32,
    first: u32,    // first neuron of this dispatch
    end: u32,      // one past the last
    sums_row: u32, // place of the first neuron in its block of sums
    resume: u32,   // 1 where the sums already hold earlier blocks
    finish: u32,   // 1 in the last block
}

@group(0) @binding(0) var<uniform> norm_params: Norms;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> constants: array<f32>;
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;

@group(0) @binding(4) var<uniform> score_params: Scores;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> known_norms: array<f32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;
@group(0) @binding(8) var<storage, read_write> scores: array<f32>;

var<workgroup> partial: array<f32, GROUP>;

@compute @workgroup_size(64)
fn row_norms(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    let live = row < norm_params.rows;
    var sum = 0.0;
    if live {
        let start = (norm_params.first_row + row) * norm_params.columns;
        if norm_params.columns % 4u == 0u {
            for (var j = lane % ROW_LANES; j < norm_params.columns / 4u; j += ROW_LANES) {
                let entries = a[start / 4u + j];
                sum += dot(entries, entries);
            }
        } else {
            for (var j = lane % ROW_LANES; j < norm_params.columns; j += ROW_LANES) {
                let entry = a[(start + j) / 4u][(start + j) % 4u];
                sum += entry * entry;
            }
        }
    }
    partial[lane] = sum;
    workgroupBarrier();
    if live && lane % ROW_LANES == 0u {
        let neuron = norm_params.neuron + row;
        var square = 0.0;
        for (var l = 0u; l < ROW_LANES; l++) {
            square += partial[lane + l];
        }
        if norm_params.constants == 1u {
            square += constants[neuron] * constants[neuron];
        }
        norms[neuron] = sqrt(square);
    }
}

@compute @workgroup_size(64)
fn row_scores(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = score_params.first + number_of(group, groups) * GROUP + lane;
    if i >= score_params.end {
        return;
    }
    let at = 2u * (score_params.sums_row + i - score_params.first);
    var square = 0.0;
    var size = 0.0;
    if score_params.resume == 1u {
        square = sums[at];
        size = sums[at + 1u];
    }
    for (var j = 0u; j < score_params.rows; j++) {
        let entry = b[j * score_params.neurons + i];
        square += entry * entry;
        size += abs(entry);
    }
    sums[at] = square;
    sums[at + 1u] = size;
    if score_params.finish == 1u {
        var score = 0.0;
        if size > 0.0 {
            score = known_norms[i] * (square / size);
        }
        scores[i] = score;
    }
}
