//! Dual subdivisions and hypersurfaces: figure 1 of 2002.08838, the degenerate cases, and identities.

use ndarray::Array2;
use serde::Deserialize;
use tropix::geometry::clip::doubled_area;
use tropix::tropical::{
    Attainment, DualSubdivision, Polynomial, Shape, attainment, hypersurface, margin, parse, region, window,
};

use crate::harness::{golden, integers, random};

fn read(text: &str) -> Polynomial {
    parse(text, None, Some(&["x".to_owned(), "y".to_owned()])).unwrap().polynomial().unwrap().unwrap()
}

fn polynomial(monomials: usize, dimension: usize, seed: u64) -> Polynomial {
    let exponents = integers([monomials, dimension], 0, 4, seed, "exponents");
    let coefficients = integers([1, monomials], -3, 3, seed, "coefficients");
    Polynomial::new(&exponents, coefficients.as_slice().unwrap()).unwrap()
}

/// The three polynomials of figure 1.
const FIGURE_1: [(&str, usize); 3] = [
    ("x + y + 0", 3),
    ("1x^2 + 1y^2 + 2xy + 2x + 2y + 2", 6),
    ("0 + -1x + -1y + -4x^2 + -3xy + -4y^2 + -9x^3 + -7x^2y + -7xy^2 + -9y^3", 10),
];

#[test]
fn figure_1_has_3_6_and_10_regions() {
    for (text, regions) in FIGURE_1 {
        let f = read(text);
        let subdivision = DualSubdivision::of(&f).unwrap();
        assert_eq!(subdivision.regions(), regions, "{text}");
        // Two of the four small triangles of the second lie in one plane; Euler's formula gives the edges.
        let cells = [1, 3, 9][FIGURE_1.iter().position(|(t, _)| *t == text).unwrap()];
        assert_eq!((subdivision.cells.len(), subdivision.edges.len()), (cells, regions + cells - 1));
    }
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    exponents: Vec<Vec<f64>>,
    coefficients: Vec<f64>,
    regions: Vec<usize>,
    duals: Vec<Vec<f64>>,
    ties: Vec<Vec<usize>>,
}

#[test]
fn regions_and_vertices_are_those_of_qhull_and_highs() {
    let golden: Golden = golden("subdivision.json");
    assert!(golden.cases.len() > 20);
    for case in golden.cases {
        let shape = (case.exponents.len(), case.exponents[0].len());
        let exponents = Array2::from_shape_vec(shape, case.exponents.concat()).unwrap();
        let f = Polynomial::new(&exponents, &case.coefficients).unwrap();
        let subdivision = DualSubdivision::of(&f).unwrap();
        assert_eq!(subdivision.vertices, case.regions, "{}", case.name);
        assert_eq!(subdivision.cells.len(), case.duals.len(), "{}", case.name);
        for cell in &subdivision.cells {
            let near = |dual: &&Vec<f64>| dual.iter().zip(&cell.dual).all(|(x, y)| (x - y).abs() < 1e-6);
            let place = case.duals.iter().position(|dual| near(&dual));
            let ties = &case.ties[place.unwrap_or_else(|| panic!("{}: {:?}", case.name, cell.dual))];
            assert!(cell.vertices.iter().all(|v| ties.contains(v)), "{}", case.name);
        }
    }
}

/// By hand: `x + y + 0` has its vertex at the origin and rays down, left and up right.
#[test]
fn the_tropical_line_is_three_rays() {
    let f = read("x + y + 0");
    let subdivision = DualSubdivision::of(&f).unwrap();
    assert!(subdivision.flat);
    let pieces = hypersurface(&f, &subdivision);
    let half = 0.5_f64.sqrt();
    for (monomials, wanted) in [([0, 1], [half, half]), ([0, 2], [0.0, -1.0]), ([1, 2], [-1.0, 0.0])] {
        let piece = pieces.iter().find(|piece| piece.monomials == monomials).unwrap();
        let Shape::Ray { from, direction } = piece.shape else { panic!("{piece:?}") };
        assert!(from.iter().all(|x| x.abs() < 1e-12), "{piece:?}");
        assert!((0..2).all(|k| (direction[k] - wanted[k]).abs() < 1e-12), "{piece:?}");
        assert_eq!(piece.multiplicity, Some(1));
    }
}

#[test]
fn degenerate_cases_are_told_apart() {
    use Attainment::{Never, Region, Tie};
    let found = |text: &str| {
        let f = read(text);
        let subdivision = DualSubdivision::of(&f).unwrap();
        let edges = hypersurface(&f, &subdivision).len();
        (attainment(&f, &subdivision), subdivision.rank(), subdivision.cells.len(), edges)
    };
    // A single monomial: no hypersurface.
    assert_eq!(found("3x^2y"), (vec![Region], 0, 0, 0));
    // Below the hull, and on the hull but no vertex.
    assert_eq!(found("x^2 + -1x + 0"), (vec![Region, Never, Region], 1, 1, 1));
    assert_eq!(found("x^2 + x + 0"), (vec![Region, Tie, Region], 1, 1, 1));
    assert_eq!(found("x^2 + 1x + 0"), (vec![Region, Region, Region], 1, 2, 2));
    // A flat lift is trivial; a point inside only ties.
    assert_eq!(found("x^2y^0 + y^2 + 0 + x^0.5y^0.5"), (vec![Region, Region, Region, Tie], 2, 1, 3));
    // An affine lift is flat as well.
    assert_eq!(found("2x^2 + 6y^2 + 0 + 4xy + 1x + 3y"), (vec![Region, Region, Region, Tie, Tie, Tie], 2, 1, 3));
    // Vertical facets: the steep ends are no cells.
    assert_eq!(found("100x + 0y + -50"), (vec![Region, Region, Region], 2, 1, 3));
}

/// With exponents on a line the hypersurface is a set of parallel lines, doubled where the edge is.
#[test]
fn collinear_exponents_give_lines() {
    let f = read("3x^2y^2 + 0 + 1xy + 0x^4y^4");
    let subdivision = DualSubdivision::of(&f).unwrap();
    assert_eq!(subdivision.regions(), 3);
    let mut multiplicities = Vec::new();
    for piece in hypersurface(&f, &subdivision) {
        let Shape::Line { through, direction } = piece.shape else { panic!("{piece:?}") };
        for t in [-7.0, 0.0, 5.0] {
            let x = [through[0] + t * direction[0], through[1] + t * direction[1]];
            let [a, b] = piece.monomials.map(|i| f.monomial(i, &x));
            assert!((a - b).abs() < 1e-12 && (f.evaluate(&x).0 - a).abs() < 1e-12);
        }
        multiplicities.push(piece.multiplicity);
    }
    multiplicities.sort();
    assert_eq!(multiplicities, [Some(2), Some(2)]);
}

#[test]
fn two_monomials_attain_the_maximum_on_every_piece_and_no_third_one() {
    for seed in 0..60 {
        let f = polynomial(12, 2, seed);
        let subdivision = DualSubdivision::of(&f).unwrap();
        for piece in hypersurface(&f, &subdivision) {
            let x = piece.shape.at(0.37);
            let value = f.evaluate(&x).0;
            let [a, b] = piece.monomials.map(|i| f.monomial(i, &x));
            assert!((value - a).abs() < 1e-9 && (value - b).abs() < 1e-9, "{piece:?}");
            // Another monomial ties along the piece only if its exponent lies on the dual edge.
            for i in (0..f.monomials()).filter(|i| value - f.monomial(*i, &x) < 1e-9) {
                let [a, b, p] = [piece.monomials[0], piece.monomials[1], i].map(|m| f.exponents().row(m).to_vec());
                assert!(((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])).abs() < 1e-12, "{piece:?}");
            }
        }
    }
}

/// Balancing: around each vertex the primitive directions, taken with multiplicity, add up to zero.
#[test]
fn hypersurfaces_are_balanced() {
    let mut vertices = 0;
    for seed in 0..60 {
        let f = polynomial(14, 2, seed);
        let subdivision = DualSubdivision::of(&f).unwrap();
        let pieces = hypersurface(&f, &subdivision);
        if subdivision.rank() < 2 {
            continue;
        }
        for cell in &subdivision.cells {
            let at: [f64; 2] = cell.dual.as_slice().try_into().unwrap();
            let near = |p: [f64; 2]| (p[0] - at[0]).hypot(p[1] - at[1]) < 1e-9;
            let mut sum = [0.0; 2];
            let mut add = |direction: [f64; 2], length: f64| {
                let norm = direction[0].hypot(direction[1]);
                (0..2).for_each(|k| sum[k] += length * direction[k] / norm);
            };
            for piece in &pieces {
                match piece.shape {
                    Shape::Ray { from, direction } if near(from) => add(direction, piece.length),
                    Shape::Segment { from, to } if near(from) => add([to[0] - from[0], to[1] - from[1]], piece.length),
                    Shape::Segment { from, to } if near(to) => add([from[0] - to[0], from[1] - to[1]], piece.length),
                    _ => {}
                }
            }
            assert!(sum.iter().all(|x| x.abs() < 1e-8), "seed {seed}: {sum:?}");
            vertices += 1;
        }
    }
    assert!(vertices > 100);
}

#[test]
fn regions_tile_the_window() {
    for seed in 0..40 {
        let f = polynomial(10, 2, seed);
        let subdivision = DualSubdivision::of(&f).unwrap();
        let bounds = window(&subdivision);
        let total: f64 =
            subdivision.vertices.iter().map(|v| doubled_area(&region(&f, &subdivision, *v, &bounds))).sum();
        let whole = doubled_area(&bounds.corners());
        assert!((total - whole).abs() < 1e-9 * whole, "seed {seed}: {total} of {whole}");
    }
}

/// The linear program is a witness that shares no code with the hull.
#[test]
fn linear_programs_agree_on_which_monomials_are_attained() {
    let mut seen = [0; 3];
    for seed in 0..40 {
        for dimension in 1..=4 {
            let f = polynomial(9, dimension, seed);
            let found = attainment(&f, &DualSubdivision::of(&f).unwrap());
            for (i, found) in found.into_iter().enumerate() {
                let margin = if f.monomials() == 1 { 1.0 } else { margin(&f, i).unwrap() };
                let wanted = match margin {
                    t if t > 1e-7 => Attainment::Region,
                    t if t > -1e-7 => Attainment::Tie,
                    _ => Attainment::Never,
                };
                assert_eq!(found, wanted, "seed {seed}, dimension {dimension}, monomial {i}, margin {margin}");
                seen[wanted as usize] += 1;
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

/// Property 10: sampling meets no more arg maxima than there are vertices, and all of them when it is dense.
#[test]
fn sampling_meets_every_region_and_no_other() {
    for seed in 0..10 {
        let exponents = random([14, 2], seed, "exponents");
        let coefficients = random([1, 14], seed, "coefficients").mapv(|c| 0.4 * c);
        let f = Polynomial::new(&exponents, coefficients.as_slice().unwrap()).unwrap();
        let subdivision = DualSubdivision::of(&f).unwrap();
        let bounds = window(&subdivision);
        let mut met: Vec<usize> = Vec::new();
        let cells = 300;
        for i in 0..cells * cells {
            let share =
                |k: usize, n: usize| bounds.low[k] + (bounds.high[k] - bounds.low[k]) * (n as f64 + 0.5) / cells as f64;
            met.push(f.evaluate(&[share(0, i % cells), share(1, i / cells)]).1);
        }
        met.sort_unstable();
        met.dedup();
        assert!(met.iter().all(|i| subdivision.vertices.contains(i)), "seed {seed}");
        // A region that the grid misses is smaller than one of its squares.
        let square = (bounds.high[0] - bounds.low[0]) * (bounds.high[1] - bounds.low[1]) / (cells * cells) as f64;
        for missed in subdivision.vertices.iter().filter(|v| !met.contains(v)) {
            assert!(doubled_area(&region(&f, &subdivision, *missed, &bounds)) < 40.0 * square, "seed {seed}");
        }
    }
}

#[test]
fn a_subdivision_that_would_fill_the_memory_is_refused_with_an_estimate() {
    let f = Polynomial::new(&random([3000, 7], 0, "a"), &vec![0.0; 3000]).unwrap();
    let error = DualSubdivision::of(&f).unwrap_err().to_string();
    assert!(error.contains("simplices") && error.contains("GB"), "{error}");
}
