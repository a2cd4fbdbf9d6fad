// Element (i, j) becomes 0 iff its score is below the cut-off's, or equal to it with i n + j below the cut-off's index.
//
// ROW_LANES lanes own a row, see grid.wgsl. Scores are compared, and weights copied, as bits: float loads may flush
// denormals, which would make ties of scores that differ.

struct Params {
    rows: u32,         // rows in this dispatch
    first_row: u32,    // the first of them in its block of weights and of the result
    score_row: u32,    // the first of them in its block of scores
    columns: u32,
    score_columns: u32, // columns, or 1 for one score per row
    linear: u32,       // i n of the first row
    score: u32,        // the bits of the cut-off's score
    index: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(2) var<storage, read> scores: array<u32>;
@group(0) @binding(3) var<storage, read_write> kept: array<u32>;

// Maps the bits of finite floats to integers in the same order; both zeros are equal.
fn order_of(bits: u32) -> u32 {
    if (bits << 1u) == 0u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

@compute @workgroup_size(64)
fn threshold_mask(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.columns);
    if place.row >= params.rows {
        return;
    }
    let cut = order_of(params.score);
    let score_start = (params.score_row + place.row) * params.score_columns;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let score = order_of(scores[score_start + select(0u, j, params.score_columns > 1u)]);
        let linear = params.linear + place.row * params.columns + j;
        let removed = score < cut || (score == cut && linear < params.index);
        let at = (params.first_row + place.row) * params.columns + j;
        kept[at] = select(weights[at], 0u, removed);
    }
}
