// Alternating minimisation of 1/2 sum_ji (t~_ji s_i - t_ji)^2 N_i^2 + lambda sum_ji t~_ji s_i N_i, half-step by half-step:
//
//     rows:      s_i = max(0, sum_j t~_ji t_ji - lambda sum_j t~_ji / N_i) / sum_j t~_ji^2
//     elements:  t~_ji = max(0, t_ji - lambda / N_i) / s_i
//
// A lane owns neuron i and runs all half-steps. Where the classes of a neuron lie (t, elements) and where its half-steps
// lie (objective) is given by strides: along the rows of the matrices, or, where these span several blocks, along the
// rows of their transposes.

struct Params {
    first: u32,          // first neuron of this dispatch
    end: u32,            // one past the last
    classes: u32,
    half_steps: u32,
    rows_first: u32,     // 1 if the first half-step updates the rows
    lambda: f32,
    target_row: u32,     // place of the first neuron in its block of t and of elements
    target_neuron: u32,  // words from neuron to neuron
    target_class: u32,   // words from class to class
    objective_row: u32,  // place of the first neuron in its block of objective
    objective_neuron: u32,
    objective_step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read> t: array<f32>;
@group(0) @binding(3) var<storage, read_write> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> elements: array<f32>;
@group(0) @binding(5) var<storage, read_write> objective: array<f32>;

fn cost(start: u32, norm: f32, s: f32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < params.classes; j++) {
        let at = start + j * params.target_class;
        let product = elements[at] * s;
        let gap = (product - t[at]) * norm;
        sum += 0.5 * gap * gap + params.lambda * product * norm;
    }
    return sum;
}

fn rows(start: u32, norm: f32) -> f32 {
    var gain = 0.0;
    var sum = 0.0;
    var square = 0.0;
    for (var j = 0u; j < params.classes; j++) {
        let at = start + j * params.target_class;
        let element = elements[at];
        gain += element * t[at];
        sum += element;
        square += element * element;
    }
    if norm > 0.0 && square > 0.0 {
        return max(gain - params.lambda / norm * sum, 0.0) / square;
    }
    return 0.0;
}

fn update_elements(start: u32, norm: f32, s: f32) {
    for (var j = 0u; j < params.classes; j++) {
        let at = start + j * params.target_class;
        var element = 0.0;
        if s > 0.0 && norm > 0.0 {
            element = max(t[at] - params.lambda / norm, 0.0) / s;
        }
        elements[at] = element;
    }
}

@compute @workgroup_size(64)
fn row_update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let offset = number_of(group, groups) * GROUP + lane;
    let i = params.first + offset;
    if i >= params.end {
        return;
    }
    let norm = norms[i];
    let start = (params.target_row + offset) * params.target_neuron;
    let history = (params.objective_row + offset) * params.objective_neuron;
    for (var j = 0u; j < params.classes; j++) {
        let at = start + j * params.target_class;
        elements[at] = t[at];
    }
    var s = 1.0;
    objective[history] = cost(start, norm, s);
    for (var step = 0u; step < params.half_steps; step++) {
        if (step + params.rows_first) % 2u == 1u {
            s = rows(start, norm);
        } else {
            update_elements(start, norm, s);
        }
        objective[history + (step + 1u) * params.objective_step] = cost(start, norm, s);
    }
    scale[i] = s;
}
