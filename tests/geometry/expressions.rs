//! Expressions: both notations, what they mean, round trips, and where they break.

use tropix::Error;
use tropix::tropical::{Polynomial, Syntax, explicit, explicit_rational, names, parse, tropical, tropical_rational};

use crate::harness::integers;

fn value(text: &str, x: &[f64]) -> f64 {
    parse(text, None, None).unwrap().function.evaluate(x)
}

#[test]
fn both_notations_mean_the_same() {
    for (tropical, explicit) in [
        ("x + y + 0", "max(x, y, 0)"),
        ("1x^2 + 2xy + -3", "max(1 + 2*x, 2 + x + y, -3)"),
        ("(x + 1)^2 * y", "2 max(x, 1) + y"),
        ("(x + y) / (x + 0)", "max(x, y) - max(x, 0)"),
        ("x⊕y⊕3⊙x", "max(x, y, x + 3)"),
        ("0 / (x + y^-1.5)", "min(-x, 1.5y)"),
        ("x^(-2) + y", "max(-2x, y)"),
        ("2e1x + y", "max(x + 20, y)"),
        ("x^.5 y + 1.5", "max(x/2 + y, 1.5)"),
    ] {
        assert_eq!(parse(tropical, None, None).unwrap().syntax, Syntax::Tropical);
        assert_eq!(parse(explicit, None, None).unwrap().syntax, Syntax::Explicit);
        for point in integers([30, 2], -8, 8, 1, tropical).rows() {
            let x = point.to_vec();
            assert_eq!(value(tropical, &x), value(explicit, &x), "{tropical} and {explicit} at {x:?}");
        }
    }
}

#[test]
fn variables_are_sorted_by_letters_then_numbers_or_as_given() {
    let variables = |text: &str| parse(text, None, None).unwrap().variables.join(" ");
    assert_eq!(variables("x10 + x2 y + a"), "a x2 x10 y");
    assert_eq!(variables("max(width, height2, height10)"), "height2 height10 width");
    let given = ["y".to_owned(), "x".to_owned(), "t".to_owned()];
    let f = parse("x^3 + y", None, Some(&given)).unwrap();
    assert_eq!(f.function.numerator.exponents().row(0).to_vec(), [0.0, 3.0, 0.0]);
    assert!(matches!(parse("x + z", None, Some(&given)), Err(Error::Argument { .. })));
    assert!(parse("x + y", None, Some(&["x".to_owned(), "y".to_owned(), "x".to_owned()])).is_err());
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    for seed in 0..100 {
        for dimension in [1, 2, 3, 5] {
            let mut exponents = integers([6, dimension], -9, 9, seed, "exponents");
            exponents.mapv_inplace(|a| a / 4.0);
            let coefficients = integers([1, 6], -20, 20, seed, "coefficients").mapv(|c| c / 8.0);
            let f = Polynomial::new(&exponents, coefficients.as_slice().unwrap()).unwrap();
            let g = f.select(&[1, 0]).unwrap();
            let names = names(dimension);
            for text in [tropical(&f, &names), explicit(&f, &names)] {
                let back = parse(&text, None, Some(&names)).unwrap().polynomial().unwrap().unwrap();
                assert_eq!(back, f, "{text}");
            }
            let function = tropix::tropical::Rational { numerator: f, denominator: g };
            for text in [tropical_rational(&function, &names), explicit_rational(&function, &names)] {
                let back = parse(&text, None, Some(&names)).unwrap().function;
                for x in integers([10, dimension], -8, 8, seed, "points").rows() {
                    assert_eq!(back.evaluate(&x.to_vec()), function.evaluate(&x.to_vec()), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_coefficient_before_the_variable_e_stays_a_coefficient() {
    let names = ["e3".to_owned()];
    let f = parse("2*e3 + 0", None, None).unwrap();
    assert_eq!(f.variables, names);
    let text = tropical(&f.polynomial().unwrap().unwrap(), &names);
    assert_eq!(text, "2*e3 + 0");
}

#[test]
fn errors_show_the_column() {
    for (text, column, part) in [
        ("x + + y", 5, "expected a monomial, found `+`"),
        ("x + ", 5, "found the end"),
        ("", 1, "found the end"),
        ("(x + y", 7, "expected `)`"),
        ("x + y)", 6, "an operator or the end"),
        ("x - y", 3, "no tropical subtraction"),
        ("x^y", 3, "expected a number"),
        ("nan x + y", 1, "`nan` is no coefficient"),
        ("x + -inf", 6, "finite numbers"),
        ("1e999 x", 1, "beyond the range"),
        ("x ? y", 3, "`?` has no meaning"),
        ("1.2.3x + 0", 1, "`1.2.3` is not a number"),
        ("max(x, y", 9, "expected `)`"),
        ("max()", 5, "expected a term"),
        ("max(x, y) * max(x, 0)", 11, "not piecewise linear"),
        ("max(x, 1) / 0", 11, "division by 0"),
        ("1 / max(x, 1)", 3, "only a number can divide"),
        ("(x + y)^-1e308^2", 15, "an operator or the end"),
        ("x^1e308 x^1e308", 9, "exponent 0 of monomial 0 is inf"),
    ] {
        match parse(text, None, None) {
            Err(Error::Expression { column: found, problem, .. }) => {
                assert_eq!((found, problem.contains(part)), (column, true), "{text}: {found}, {problem}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = format!("{}x{}", "(".repeat(5000), ")".repeat(5000));
    assert!(parse(&deep, None, None).unwrap_err().to_string().contains("more than 200 open"));
    let shown = parse("x + + y", None, None).unwrap_err().to_string();
    assert!(shown.ends_with("\n  x + + y\n      ^"), "{shown}");
}
