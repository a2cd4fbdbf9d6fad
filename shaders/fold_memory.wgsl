// Library of the contraction: each lane brings what it folded to workgroup memory, where a lane for each row goes through
// GROUP_PANELS of them. For adapters without subgroups, and for LANE_ROWS above 1: all lanes then have a row each at the
// end, and a few panels to go through.

struct Lane {
    @builtin(local_invocation_index) index: u32,
}

// Whether a lane writes what it folded.
fn keeps(lane: Lane) -> bool {
    return true;
}

// Where it writes that, among LANES.
fn kept_at(lane: Lane) -> u32 {
    return lane.index;
}

// How many results wait for each row.
fn kept_of_row(lane: Lane) -> u32 {
    return GROUP_PANELS;
}

// What the lanes of the same rows that write together found.
fn sum_of_lanes(value: f32) -> f32 {
    return value;
}

fn sums_of_lanes(value: vec4<f32>) -> vec4<f32> {
    return value;
}

fn largest_of_lanes(value: f32) -> f32 {
    return value;
}

fn smallest_of_lanes(value: f32) -> f32 {
    return value;
}

fn lowest_of_lanes(index: u32) -> u32 {
    return index;
}
