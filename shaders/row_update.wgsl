// Alternating minimisation of 1/2 sum_ji (t~_ji s_i - t_ji)^2 N_i^2 + lambda sum_ji t~_ji s_i N_i, half-step by half-step:
//
//     rows:      s_i = max(0, sum_j t~_ji t_ji - lambda sum_j t~_ji / N_i) / sum_j t~_ji^2
//     elements:  t~_ji = max(0, t_ji - lambda / N_i) / s_i
//
// After any half-step t~_ji = max(0, t_ji - cut_i) / divisor_i. With m = min(t, cut) and d = max(0, t - cut) the sums over
// j of m, m^2, d and d^2 give all that half-steps and objectives need, so that t is read once for them, whatever the number of
// half-steps, and once for the elements:
//
// `target_sums`: the lanes of a workgroup share a few neurons, see columns.wgsl; blocks of t follow one another in later
// dispatches. `alternate`: a lane owns a neuron. `elements`: a lane owns four entries of a block.

struct Sums {
    rows: u32,     // rows of this block of t
    neurons: u32,
    first: u32,    // first neuron of this dispatch
    end: u32,      // one past the last
    sums_row: u32, // place of the first neuron in its block of sums
    resume: u32,   // 1 where the sums already hold earlier blocks
    lambda: f32,
}

struct Alternation {
    first: u32,
    end: u32,
    neurons: u32,
    sums_row: u32,
    half_steps: u32,
    rows_first: u32,  // 1 if the first half-step updates the rows
    lambda: f32,
    first_step: u32,  // the half-step of the first row of this block of objectives
    end_step: u32,    // one past that of the last
}

struct Elements {
    first: u32, // first vector of this dispatch
    end: u32,   // one past the last
    neurons: u32,
}

@group(0) @binding(0) var<uniform> sum_params: Sums;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>; // of m, m^2, d, d^2 for each neuron

@group(0) @binding(4) var<uniform> alternation: Alternation;
@group(0) @binding(5) var<storage, read> known_norms: array<f32>;
@group(0) @binding(6) var<storage, read> known_sums: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> scale: array<f32>;
@group(0) @binding(8) var<storage, read_write> cuts: array<f32>;
@group(0) @binding(9) var<storage, read_write> divisors: array<f32>; // 0 where the neuron is gone
@group(0) @binding(10) var<storage, read_write> objective: array<f32>;

@group(0) @binding(11) var<uniform> element_params: Elements;
@group(0) @binding(12) var<storage, read> targets: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read> known_cuts: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read> known_divisors: array<vec4<f32>>;
@group(0) @binding(15) var<storage, read_write> elements_out: array<vec4<f32>>;

fn threshold(lambda: f32, norm: f32) -> f32 {
    if norm > 0.0 {
        return lambda / norm;
    }
    return 0.0;
}

// Entries t_ji to t_j,i+3, from the place of the first.
fn entries_of(at: u32) -> vec4<f32> {
    if at % 4u == 0u {
        return t[at / 4u];
    }
    return straddling(t[at / 4u], t[min(at / 4u + 1u, arrayLength(&t) - 1u)], at % 4u);
}

@compute @workgroup_size(64)
fn target_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let column = column_of_lane(number_of(group, groups), lane);
    let first = sum_params.first + column;
    var below = vec4<f32>();
    var below_squares = vec4<f32>();
    var above = vec4<f32>();
    var above_squares = vec4<f32>();
    if first < sum_params.end {
        var cut: vec4<f32>;
        for (var c = 0u; c < 4u; c++) {
            cut[c] = threshold(sum_params.lambda, norms[min(first + c, sum_params.end - 1u)]);
        }
        for (var j = lane / COLUMN_VECTORS; j < sum_params.rows; j += ROW_SHARES) {
            let entries = entries_of(j * sum_params.neurons + first);
            let m = min(entries, cut);
            let d = entries - m;
            below += m;
            below_squares += m * m;
            above += d;
            above_squares += d * d;
        }
    }
    below = sum_of_shares(below, lane);
    below_squares = sum_of_shares(below_squares, lane);
    above = sum_of_shares(above, lane);
    above_squares = sum_of_shares(above_squares, lane);
    // One lane for each neuron.
    let c = lane / COLUMN_VECTORS;
    if c >= 4u || first + c >= sum_params.end {
        return;
    }
    let at = sum_params.sums_row + column + c;
    var sum = vec4<f32>(below[c], below_squares[c], above[c], above_squares[c]);
    if sum_params.resume == 1u {
        sum += sums[at];
    }
    sums[at] = sum;
}

// The sums over the targets of a neuron at a cut.
struct Parts {
    cut: f32,
    below_squares: f32,
    above: f32,
    above_squares: f32,
}

// sum_j 1/2 (t~_j s - t_j)^2 norm^2 + lambda t~_j s norm, where t~_j s - t_j = (ratio - 1) d - m and d m = cut d.
fn cost(parts: Parts, ratio: f32, norm: f32) -> f32 {
    let lost = 1.0 - ratio;
    let gaps = lost * lost * parts.above_squares + 2.0 * lost * parts.cut * parts.above + parts.below_squares;
    return 0.5 * max(gaps, 0.0) * norm * norm + alternation.lambda * ratio * parts.above * norm;
}

@compute @workgroup_size(64)
fn alternate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let offset = number_of(group, groups) * GROUP + lane;
    let i = alternation.first + offset;
    if i >= alternation.end {
        return;
    }
    let norm = known_norms[i];
    let cut = threshold(alternation.lambda, norm);
    let known = known_sums[alternation.sums_row + offset];
    let after = Parts(cut, known.y, known.z, known.w);
    // With cut 0 all of t lies above it.
    var parts = Parts(0.0, 0.0, known.x + known.z, known.y + 2.0 * cut * known.z + known.w);
    var divisor = 1.0;
    var s = 1.0;
    for (var step = 0u; step <= alternation.half_steps; step++) {
        if step > 0u {
            if (step + alternation.rows_first) % 2u == 0u {
                // t~_j (t_j - cut') = d (d + cut - cut') / divisor for any cut'.
                let gain = max(parts.above_squares + (parts.cut - cut) * parts.above, 0.0);
                s = 0.0;
                if parts.above_squares > 0.0 && divisor > 0.0 && norm > 0.0 {
                    s = gain / parts.above_squares * divisor;
                }
            } else {
                parts = after;
                divisor = select(0.0, s, s > 0.0 && norm > 0.0);
            }
        }
        if alternation.first_step <= step && step < alternation.end_step {
            var ratio = 0.0;
            if divisor > 0.0 {
                ratio = s / divisor;
            }
            objective[(step - alternation.first_step) * alternation.neurons + i] = cost(parts, ratio, norm);
        }
    }
    scale[i] = s;
    cuts[i] = parts.cut;
    divisors[i] = divisor;
}

@compute @workgroup_size(64)
fn elements(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = element_params.first + number_of(group, groups) * GROUP + lane;
    if at >= element_params.end {
        return;
    }
    let neurons = element_params.neurons;
    let neuron = 4u * at % neurons;
    var cut = known_cuts[neuron / 4u];
    var divisor = known_divisors[neuron / 4u];
    if neurons % 4u != 0u {
        for (var c = 0u; c < 4u; c++) {
            let i = (neuron + c) % neurons;
            cut[c] = known_cuts[i / 4u][i % 4u];
            divisor[c] = known_divisors[i / 4u][i % 4u];
        }
    }
    let above = max(targets[at] - cut, vec4<f32>());
    let live = divisor > vec4<f32>();
    elements_out[at] = select(vec4<f32>(), above / select(vec4<f32>(1.0), divisor, live), live);
}
