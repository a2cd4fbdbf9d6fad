// f(x) = max_i c_i + <a_i, x>, the value and the lowest i that attains it, for points of at most four coordinates.
//
// With so short an inner range, a tile of the contraction would mostly load, pad and fold. Here a lane owns 4 VECTORS
// points for all monomials of the dispatch: their coordinates, best values and arguments stay in registers, no lane
// waits for another, and a monomial is loaded once for all of them. Later dispatches go on with later monomials.
//
// The host appends
//     const DEPTH: u32;    coordinates of a point, 1 to 4
//     const VECTORS: u32;  vectors of four points that a lane owns
//     monomials_uniform.wgsl or monomials_broadcast.wgsl: how monomials come to the lanes

struct Params {
    first_row: u32,      // in the block of points
    end_row: u32,        // one past the last row, in the block
    z_row: u32,          // place of the first point in the results
    first_exponent: u32, // row of the first monomial in the block of exponents
    first: u32,          // index of the first monomial
    monomials: u32,      // monomials of this dispatch, at least one
    resume: u32,         // 1 where the results already hold the best of earlier monomials
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> arguments: array<u32>;

override LANES: u32 = 64u;

const LOWEST: f32 = -0x1.fffffep+127f;

struct Monomial {
    coefficient: f32,
    exponents: vec4<f32>, // zero from DEPTH on
}

// A monomial of the dispatch; beyond the last, the last again, which never wins a second time.
fn load_monomial(at: u32) -> Monomial {
    let own = min(at, params.monomials - 1u);
    var exponents = vec4<f32>();
    for (var k = 0u; k < DEPTH; k++) {
        exponents[k] = y[(params.first_exponent + own) * DEPTH + k];
    }
    return Monomial(coefficients[params.first + own], exponents);
}

@compute @workgroup_size(LANES)
fn tropical_eval_narrow(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = (group.z * groups.y + group.y) * groups.x + group.x;
    let rows = params.end_row - params.first_row;
    // Neighbouring lanes own neighbouring points. Points beyond the last repeat it; their results are not stored.
    let first = number * LANES * VECTORS * 4u + lane;
    var points: array<array<vec4<f32>, DEPTH>, VECTORS>;
    var best: array<vec4<f32>, VECTORS>;
    var argument: array<vec4<u32>, VECTORS>;
    for (var v = 0u; v < VECTORS; v++) {
        for (var p = 0u; p < 4u; p++) {
            let row = min(first + (v * 4u + p) * LANES, rows - 1u);
            for (var k = 0u; k < DEPTH; k++) {
                points[v][k][p] = x[(params.first_row + row) * DEPTH + k];
            }
            if params.resume == 1u {
                best[v][p] = values[params.z_row + row];
                argument[v][p] = arguments[params.z_row + row];
            } else {
                // Should no value lie above the lowest, the first monomial attains it.
                best[v][p] = LOWEST;
                argument[v][p] = params.first;
            }
        }
    }

    for (var at = 0u; at < params.monomials; at += BLOCK) {
        let held = hold(at, lane);
        for (var s = 0u; s < BLOCK; s++) {
            let monomial = passed(held, s);
            for (var v = 0u; v < VECTORS; v++) {
                var value = vec4<f32>(monomial.coefficient);
                for (var k = 0u; k < DEPTH; k++) {
                    value += points[v][k] * monomial.exponents[k];
                }
                argument[v] = select(argument[v], vec4<u32>(params.first + at + s), value > best[v]);
                best[v] = max(best[v], value);
            }
        }
    }

    for (var v = 0u; v < VECTORS; v++) {
        for (var p = 0u; p < 4u; p++) {
            let row = first + (v * 4u + p) * LANES;
            if row < rows {
                values[params.z_row + row] = best[v][p];
                arguments[params.z_row + row] = argument[v][p];
            }
        }
    }
}
