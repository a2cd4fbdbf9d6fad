// Library: what the lanes of a row found, added up by subgroups where a whole workgroup owns the row: then it does not
// matter which lanes form a subgroup, which no rule says. Short rows, whose lanes are few, go through workgroup memory.

struct Lane {
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) place: u32,
    @builtin(num_subgroups) subgroups: u32,
}

var<workgroup> partial: array<f32, GROUP>;

// The sum over the ROW_LANES lanes of a row, for the first of them. All lanes of the workgroup call it.
fn sum_of_row(value: f32, lane: Lane) -> f32 {
    var parts = ROW_LANES;
    if ROW_LANES == GROUP {
        let together = subgroupAdd(value);
        if lane.place == 0u {
            partial[lane.subgroup] = together;
        }
        parts = lane.subgroups;
    } else {
        partial[lane.index] = value;
    }
    workgroupBarrier();
    var sum = 0.0;
    if lane.index % ROW_LANES == 0u {
        for (var l = 0u; l < parts; l++) {
            sum += partial[lane.index + l];
        }
    }
    return sum;
}
