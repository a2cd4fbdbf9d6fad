// c_k = sum over labels_i = k of x_i / n_k,   moved_k = |c_k - p_k|^2,   offsets_k = -|c_k|^2 / 2,
// with c_k = p_k, the earlier centre, where n_k = 0.
//
// `cluster_sums`: one workgroup per cluster and TILE columns. Its lanes mark the members among LABELS points at a time,
// then each adds up its own columns over the members in ascending order, so that neighbours read neighbouring words and
// nothing but members is read. Later blocks of points follow in later dispatches. `cluster_means`: ROW_LANES lanes own a
// centre, see grid.wgsl; they divide it in place, and the first of them adds up the partial sums of all, in order.

struct Sums {
    points: u32,        // points of this dispatch
    first_point: u32,   // place of the first in its block
    first_label: u32,   // place of its label in the block of labels
    columns: u32,
    clusters: u32,      // clusters of this dispatch
    first_cluster: u32, // number of the first
    first_row: u32,     // its place in the block of centres
    first_count: u32,   // its place in the block of counts
    tiles: u32,         // workgroups of a cluster
    resume: u32,        // 1 where the results already hold earlier points
}

struct Means {
    clusters: u32,      // clusters of this dispatch
    first_cluster: u32, // number of the first
    first_row: u32,     // its place in the blocks of centres and of earlier ones
    first_count: u32,   // its place in the block of counts
    columns: u32,
}

@group(0) @binding(0) var<uniform> sum_params: Sums;
@group(0) @binding(1) var<storage, read> points: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<u32>;

@group(0) @binding(5) var<uniform> mean_params: Means;
@group(0) @binding(6) var<storage, read> known_counts: array<u32>;
@group(0) @binding(7) var<storage, read> previous: array<f32>;
@group(0) @binding(8) var<storage, read_write> centres: array<f32>;
@group(0) @binding(9) var<storage, read_write> moved: array<f32>;
@group(0) @binding(10) var<storage, read_write> offsets: array<f32>;

const LABELS: u32 = 256u;
const WORDS: u32 = LABELS / 32u;
const OWN: u32 = 4u; // columns of a lane, GROUP apart
const TILE: u32 = OWN * GROUP;

var<workgroup> members: array<atomic<u32>, WORDS>;
var<workgroup> partial: array<vec2<f32>, GROUP>;

@compute @workgroup_size(64)
fn cluster_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = number_of(group, groups);
    let cluster = number / sum_params.tiles;
    let live = cluster < sum_params.clusters;
    let column = number % sum_params.tiles * TILE + lane;
    let row = (sum_params.first_row + cluster) * sum_params.columns;
    let count_at = sum_params.first_count + cluster;
    var total: array<f32, OWN>;
    var count = 0u;
    if live && sum_params.resume == 1u {
        for (var c = 0u; c < OWN; c++) {
            if column + c * GROUP < sum_params.columns {
                total[c] = sums[row + column + c * GROUP];
            }
        }
        count = counts[count_at];
    }
    for (var first = 0u; first < sum_params.points; first += LABELS) {
        if lane < WORDS {
            atomicStore(&members[lane], 0u);
        }
        workgroupBarrier();
        for (var l = lane; l < LABELS; l += GROUP) {
            let i = first + l;
            if i < sum_params.points && labels[sum_params.first_label + i] == sum_params.first_cluster + cluster {
                atomicOr(&members[l / 32u], 1u << (l % 32u));
            }
        }
        workgroupBarrier();
        // Sums of sums lose fewer digits than one long sum.
        var part: array<f32, OWN>;
        for (var word = 0u; word < WORDS; word++) {
            var bits = atomicLoad(&members[word]);
            count += countOneBits(bits);
            while bits != 0u {
                let i = first + word * 32u + firstTrailingBit(bits);
                bits &= bits - 1u;
                let start = (sum_params.first_point + i) * sum_params.columns + column;
                for (var c = 0u; c < OWN; c++) {
                    if column + c * GROUP < sum_params.columns {
                        part[c] += points[start + c * GROUP];
                    }
                }
            }
        }
        for (var c = 0u; c < OWN; c++) {
            total[c] += part[c];
        }
        workgroupBarrier();
    }
    if live {
        for (var c = 0u; c < OWN; c++) {
            if column + c * GROUP < sum_params.columns {
                sums[row + column + c * GROUP] = total[c];
            }
        }
    }
    // Only now have all lanes of the first tile read what was counted before.
    workgroupBarrier();
    if live && number % sum_params.tiles == 0u && lane == 0u {
        counts[count_at] = count;
    }
}

@compute @workgroup_size(64)
fn cluster_means(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let cluster = number_of(group, groups) * (GROUP / ROW_LANES) + lane / ROW_LANES;
    let live = cluster < mean_params.clusters;
    var part = vec2(0.0, 0.0);
    if live {
        let start = (mean_params.first_row + cluster) * mean_params.columns;
        let count = known_counts[mean_params.first_count + cluster];
        for (var j = lane % ROW_LANES; j < mean_params.columns; j += ROW_LANES) {
            let before = previous[start + j];
            var mean = before;
            if count > 0u {
                mean = centres[start + j] / f32(count);
            }
            centres[start + j] = mean;
            part += vec2((mean - before) * (mean - before), mean * mean);
        }
    }
    partial[lane] = part;
    workgroupBarrier();
    if live && lane % ROW_LANES == 0u {
        var sum = vec2(0.0, 0.0);
        for (var l = 0u; l < ROW_LANES; l++) {
            sum += partial[lane + l];
        }
        moved[mean_params.first_cluster + cluster] = sum.x;
        offsets[mean_params.first_cluster + cluster] = -0.5 * sum.y;
    }
}
