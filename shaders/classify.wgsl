// class_i = the lowest arg max_j of logits_ij;   rank_i = how many classes come before the label of sample i.
//
// A lane owns a sample.

struct Params {
    rows: u32,      // samples in this dispatch
    logit_row: u32, // the first of them in its block of logits
    first_row: u32, // the first of them in its block of labels and of the results
    classes: u32,
    labels: u32,    // 1 if there are labels
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> classes: array<u32>;
@group(0) @binding(4) var<storage, read_write> ranks: array<u32>;

@compute @workgroup_size(64)
fn classify(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * GROUP + lane;
    if row >= params.rows {
        return;
    }
    let at = params.first_row + row;
    let start = (params.logit_row + row) * params.classes;
    var label = 0u;
    if params.labels == 1u {
        label = min(labels[at], params.classes - 1u);
    }
    let own = logits[start + label];
    var best = logits[start];
    var winner = 0u;
    var rank = 0u;
    for (var j = 0u; j < params.classes; j++) {
        let value = logits[start + j];
        if value > best {
            best = value;
            winner = j;
        }
        if value > own || (value == own && j < label) {
            rank++;
        }
    }
    classes[at] = winner;
    ranks[at] = select(0u, rank, params.labels == 1u);
}
