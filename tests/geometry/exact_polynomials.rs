//! Polynomials whose numbers f32, or f64 with rounding, would not tell apart.

use ndarray::{Array2, array};
use proptest::prelude::*;
use tropix::backend::Backend;
use tropix::tropical::{
    Attainment, DualSubdivision, Polynomial, Shape, Syntax, attainment, evaluate_checked, explicit, hypersurface,
    newton_vertices, parse, tropical,
};

use crate::harness::{integers, on_every_backend, random};

on_every_backend!(device_values_agree_with_exact_ones);

fn read(text: &str, names: &[&str]) -> Polynomial {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    parse(text, None, Some(&names)).unwrap().polynomial().unwrap().unwrap()
}

/// Cells and edges as sets of monomials.
fn shape(f: &Polynomial) -> (Vec<Vec<usize>>, Vec<[usize; 2]>, Vec<Attainment>) {
    let found = DualSubdivision::of(f).unwrap();
    let sorted = |cell: &tropix::tropical::Cell| {
        let mut vertices = cell.vertices.clone();
        vertices.sort_unstable();
        vertices
    };
    let mut cells: Vec<Vec<usize>> = found.cells.iter().map(sorted).collect();
    cells.sort();
    (cells, found.edges.iter().map(|edge| edge.ends).collect(), attainment(f, &found))
}

fn no_piece_is_a_point(f: &Polynomial) {
    for piece in hypersurface(f, &DualSubdivision::of(f).unwrap()) {
        if let Shape::Segment { from, to } = piece.shape {
            assert_ne!(from, to, "{piece:?}");
        }
    }
}

/// Heights near 1e8 whose differences are small integers: what matters is in the last digits.
#[test]
fn large_coefficients_have_the_cells_of_their_differences() {
    let text = |offset: i64| {
        let terms = [(3, "x^3y^2"), (2, "y"), (2, "x^3"), (1, "x^3y^3"), (-2, "x^2y^2"), (-1, "xy^3")];
        terms.map(|(c, powers)| format!("{}{powers}", offset + c)).join("+")
    };
    let given = "100000003x^3y^2+100000002y+100000002x^3+100000001x^3y^3+99999998x^2y^2+99999999xy^3";
    assert_eq!(text(100_000_000), given);
    for offset in [0, 10, 100_000_000, 900_000_000_000_000] {
        let f = read(&text(offset), &["x", "y"]);
        let (cells, edges, _) = shape(&f);
        assert_eq!((cells.len(), edges.len()), (2, 6), "{cells:?}");
        no_piece_is_a_point(&f);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// An affine function added to the coefficients moves the hypersurface and leaves the subdivision; so does a unit.
    #[test]
    fn affine_changes_leave_the_subdivision(
        seed in 0_u64..10_000,
        dimension in 1_usize..4,
        offset in -1_000_000_000_000_i64..1_000_000_000_000,
        slope in -100_000_000_000_i64..100_000_000_000,
        unit in -200_i32..200,
    ) {
        let exponents = integers([12, dimension], 0, 3, seed, "exponents");
        let coefficients: Vec<f64> = integers([1, 12], -3, 3, seed, "coefficients").into_iter().collect();
        let f = Polynomial::new(&exponents, &coefficients).unwrap();
        let moved: Vec<f64> = (0..f.monomials())
            .map(|i| f.coefficients()[i] + offset as f64 + slope as f64 * f.exponents().row(i).sum())
            .collect();
        let scaled: Vec<f64> = f.coefficients().iter().map(|c| format!("{c}e{unit}").parse().unwrap()).collect();
        for other in [moved, scaled] {
            let g = Polynomial::new(f.exponents(), &other).unwrap();
            prop_assert_eq!(shape(&g), shape(&f));
        }
        no_piece_is_a_point(&f);
    }

    /// Linear programs in exact decimals by hand: in one variable a monomial leads iff it is a corner of the upper hull.
    #[test]
    fn upper_hulls_in_one_variable_are_those_of_integers(seed in 0_u64..10_000, digits in 1_i32..12) {
        let heights = integers([1, 9], -4, 4, seed, "heights");
        let unit = 10.0_f64.powi(digits);
        let f = Polynomial::new(
            &Array2::from_shape_fn((9, 1), |(i, _)| i as f64),
            &heights.iter().map(|h| h / unit + 7.0).collect::<Vec<_>>(),
        ).unwrap();
        let below = |i: usize, least: f64| {
            (0..i).any(|a| (i + 1..9).any(|b| {
                let weight = (heights[[0, a]] - heights[[0, i]]) * (b - i) as f64
                    + (heights[[0, b]] - heights[[0, i]]) * (i - a) as f64;
                weight >= least
            }))
        };
        for (i, found) in shape(&f).2.into_iter().enumerate() {
            let wanted = match (below(i, 1.0), below(i, 0.0)) {
                (true, _) => Attainment::Never,
                (false, true) => Attainment::Tie,
                (false, false) => Attainment::Region,
            };
            prop_assert_eq!(found, wanted, "monomial {}", i);
        }
    }
}

#[test]
fn decimals_are_the_numbers_that_were_written() {
    use Attainment::{Region, Tie};
    // 0.1, 0.2, 0.3 lie on a line, 0.1, 0.2 and the next double above 0.3 do not.
    let attained = |text: &str| shape(&read(text, &["x"])).2;
    assert_eq!(attained("0.3x^2+0.2x+0.1"), [Region, Tie, Region]);
    assert_eq!(attained("0.30000000000000004x^2+0.2x+0.1"), [Region, Attainment::Never, Region]);
    // Products add decimals.
    let product = read("(0.1x+0)(0.2x+0)", &["x"]);
    assert_eq!(product.coefficients()[0], 0.3);
    // Exponents too.
    let f = read("x^0.1y^0.1 + x^0.2y^0.2 + x^0.3y^0.3", &["x", "y"]);
    let found = DualSubdivision::of(&f).unwrap();
    assert_eq!((found.rank(), newton_vertices(&f)), (1, vec![0, 2]));
}

/// Numbers of every size at once, which no power of ten brings into f64.
#[test]
fn coefficients_of_every_scale_have_their_subdivision() {
    let f = read("1e300x^2 + 1e-300x + -1e300 + 0x^3y + 1y^2", &["x", "y"]);
    let (cells, edges, attained) = shape(&f);
    assert_eq!(attained[0], Attainment::Region);
    assert!(cells.len() + attained.iter().filter(|a| **a == Attainment::Region).count() == edges.len() + 1);
    no_piece_is_a_point(&f);
}

/// What is printed is read back as the same, also where a name could be taken for an exponent.
#[test]
fn printed_numbers_of_every_size_are_read_back() {
    let names = ["x".to_owned(), "e3".to_owned()];
    for coefficients in [[1.0, 1e300], [1e-300, -1e17], [0.1, 123_456_789_012_345_680.0]] {
        let f = Polynomial::new(&array![[2.0, 1.0], [1e20, 3e-7]], &coefficients).unwrap();
        for text in [tropical(&f, &names), explicit(&f, &names)] {
            let read = parse(&text, None, Some(&names)).unwrap().polynomial().unwrap();
            assert_eq!(read.as_ref(), Some(&f), "{text}");
            assert!(text.len() < 90, "{text}");
        }
    }
}

/// In many digits nothing is degenerate: Euler's formula and distinct ends.
#[test]
fn random_doubles_give_triangles_and_no_points() {
    for seed in 0..20 {
        let coefficients = random([1, 30], seed, "coefficients");
        let f = Polynomial::new(&random([30, 2], seed, "exponents"), coefficients.as_slice().unwrap()).unwrap();
        let found = DualSubdivision::of(&f).unwrap();
        assert!(found.cells.iter().all(|cell| cell.vertices.len() == 3));
        assert_eq!(found.vertices.len() + found.cells.len(), found.edges.len() + 1);
        no_piece_is_a_point(&f);
    }
}

#[test]
fn values_are_those_of_the_numbers_as_written() {
    let f = read("100000001+100000000x", &["x"]);
    let found = f.value(&[0.0]);
    assert_eq!((found.value, found.monomials), (100_000_001.0, vec![0]));
    let found = f.value(&[1.0]);
    assert_eq!((found.value, found.monomials), (100_000_001.0, vec![0, 1]));
    assert_eq!(read("0.1x+0.2", &["x"]).value(&[1.0]).value, 1.1);
    // 0.1 * 1 + 0.2 meets 0.3.
    let f = parse("max(0.1*x+0.2, 0.3)", Some(Syntax::Explicit), None).unwrap().polynomial().unwrap().unwrap();
    let found = f.value(&[1.0]);
    assert_eq!((found.value, found.monomials), (0.3, vec![0, 1]));
    // Terms that cancel, and terms beyond f64 that cancel.
    let f = read("1e300x^1e10 + 0", &["x"]);
    assert_eq!((f.value(&[-1e290]).value, f.value(&[-1e299]).value), (0.0, 0.0));
    assert_eq!(f.value(&[1e299]).value, f64::INFINITY);
    let f = read("-1e20x + 0", &["x"]);
    let found = f.value(&[100_000_000_000_000_016_384.0]);
    assert_eq!((found.value, found.monomials), (16_384.0, vec![0]));
}

fn device_values_agree_with_exact_ones<B: Backend>(backend: &B) {
    let f = read("100000001+100000000x+0.1x^2", &["x"]);
    let points = array![[0.0], [0.5], [-3.25], [1e9]];
    let exact: Vec<_> = points.rows().into_iter().map(|row| f.value(&row.to_vec())).collect();
    let found = evaluate_checked(backend, &f, &points, &exact).unwrap().unwrap();
    assert!((found[0] - 100_000_001.0).abs() < 16.0, "{found:?}");
    // Beyond f32 there is nothing to check; a wrong value is told.
    let big = read("1e300x+0", &["x"]);
    let wide = [big.value(&[0.0])];
    assert_eq!(evaluate_checked(backend, &big, &array![[0.0]], &wide).unwrap(), None);
    let wrong = [f.value(&[1.0e9]), f.value(&[0.5]), f.value(&[-3.25]), f.value(&[1e9])];
    assert!(evaluate_checked(backend, &f, &points, &wrong).is_err());
}
