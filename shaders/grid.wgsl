// Library: which rows and columns a lane of a row-by-row kernel owns.
//
// A workgroup has 64 lanes and covers 64 / ROW_LANES rows. The ROW_LANES neighbouring lanes of one row stride over one
// segment of SEGMENT columns, so that neighbours read neighbouring words; rows longer than a segment take several
// workgroups. Workgroups beyond the last row exist where the host folds a long grid; kernels leave their rows alone.

override ROW_LANES: u32 = 64u;
const GROUP: u32 = 64u;
const SEGMENT: u32 = 2048u;

struct Place {
    row: u32,
    column: u32, // the first one of this lane; the next ones follow in steps of ROW_LANES
    end: u32,    // one past the last column of the segment
}

// The number of a workgroup in a grid that is folded into three dimensions.
fn number_of(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return (group.z * groups.y + group.y) * groups.x + group.x;
}

fn place_of(number: u32, lane: u32, columns: u32) -> Place {
    let segments = (columns + SEGMENT - 1u) / SEGMENT;
    let segment = number % segments;
    return Place(
        (number / segments) * (GROUP / ROW_LANES) + lane / ROW_LANES,
        segment * SEGMENT + lane % ROW_LANES,
        min((segment + 1u) * SEGMENT, columns),
    );
}
