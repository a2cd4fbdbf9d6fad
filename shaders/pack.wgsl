// Packs rows of a matrix into panels: out[panel][inner][WIDTH], the WIDTH columns of a panel next to each other.
//
// With WIDTH = 1 a panel is one column of inner values: the row-major matrix itself, with a longer row or transposed.
// ROW_LANES lanes own a row of the source, see grid.wgsl. A source row runs along the inner index, or, where the
// source is stored transposed, along the columns. The host appends
//     alias Packed;   how an entry is stored: f32 or f16
//     const LARGEST;  the largest that it can be: larger ones saturate, as there is no infinity on a device

struct Params {
    rows: u32,          // source rows to copy
    first_row: u32,     // the first of them in its block
    stride: u32,        // words in a row of the source
    first: u32,         // first word to copy from each row
    length: u32,        // words to copy from each row
    along_columns: u32, // 1 where source rows run along the columns of the panels
    inner: u32,         // inner length of the panels
    column: u32,        // place of the first copied word in the panels
    step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> panels: array<Packed>;

@compute @workgroup_size(64)
fn pack(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = place_of(number_of(group, groups), lane, params.length);
    if place.row >= params.rows {
        return;
    }
    let source = (params.first_row + place.row) * params.stride + params.first;
    for (var j = place.column; j < place.end; j += ROW_LANES) {
        let along = params.along_columns == 1u;
        let column = params.column + select(place.row, j, along);
        let step = params.step + select(j, place.row, along);
        panels[((column / WIDTH) * params.inner + step) * WIDTH + column % WIDTH] = Packed(clamp(values[source + j], -LARGEST, LARGEST));
    }
}
