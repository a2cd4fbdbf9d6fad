// dX = dY phi'(X), entry by entry, for one of the functions of `Function`.
//
// A lane owns a vector of a block, whose rows follow one another; what it computes past the last row is not read. See
// functions.wgsl for what the cases are made of.

struct Params {
    first: u32,    // first vector of this dispatch, in its block
    end: u32,      // one past the last
    function: u32, // see Function::code
    alpha: f32,
    beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

// 1 above zero, and something else below.
fn rectified(x: vec4<f32>, below: vec4<f32>) -> vec4<f32> {
    return select(below, vec4(1.0), x > vec4<f32>());
}

fn slope(x: vec4<f32>) -> vec4<f32> {
    let zero = vec4<f32>();
    let one = vec4(1.0);
    switch params.function {
        case 0u: { return select(zero, one, (x > vec4(params.alpha)) & (x < vec4(params.beta))); }
        case 1u: { return rectified(x, vec4(params.alpha)); }
        case 2u: { return sigmoid(x) * sigmoid(-x); }
        case 3u: {
            let value = params.alpha * x + params.beta;
            return select(zero, vec4(params.alpha), (value > zero) & (value < one));
        }
        case 4u: { return select(select(zero, x / 3.0 + 0.5, x > vec4(-3.0)), one, x >= vec4(3.0)); }
        case 5u: { return sigmoid(x) * (1.0 + clamp(x, vec4(-90.0), vec4(90.0)) * sigmoid(-x)); }
        case 6u: {
            let near = clamp(x, vec4(-12.0), vec4(12.0));
            return 0.5 * (1.0 + error_function(x * 0.7071067811865476)) + near * 0.3989422804014327 * growth(-0.5 * near * near);
        }
        // Beyond 10 the tangent is one, and the cube stays small.
        case 7u: {
            let near = clamp(x, vec4(-10.0), vec4(10.0));
            let cubic = 1.5957691216057308 * (near + 0.044715 * near * near * near);
            let gate = sigmoid(cubic);
            return gate + near * gate * sigmoid(-cubic) * (1.5957691216057308 * (1.0 + 0.134145 * near * near));
        }
        case 8u: { return 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x); }
        case 9u: { return params.beta * rectified(x, params.alpha * growth(min(x, zero))); }
        case 10u: { return rectified(x, growth(x / params.alpha)); }
        case 11u: { return sigmoid(x); }
        case 12u: { return 1.0 / ((1.0 + abs(x)) * (1.0 + abs(x))); }
        case 13u: {
            let e = growth(min(x, vec4(20.0)));
            let n = e * (e + 2.0);
            let gate = n / (n + 2.0);
            // 1 - gate^2 without the difference of numbers near one.
            let rest = 2.0 / (n + 2.0) * (1.0 + gate);
            return gate + clamp(x, vec4(-90.0), vec4(90.0)) * rest * sigmoid(x);
        }
        case 14u: {
            let near = clamp(x, vec4(-9.0), vec4(9.0));
            return 1.1283791670955126 * growth(-near * near);
        }
        case 15u: { return growth(x); }
        case 17u: { return select(zero, 0.5 / sqrt(max(x, vec4(LEAST))), x >= vec4(LEAST)); }
        case 18u: { return select(zero, 1.0 / max(x, vec4(LEAST)), x >= vec4(LEAST)); }
        case 19u: {
            // Below this the square is beyond f32.
            let steep = abs(x) < vec4(5.5e-20);
            let reciprocal = 1.0 / select(x, one, steep);
            return select(-reciprocal * reciprocal, vec4(-LARGEST), steep);
        }
        case 20u: {
            let power = growth((params.alpha - 1.0) * log(max(x, vec4(LEAST))));
            let most = vec4(LARGEST / max(abs(params.alpha), 1.0));
            return select(zero, params.alpha * min(power, most), x >= vec4(LEAST));
        }
        default: { return sign(x); }
    }
}

@compute @workgroup_size(64)
fn elementwise_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = params.first + number_of(group, groups) * GROUP + lane;
    if at >= params.end {
        return;
    }
    dx[at] = dy[at] * slope(x[at]);
}
