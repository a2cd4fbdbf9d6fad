// Y = phi(alpha A + beta B), entry by entry.
//
// A lane owns a vector of a block, whose rows follow one another; what it computes past the last row is not read.

struct Params {
    first: u32, // first vector of this dispatch, in its block
    end: u32,   // one past the last
    both: u32,  // 1 if there is a second operand
    relu: u32,  // 1 if phi is the rectifier
    alpha: f32,
    beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn weighted_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = params.first + number_of(group, groups) * GROUP + lane;
    if at >= params.end {
        return;
    }
    var value = params.alpha * a[at];
    if params.both == 1u {
        value += params.beta * b[at];
    }
    if params.relu == 1u {
        value = max(value, vec4<f32>());
    }
    y[at] = value;
}
