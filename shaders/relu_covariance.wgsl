// mu_i = s_i (h_i Phi(h_i) + phi(h_i)),
// C_ij = s_i s_j [ rho Phi(h_i) Phi(h_j)
//          + 1/(2 pi) integral over t from 0 to asin rho of (rho - sin t) exp(-(h_i^2 - 2 h_i h_j sin t + h_j^2) / (2 cos^2 t)) ],
// with s_i = sqrt(S_ii), h_i = m_i / s_i, rho = S_ij / (s_i s_j): mean and covariance of max(z, 0) for z ~ N(m, S).
//
// `relu_mean`: a lane owns a neuron. `relu_covariance`: ROW_LANES lanes own a row, see grid.wgsl; a lane owns an entry and
// takes the integral by 16 Gauss-Legendre nodes. With r = |sin t|, c = cos t and k = sign(rho) h_j the exponent is
// -((h_i - k)^2 / (2 c^2) + h_i k / (1 + r)), which loses no digits as c goes to 0. Sine and arc sine are polynomials of
// this file: those of WGSL may be off by 2^-11.

struct Means {
    rows: u32,      // rows of this block of S
    first_row: u32, // the first of them in its block
    neuron: u32,    // the first of them in the whole of S
    neurons: u32,   // n
}

struct Covariances {
    rows: u32,      // rows of this dispatch
    in_row: u32,    // the first of them in its block of S
    out_row: u32,   // and in its block of C
    neuron: u32,    // and in the whole
    neurons: u32,   // n
}

@group(0) @binding(0) var<uniform> means: Means;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read> block: array<f32>;
@group(0) @binding(3) var<storage, read_write> deviations: array<f32>;
@group(0) @binding(4) var<storage, read_write> heights: array<f32>;
@group(0) @binding(5) var<storage, read_write> mu: array<f32>;

@group(0) @binding(6) var<uniform> covariances: Covariances;
@group(0) @binding(7) var<storage, read> s: array<f32>;
@group(0) @binding(8) var<storage, read> known_deviations: array<f32>;
@group(0) @binding(9) var<storage, read> known_heights: array<f32>;
@group(0) @binding(10) var<storage, read_write> c: array<f32>;

const HALF_PI: f32 = 1.57079632679;
const ROOT_HALF: f32 = 0.70710678119;

// Of the 16 nodes of Gauss and Legendre on [-1, 1] the positive ones, and their weights.
const NODES = array<f32, 8>(
    0.09501250983763744, 0.28160355077925891, 0.45801677765722739, 0.61787624440264375,
    0.75540440835500303, 0.86563120238783174, 0.94457502307323258, 0.98940093499164993,
);
const WEIGHTS = array<f32, 8>(
    0.18945061045506850, 0.18260341504492359, 0.16915651939500254, 0.14959598881657673,
    0.12462897125553387, 0.09515851168249278, 0.06225352393864789, 0.02715245941175409,
);

// erfc(x) for x >= 0 with a relative error below 1.2e-7: a Chebyshev fit in 1 / (1 + x / 2).
fn erfc_of_positive(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.5 * x);
    let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
        + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
    return t * exp(p - x * x);
}

// The distribution function of N(0, 1).
fn normal_cdf(x: f32) -> f32 {
    let tail = 0.5 * erfc_of_positive(min(abs(x) * ROOT_HALF, 9.0));
    return select(tail, 1.0 - tail, x >= 0.0);
}

// sin t for 0 <= t <= pi / 2.
fn sine(t: f32) -> f32 {
    let q = t * t;
    return t * (1.0 + q * (-1.6666666667e-1 + q * (8.3333333333e-3 + q * (-1.9841269841e-4
        + q * (2.7557319224e-6 + q * (-2.5052108385e-8 + q * 1.6059043837e-10))))));
}

// asin r for 0 <= r <= 1: the series up to 1/2, and pi / 2 - 2 asin sqrt((1 - r) / 2) beyond.
fn arc_sine(r: f32) -> f32 {
    let x = select(r, sqrt(0.5 * (1.0 - r)), r > 0.5);
    let q = x * x;
    let y = x * (1.0 + q * (1.0 / 6.0 + q * (3.0 / 40.0 + q * (15.0 / 336.0 + q * (105.0 / 3456.0
        + q * (945.0 / 42240.0 + q * (10395.0 / 599040.0 + q * (135135.0 / 9676800.0 + q * (0.01155180 + q * 0.00976161)))))))));
    return select(y, HALF_PI - 2.0 * y, r > 0.5);
}

@compute @workgroup_size(64)
fn relu_mean(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = number_of(group, groups) * GROUP + lane;
    if row >= means.rows {
        return;
    }
    let i = means.neuron + row;
    let deviation = sqrt(max(block[(means.first_row + row) * means.neurons + i], 0.0));
    var height = 0.0;
    var mean = max(m[i], 0.0);
    if deviation > 0.0 {
        height = clamp(m[i] / deviation, -1.0e18, 1.0e18);
        let density = 0.39894228040 * exp(-0.5 * min(height * height, 170.0));
        mean = max(m[i] * normal_cdf(height) + deviation * density, 0.0);
    }
    deviations[i] = deviation;
    heights[i] = height;
    mu[i] = mean;
}

@compute @workgroup_size(64)
fn relu_covariance(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, covariances.neurons);
    if place.row >= covariances.rows {
        return;
    }
    let i = covariances.neuron + place.row;
    let h = known_heights[i];
    let below = normal_cdf(h);
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let scale = known_deviations[i] * known_deviations[j];
        var value = 0.0;
        if scale > 0.0 {
            let entry = s[(covariances.in_row + place.row) * covariances.neurons + j];
            let rho = clamp(entry / scale, -1.0, 1.0);
            let size = abs(rho);
            let k = select(-known_heights[j], known_heights[j], rho >= 0.0);
            let end = arc_sine(size);
            var integral = 0.0;
            for (var node = 0u; node < 8u; node++) {
                let low = end * (0.5 - 0.5 * NODES[node]);
                let high = end * (0.5 + 0.5 * NODES[node]);
                integral += WEIGHTS[node] * (term(h, k, size, low) + term(h, k, size, high));
            }
            // Both the integrand and the direction of the integral change sign with rho.
            value = scale * (rho * below * normal_cdf(known_heights[j]) + 0.5 * end * integral * 0.15915494309);
        }
        c[(covariances.out_row + place.row) * covariances.neurons + j] = value;
    }
}

fn term(h: f32, k: f32, rho: f32, t: f32) -> f32 {
    let r = sine(t);
    let x = sine(HALF_PI - t);
    let d = (h - k) / x;
    return (rho - r) * exp(-min(0.5 * d * d + h * k / (1.0 + r), 170.0));
}
