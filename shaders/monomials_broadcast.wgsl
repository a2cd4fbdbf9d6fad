// Library of tropical_eval_narrow.wgsl: the lanes of a subgroup, which is the whole workgroup, load different monomials and
// pass them on. For adapters that run on the host processor: a load costs them one access for each lane, a broadcast
// one instruction for all.

const BLOCK: u32 = LANES_OF_SUBGROUP;

// What a lane holds of BLOCK monomials.
fn hold(at: u32, lane: u32) -> Monomial {
    return load_monomial(at + lane);
}

// The s-th of them.
fn passed(held: Monomial, s: u32) -> Monomial {
    return Monomial(subgroupShuffle(held.coefficient, s), subgroupShuffle(held.exponents, s));
}
