// Y = phi(X), entry by entry, for one of the functions of `Function`.
//
// A lane owns a vector of a block, whose rows follow one another; what it computes past the last row is not read. No
// infinity comes up: arguments of exp are cut to where f32 holds its values.

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

const LEAST: f32 = 1.17549435e-38;
const LARGEST: f32 = 3.40282347e38;

fn growth(x: vec4<f32>) -> vec4<f32> {
    return exp(clamp(x, vec4(-87.0), vec4(88.5)));
}

fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + growth(-x));
}

// exp(x) - 1: the series where the difference would lose digits.
fn growth_less_one(x: vec4<f32>) -> vec4<f32> {
    let series = x * (1.0 + x * (1.0 / 2.0 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))));
    return select(growth(x) - 1.0, series, abs(x) < vec4(0.25));
}

// sinh / cosh of e^(2 |x|), and the series near 0.
fn hyperbolic_tangent(x: vec4<f32>) -> vec4<f32> {
    let s = x * x;
    let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    return select(sign(x) * (1.0 - 2.0 / (1.0 + growth(2.0 * abs(x)))), series, abs(x) < vec4(0.3));
}

// A rational minimax form on -4..4, beyond which f32 rounds erf to one: odd over even polynomial, a few units in the last place.
fn error_function(t: vec4<f32>) -> vec4<f32> {
    let x = clamp(t, vec4(-4.0), vec4(4.0));
    let s = x * x;
    var p = vec4(-2.72614225801306e-10);
    p = p * s + 2.77068142495902e-08;
    p = p * s - 2.10102402082508e-06;
    p = p * s - 5.69250639462346e-05;
    p = p * s - 7.34990630326855e-04;
    p = p * s - 2.95459980854025e-03;
    p = p * s - 1.60960333262415e-02;
    var q = vec4(-1.45660718464996e-05);
    q = q * s - 2.13374055278905e-04;
    q = q * s - 1.68282697438203e-03;
    q = q * s - 7.37332916720468e-03;
    q = q * s - 1.42647390514189e-02;
    return x * p / q;
}

// ln(1 + exp(-|x|)).
fn softness(x: vec4<f32>) -> vec4<f32> {
    let t = growth(-abs(x));
    // Twice the inverse hyperbolic tangent of t / (2 + t).
    let u = t / (2.0 + t);
    let s = u * u;
    return 2.0 * u * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s / 13.0))))));
}

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
