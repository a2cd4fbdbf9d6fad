// Library: what the lanes of a row found, added up in workgroup memory. For adapters without subgroups.

struct Lane {
    @builtin(local_invocation_index) index: u32,
}

var<workgroup> partial: array<f32, GROUP>;

// The sum over the ROW_LANES lanes of a row, in their order, for the first of them. All lanes of the workgroup call it.
fn sum_of_row(value: f32, lane: Lane) -> f32 {
    partial[lane.index] = value;
    workgroupBarrier();
    var sum = 0.0;
    if lane.index % ROW_LANES == 0u {
        for (var l = 0u; l < ROW_LANES; l++) {
            sum += partial[lane.index + l];
        }
    }
    return sum;
}
