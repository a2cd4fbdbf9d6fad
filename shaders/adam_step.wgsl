// m' = b1 m + (1 - b1) g;   v' = b2 v + (1 - b2) g^2;   w' = w - rate (m' / c1) / (sqrt(v' / c2) + epsilon).
//
// A lane owns a vector of a block, whose rows follow one another; what it computes past the last row is not read.

struct Params {
    first: u32, // first vector of this dispatch, in its block
    end: u32,   // one past the last
    rate: f32,
    b1: f32,
    b2: f32,
    c1: f32,    // 1 - b1^t
    c2: f32,    // 1 - b2^t
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> square: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> new_weights: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> new_mean: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> new_square: array<vec4<f32>>;

@compute @workgroup_size(64)
fn adam_step(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = params.first + number_of(group, groups) * GROUP + lane;
    if at >= params.end {
        return;
    }
    let g = gradient[at];
    let m = params.b1 * mean[at] + (1.0 - params.b1) * g;
    let v = params.b2 * square[at] + (1.0 - params.b2) * g * g;
    new_weights[at] = weights[at] - params.rate * (m / params.c1) / (sqrt(v / params.c2) + params.epsilon);
    new_mean[at] = m;
    new_square[at] = v;
}
