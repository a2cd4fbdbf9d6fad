// Library of tropical_eval_narrow.wgsl: all lanes load the same monomial, which hardware serves through its scalar unit.

const BLOCK: u32 = 4u;

// What a lane holds of BLOCK monomials.
fn hold(at: u32, lane: u32) -> u32 {
    return at;
}

// The s-th of them.
fn passed(held: u32, s: u32) -> Monomial {
    return load_monomial(held + s);
}
