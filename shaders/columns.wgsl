// Library: which columns a lane of a column-by-column kernel owns, beside grid.wgsl.
//
// A workgroup owns COLUMN_VECTORS neighbouring vectors of four columns. Neighbouring lanes own neighbouring vectors, so
// that they read 128 bytes of a row with loads of 16; ROW_SHARES lanes own the same vector and stride over the rows.
// Rows need not start at a vector: what then straddles two of them is put together.

const COLUMN_VECTORS: u32 = 8u;
const ROW_SHARES: u32 = GROUP / COLUMN_VECTORS;

var<workgroup> shares: array<vec4<f32>, GROUP>;

// The first of the four columns of a lane, counted from the first column of the dispatch.
fn column_of_lane(number: u32, lane: u32) -> u32 {
    return 4u * (number * COLUMN_VECTORS + lane % COLUMN_VECTORS);
}

// Four words of which the first is word `shift` of `low`.
fn straddling(low: vec4<f32>, high: vec4<f32>, shift: u32) -> vec4<f32> {
    switch shift {
        case 1u: { return vec4<f32>(low.yzw, high.x); }
        case 2u: { return vec4<f32>(low.zw, high.xy); }
        case 3u: { return vec4<f32>(low.w, high.xyz); }
        default: { return low; }
    }
}

// The sum over the lanes that own the same vector, in their order. All lanes of the workgroup call it.
fn sum_of_shares(value: vec4<f32>, lane: u32) -> vec4<f32> {
    // The lanes have read what is about to be replaced.
    workgroupBarrier();
    shares[lane] = value;
    workgroupBarrier();
    var sum = vec4<f32>();
    for (var s = 0u; s < ROW_SHARES; s++) {
        sum += shares[s * COLUMN_VECTORS + lane % COLUMN_VECTORS];
    }
    return sum;
}
