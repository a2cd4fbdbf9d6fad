// Library of the contraction: the lanes of a subgroup, which is the whole workgroup, load different rows of their common
// tile and pass them on. For adapters that run on the host processor: a load costs them one access for each lane, a
// broadcast one instruction for all.

const HELD: u32 = TILE_ROWS / LANES_OF_SUBGROUP;

// The h-th row of x that a lane loads, counted in its tile.
fn held_row(h: u32, lane: u32) -> u32 {
    return h * LANES_OF_SUBGROUP + lane;
}

// Row r of the tile, from what the lanes hold.
fn row_of(held: ptr<function, array<vec4<f32>, HELD>>, r: u32) -> vec4<f32> {
    return subgroupShuffle((*held)[r / LANES_OF_SUBGROUP], r % LANES_OF_SUBGROUP);
}
