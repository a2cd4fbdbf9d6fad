// Element (i, j) becomes 0 iff its score is below the cut-off's, or equal to it with i n + j below the cut-off's index.
//
// With a score for each element, a lane owns a vector of a block, whose rows follow one another. With one for each row,
// ROW_LANES lanes own a row, see grid.wgsl. Scores are compared, and weights copied, as bits: float loads may flush
// denormals, which would make ties of scores that differ.

struct Params {
    rows: u32,         // rows in this dispatch
    first_row: u32,    // the first of them in its block of weights and of the result
    score_row: u32,    // the first of them in its block of scores
    columns: u32,
    linear: u32,       // i n of the first row
    score: u32,        // the bits of the cut-off's score
    index: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(2) var<storage, read> scores: array<u32>;
@group(0) @binding(3) var<storage, read_write> kept: array<u32>;

struct Elements {
    first: u32,  // first vector of this dispatch, in its block
    end: u32,    // one past the last
    linear: u32, // i n + j of the first element of the block
    score: u32,  // the bits of the cut-off's score
    index: u32,
}

@group(0) @binding(4) var<uniform> elements: Elements;
@group(0) @binding(5) var<storage, read> weight_vectors: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read> score_vectors: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read_write> kept_vectors: array<vec4<u32>>;

// Maps the bits of finite floats to integers in the same order; both zeros are equal.
fn order_of(bits: u32) -> u32 {
    if (bits << 1u) == 0u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

@compute @workgroup_size(64)
fn threshold_mask_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let cut = order_of(params.score);
    let score = order_of(scores[params.score_row + place.row]);
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let linear = params.linear + place.row * params.columns + j;
        let removed = score < cut || (score == cut && linear < params.index);
        let at = (params.first_row + place.row) * params.columns + j;
        kept[at] = select(weights[at], 0u, removed);
    }
}

@compute @workgroup_size(64)
fn threshold_mask_elements(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = elements.first + number_of(group, groups) * GROUP + lane;
    if at >= elements.end {
        return;
    }
    let cut = order_of(elements.score);
    let weights = weight_vectors[at];
    let scores = score_vectors[at];
    var kept: vec4<u32>;
    for (var c = 0u; c < 4u; c++) {
        let score = order_of(scores[c]);
        let removed = score < cut || (score == cut && elements.linear + at * 4u + c < elements.index);
        kept[c] = select(weights[c], 0u, removed);
    }
    kept_vectors[at] = kept;
}
