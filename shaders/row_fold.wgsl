// Library: what the lanes of a row found, joined in workgroup memory, for all of them.

var<workgroup> partial: array<f32, GROUP>;

fn joined(a: f32, b: f32, fold: u32) -> f32 {
    switch fold {
        case 1u: { return max(a, b); }
        case 2u: { return min(a, b); }
        default: { return a + b; }
    }
}

// The sum over the ROW_LANES lanes of a row (fold 0), the largest (1) or the least (2) of their values, as a tree. All
// lanes of the workgroup call it.
fn of_row(value: f32, lane: u32, fold: u32) -> f32 {
    if ROW_LANES == 1u {
        return value;
    }
    partial[lane] = value;
    workgroupBarrier();
    for (var step = ROW_LANES / 2u; step > 0u; step /= 2u) {
        if lane % ROW_LANES < step {
            partial[lane] = joined(partial[lane], partial[lane + step], fold);
        }
        workgroupBarrier();
    }
    let found = partial[lane - lane % ROW_LANES];
    workgroupBarrier();
    return found;
}
