//! Laws of the semiring, of polynomials and of rational functions, and their values on every backend.

use ndarray::Array2;
use tropix::Error;
use tropix::backend::Backend;
use tropix::geometry::Hull;
use tropix::tropical::{DevicePolynomial, MaxPlus, Polynomial, Rational, narrow};

use crate::harness::{integers, on_every_backend, random};

/// Monomials with small integers, so that all sums are exact.
fn integral(monomials: usize, dimension: usize, seed: u64) -> Polynomial {
    let exponents = integers([monomials, dimension], 0, 4, seed, "exponents");
    let coefficients = integers([1, monomials], -5, 5, seed, "coefficients");
    Polynomial::new(&exponents, coefficients.as_slice().unwrap()).unwrap()
}

#[test]
fn the_semiring_keeps_its_laws() {
    let values = [f64::NEG_INFINITY, -3.0, -0.5, 0.0, 1.0, 2.25, 1e6];
    let elements: Vec<MaxPlus> = values.into_iter().map(|v| MaxPlus::new(v).unwrap()).collect();
    for &a in &elements {
        assert_eq!((a + MaxPlus::ZERO, a * MaxPlus::ONE, a * MaxPlus::ZERO), (a, a, MaxPlus::ZERO));
        assert_eq!(a + a, a);
        for &b in &elements {
            assert_eq!((a + b, a * b), (b + a, b * a));
            if b != MaxPlus::ZERO {
                assert_eq!((a * b) / b, Some(a));
            }
            for &c in &elements {
                assert_eq!((a + b) + c, a + (b + c));
                assert_eq!((a * b) * c, a * (b * c));
                assert_eq!(a * (b + c), a * b + a * c);
            }
        }
        for (p, q) in [(2.0, 3.0), (0.5, 1.5), (0.0, 2.0)] {
            assert_eq!(a.power(p).unwrap() * a.power(q).unwrap(), a.power(p + q).unwrap());
        }
    }
    assert_eq!((MaxPlus::new(f64::NAN), MaxPlus::new(f64::INFINITY)), (None, None));
    assert_eq!((MaxPlus::ZERO.power(-1.0), MaxPlus::ONE / MaxPlus::ZERO), (None, None));
}

#[test]
fn polynomials_form_a_semiring_and_evaluation_is_a_homomorphism() {
    for seed in 0..40 {
        let (f, g, h) = (integral(5, 2, seed), integral(4, 2, seed + 100), integral(3, 2, seed + 200));
        assert_eq!(f.add(&g).unwrap(), g.add(&f).unwrap());
        assert_eq!(f.multiply(&g).unwrap(), g.multiply(&f).unwrap());
        assert_eq!(f.add(&g).unwrap().add(&h).unwrap(), f.add(&g.add(&h).unwrap()).unwrap());
        assert_eq!(f.multiply(&g).unwrap().multiply(&h).unwrap(), f.multiply(&g.multiply(&h).unwrap()).unwrap());
        let (left, right) = (f.add(&g).unwrap().multiply(&h).unwrap(), f.multiply(&h).unwrap());
        assert_eq!(left, right.add(&g.multiply(&h).unwrap()).unwrap());
        assert_eq!(f.multiply(&f).unwrap().multiply(&f).unwrap(), f.power(3).unwrap());
        for point in integers([20, 2], -9, 9, seed, "points").rows() {
            let x = point.to_vec();
            let [p, q] = [&f, &g].map(|f| f.evaluate(&x).0);
            assert_eq!(f.add(&g).unwrap().evaluate(&x).0, p.max(q));
            assert_eq!(f.multiply(&g).unwrap().evaluate(&x).0, p + q);
            assert_eq!(
                (f.power(3).unwrap().evaluate(&x).0, f.real_power(3.0).unwrap().evaluate(&x).0),
                (3.0 * p, 3.0 * p)
            );
            assert_eq!(f.real_power(2.5).unwrap().evaluate(&x).0, 2.5 * p);
            let [r, s] = [(&f, &g), (&g, &h)].map(|(f, g)| Rational { numerator: f.clone(), denominator: g.clone() });
            let [v, w] = [&r, &s].map(|r| r.evaluate(&x));
            assert_eq!((r.add(&s).unwrap().evaluate(&x), r.multiply(&s).unwrap().evaluate(&x)), (v.max(w), v + w));
            assert_eq!(
                (r.clone().power(2.0).unwrap().evaluate(&x), r.power(-1.0).unwrap().evaluate(&x)),
                (2.0 * v, -v)
            );
        }
    }
}

/// Products belong to Minkowski sums, sums to hulls of unions: support functions add, or take their maximum.
#[test]
fn newton_polytopes_add_under_products_and_join_under_sums() {
    let support = |f: &Polynomial, u: &[f64]| {
        let hull = Hull::new(f.exponents(), Hull::TOLERANCE);
        let value = |v: &usize| f.exponents().row(*v).iter().zip(u).map(|(a, u)| a * u).sum::<f64>();
        hull.vertices.iter().map(value).fold(f64::NEG_INFINITY, f64::max)
    };
    for seed in 0..30 {
        for d in 1..=3 {
            let (f, g) = (integral(6, d, seed), integral(5, d, seed + 50));
            for u in integers([10, d], -7, 7, seed, "directions").rows() {
                let u = u.to_vec();
                let [p, q] = [&f, &g].map(|f| support(f, &u));
                assert_eq!(support(&f.multiply(&g).unwrap(), &u), p + q);
                assert_eq!(support(&f.add(&g).unwrap(), &u), p.max(q));
            }
        }
    }
}

#[test]
fn equal_exponents_keep_the_largest_coefficient() {
    let exponents = Array2::from_shape_vec((4, 1), vec![1.0, 0.0, 1.0, -0.0]).unwrap();
    let f = Polynomial::new(&exponents, &[2.0, 5.0, 3.0, 1.0]).unwrap();
    assert_eq!((f.monomials(), f.coefficients()), (2, [3.0, 5.0].as_slice()));
}

#[test]
fn polynomials_without_monomials_or_with_nan_are_refused() {
    let problem = |exponents: &Array2<f64>, coefficients: &[f64]| match Polynomial::new(exponents, coefficients) {
        Err(Error::Data { problem }) => problem,
        other => format!("{other:?}"),
    };
    assert!(problem(&Array2::zeros((0, 2)), &[]).contains("needs a monomial"));
    assert!(problem(&Array2::zeros((2, 1)), &[0.0, f64::NAN]).contains("coefficient 1 is NaN"));
    assert!(problem(&Array2::from_elem((1, 2), f64::INFINITY), &[0.0]).contains("exponent 0 of monomial 0 is inf"));
    assert!(problem(&Array2::zeros((2, 1)), &[0.0]).contains("2 exponents for 1"));
    let (f, g) = (integral(3, 2, 0), integral(3, 3, 0));
    assert!(f.add(&g).is_err() && f.multiply(&g).is_err());
    assert!(f.real_power(-1.0).is_err() && f.real_power(f64::NAN).is_err());
}

on_every_backend!(batches_have_the_values_of_single_points);

fn batches_have_the_values_of_single_points<B: Backend>(backend: &B) {
    for (seed, dimension) in [(1, 1), (2, 2), (3, 3), (4, 7)] {
        let f = integral(9, dimension, seed);
        let points = narrow(&random([33, dimension], seed, "points"), "points").unwrap();
        let device = DevicePolynomial::upload(backend, &f).unwrap();
        let maxima = device.evaluate(backend, &backend.upload(&points).unwrap()).unwrap();
        let values = backend.download(&maxima.values).unwrap();
        let arguments = backend.download_indices(&maxima.arguments).unwrap();
        for (i, row) in points.rows().into_iter().enumerate() {
            let x: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            // At most d + 1 terms of size at most 5 + 4 d.
            let tolerance = 5.0 * (dimension + 2) as f64 * (5 + 4 * dimension) as f64 * 2.0_f64.powi(-24);
            assert!((values[[i, 0]] - f.evaluate(&x).0).abs() <= tolerance);
            assert!(f.evaluate(&x).0 - f.monomial(arguments[i] as usize, &x) <= tolerance);
        }
    }
}
