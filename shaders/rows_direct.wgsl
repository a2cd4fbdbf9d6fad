// Library of the contraction: each lane loads the rows of its tile itself. All lanes of a workgroup load the same words,
// which hardware serves with one access.

const HELD: u32 = TILE_ROWS;

// The h-th row of x that a lane loads, counted in its tile.
fn held_row(h: u32, lane: u32) -> u32 {
    return h;
}

// Row r of the tile, from what the lanes hold.
fn row_of(held: ptr<function, array<vec4<f32>, HELD>>, r: u32) -> vec4<f32> {
    return (*held)[r];
}
