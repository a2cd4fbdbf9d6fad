// loss_i = log sum_j exp(z_ij) - z_i(y_i);   gradient_ij = (exp(z_ij) / sum_l exp(z_il) - [j = y_i]) / n.
//
// A lane owns a sample. It writes the exponentials where the gradient will be, and scales them once their sum is known.

struct Params {
    rows: u32,      // samples in this dispatch
    logit_row: u32, // the first of them in its block of logits and of the gradient
    label_row: u32, // the first of them in its block of labels
    loss_row: u32,  // the first of them in its block of losses
    classes: u32,
    share: f32,     // 1 / n
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn cross_entropy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * GROUP + lane;
    if row >= params.rows {
        return;
    }
    let start = (params.logit_row + row) * params.classes;
    let label = min(labels[params.label_row + row], params.classes - 1u);
    var largest = logits[start];
    for (var j = 1u; j < params.classes; j++) {
        largest = max(largest, logits[start + j]);
    }
    var sum = 0.0;
    for (var j = 0u; j < params.classes; j++) {
        let e = exp(logits[start + j] - largest);
        gradient[start + j] = e;
        sum += e;
    }
    losses[params.loss_row + row] = log(sum) + (largest - logits[start + label]);
    let scale = params.share / sum;
    for (var j = 0u; j < params.classes; j++) {
        gradient[start + j] *= scale;
    }
    gradient[start + label] -= params.share;
}
