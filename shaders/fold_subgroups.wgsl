// Library of the contraction: subgroups fold what their lanes folded, and bring one result each to workgroup memory. For
// LANE_ROWS of 1, with which all lanes of a workgroup own the same rows: it does not matter which of them form a subgroup.

struct Lane {
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) place: u32,
    @builtin(num_subgroups) subgroups: u32,
}

// Whether a lane writes what it folded.
fn keeps(lane: Lane) -> bool {
    return lane.place == 0u;
}

// Where it writes that, among LANES.
fn kept_at(lane: Lane) -> u32 {
    return lane.subgroup;
}

// How many results wait for each row.
fn kept_of_row(lane: Lane) -> u32 {
    return lane.subgroups;
}

// What the lanes of the same rows that write together found.
fn sum_of_lanes(value: f32) -> f32 {
    return subgroupAdd(value);
}

fn sums_of_lanes(value: vec4<f32>) -> vec4<f32> {
    return subgroupAdd(value);
}

fn largest_of_lanes(value: f32) -> f32 {
    return subgroupMax(value);
}

fn smallest_of_lanes(value: f32) -> f32 {
    return subgroupMin(value);
}

fn lowest_of_lanes(index: u32) -> u32 {
    return subgroupMin(index);
}
