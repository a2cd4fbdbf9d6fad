// Bit i of row n is set iff <g_i, u_n> + c_i > 0: bit i % 32 of word i / 32 of the row.
//
// One workgroup per GROUP_ROWS rows. In each step its lanes find the bits of neighbouring panels, then share the words
// that these touch. A panel lies within one word, as TILE_COLUMNS divides 32 and pieces are whole panels. A word that
// an earlier step or dispatch began is gone on with by the lane that began it.

struct Params {
    shape: Shape,
    z_row: u32,     // place of the first row in its block of patterns
    words: u32,     // words in a row
    first: u32,     // index of the first generator of the piece
    constants: u32, // 1 if there are any
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> y: array<Stored>;
@group(0) @binding(3) var<storage, read> constants: array<f32>;
@group(0) @binding(4) var<storage, read_write> patterns: array<u32>;

var<workgroup> lane_bits: array<u32, TILE_ROWS * LANES>;

fn inner(z: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return z + x * y;
}

@compute @workgroup_size(LANES)
fn activation_patterns(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let shape = params.shape;
    let row = shape.first_row + number_of(group, groups) * GROUP_ROWS;

    for (var panel = shape.first_panel; panel < shape.end_panel; panel += GROUP_PANELS) {
        let own = panel + panel_of_lane(lane);
        var tile: Tile;
        contract(&tile, shape, row + row_of_lane(lane), own, lane);
        var bits: array<u32, TILE_ROWS>;
        for (var c = 0u; c < TILE_COLUMNS; c++) {
            let column = own * TILE_COLUMNS + c;
            var constant = 0.0;
            if params.constants == 1u {
                constant = constants[params.first + min(column, shape.columns - 1u)];
            }
            let exists = own < shape.end_panel && column < shape.columns;
            for (var r = 0u; r < TILE_ROWS; r++) {
                bits[r] |= select(0u, 1u, exists && tile[r][c / 4u][c % 4u] + constant > 0.0) << c;
            }
        }
        for (var r = 0u; r < TILE_ROWS; r++) {
            lane_bits[r * LANES + lane] = bits[r];
        }
        workgroupBarrier();

        let begin = params.first + panel * TILE_COLUMNS;
        let end = params.first + min(min(panel + GROUP_PANELS, shape.end_panel) * TILE_COLUMNS, shape.columns);
        for (var word = begin / 32u; word * 32u < end; word++) {
            for (var r = 0u; r < GROUP_ROWS; r++) {
                if (word * GROUP_ROWS + r) % LANES != lane || row + r >= shape.end_row {
                    continue;
                }
                let at = (params.z_row + row + r - shape.first_row) * params.words + word;
                var found = 0u;
                if word * 32u < begin {
                    found = patterns[at];
                }
                let stop = min(end, word * 32u + 32u);
                for (var column = max(begin, word * 32u); column < stop; column += TILE_COLUMNS) {
                    found |= lane_bits[slot_of(r, (column - begin) / TILE_COLUMNS)] << (column % 32u);
                }
                patterns[at] = found;
            }
        }
        workgroupBarrier();
    }
}
