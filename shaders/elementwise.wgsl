// Y = phi(X), entry by entry, for one of the functions of `Function`.
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
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

fn phi(x: vec4<f32>) -> vec4<f32> {
    let zero = vec4<f32>();
    let one = vec4(1.0);
    switch params.function {
        case 0u: { return min(max(x, vec4(params.alpha)), vec4(params.beta)); }
        case 1u: { return max(x, zero) + params.alpha * min(x, zero); }
        case 2u: { return sigmoid(x); }
        case 3u: { return clamp(params.alpha * x + params.beta, zero, one); }
        case 4u: { return x * clamp(x / 6.0 + 0.5, zero, one); }
        case 5u: { return x * sigmoid(x); }
        case 6u: { return 0.5 * x * (1.0 + error_function(x * 0.7071067811865476)); }
        // Beyond 10 the tangent is one, and the cube stays small.
        case 7u: {
            let near = clamp(x, vec4(-10.0), vec4(10.0));
            return x * sigmoid(1.5957691216057308 * (near + 0.044715 * near * near * near));
        }
        case 8u: { return hyperbolic_tangent(x); }
        case 9u: { return params.beta * (max(x, zero) + params.alpha * growth_less_one(min(x, zero))); }
        case 10u: { return max(x, zero) + min(params.alpha * growth_less_one(x / params.alpha), zero); }
        case 11u: { return max(x, zero) + softness(x); }
        case 12u: { return x / (1.0 + abs(x)); }
        case 13u: {
            let e = growth(min(x, vec4(20.0)));
            let n = e * (e + 2.0);
            return x * (n / (n + 2.0));
        }
        case 14u: { return error_function(x); }
        case 15u: { return growth(x); }
        case 17u: { return sqrt(max(x, zero)); }
        case 18u: { return log(max(x, vec4(LEAST))); }
        case 19u: {
            let near = abs(x) < vec4(LEAST);
            return select(1.0 / select(x, one, near), select(vec4(LARGEST), vec4(-LARGEST), x < zero), near);
        }
        case 20u: { return growth(params.alpha * log(max(x, vec4(LEAST)))); }
        default: { return abs(x); }
    }
}

@compute @workgroup_size(64)
fn elementwise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = params.first + number_of(group, groups) * GROUP + lane;
    if at >= params.end {
        return;
    }
    y[at] = phi(x[at]);
}
