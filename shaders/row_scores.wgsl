// norms_i = ||(A_i, c_i)||,   r_i = norms_i sum_j b_ji^2 / sum_j |b_ji|.
//
// `norms`: ROW_LANES lanes own a row of A, see grid.wgsl; they add up strided partial sums, of vectors where rows start at
// one, and then those of each other. `scores`: the lanes of a workgroup share a few columns of B, see columns.wgsl; blocks
// of B follow one another in later dispatches.

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
@group(0) @binding(5) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> known_norms: array<f32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;
@group(0) @binding(8) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn row_norms(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, lane: Lane) {
    let row = number_of(group, groups) * (GROUP / ROW_LANES) + lane.index / ROW_LANES;
    let live = row < norm_params.rows;
    var sum = 0.0;
    if live {
        let start = (norm_params.first_row + row) * norm_params.columns;
        if norm_params.columns % 4u == 0u {
            for (var j = lane.index % ROW_LANES; j < norm_params.columns / 4u; j += ROW_LANES) {
                let entries = a[start / 4u + j];
                sum += dot(entries, entries);
            }
        } else {
            for (var j = lane.index % ROW_LANES; j < norm_params.columns; j += ROW_LANES) {
                let entry = a[(start + j) / 4u][(start + j) % 4u];
                sum += entry * entry;
            }
        }
    }
    var square = sum_of_row(sum, lane);
    if live && lane.index % ROW_LANES == 0u {
        let neuron = norm_params.neuron + row;
        if norm_params.constants == 1u {
            square += constants[neuron] * constants[neuron];
        }
        norms[neuron] = sqrt(square);
    }
}

// Entries b_ji to b_j,i+3, from the place of the first.
fn entries_of(at: u32) -> vec4<f32> {
    if at % 4u == 0u {
        return b[at / 4u];
    }
    return straddling(b[at / 4u], b[min(at / 4u + 1u, arrayLength(&b) - 1u)], at % 4u);
}

@compute @workgroup_size(64)
fn row_scores(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let column = column_of_lane(number_of(group, groups), lane);
    let first = score_params.first + column;
    var squares = vec4<f32>();
    var sizes = vec4<f32>();
    if first < score_params.end {
        for (var j = lane / COLUMN_VECTORS; j < score_params.rows; j += ROW_SHARES) {
            let entries = entries_of(j * score_params.neurons + first);
            squares += entries * entries;
            sizes += abs(entries);
        }
    }
    squares = sum_of_shares(squares, lane);
    sizes = sum_of_shares(sizes, lane);
    // One lane for each neuron.
    let c = lane / COLUMN_VECTORS;
    let i = first + c;
    if c >= 4u || i >= score_params.end {
        return;
    }
    let at = 2u * (score_params.sums_row + column + c);
    var square = squares[c];
    var size = sizes[c];
    if score_params.resume == 1u {
        square += sums[at];
        size += sums[at + 1u];
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
