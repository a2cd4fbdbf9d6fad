//! `tropix polynomial`.

use ndarray::Array2;
use tropix::Error;
use tropix::backend::{Backend, DeviceKind, Reference};
use tropix::network::format::{check_output, write_text};
use tropix::number::shortest;
use tropix::prune::Timing;
use tropix::report::svg::{Drawn, polynomial_svg};
use tropix::report::{ExpressionReport, Heading, PointValue, PolynomialGeometry, PolynomialReport, polynomial_text};
use tropix::tropical::{DualSubdivision, Expression, Polynomial, Value, evaluate_checked, parse};

use crate::args::{Globals, PolynomialArgs};
use crate::device::{choose, with_backend};
use crate::output;

/// An expression and its polynomials: one, or numerator and denominator.
struct Read {
    text: String,
    expression: Expression,
    polynomials: Vec<Polynomial>,
}

pub(crate) fn run(globals: &Globals, args: &PolynomialArgs, timing: &mut Timing) -> anyhow::Result<()> {
    if let Some(file) = &args.svg {
        check_output(file, &[], globals.force)?;
    }
    let given = (!args.variables.is_empty()).then_some(args.variables.as_slice());
    let mut read = Vec::new();
    for text in &args.expression {
        let expression = parse(text, args.syntax.map(Into::into), given)?;
        let polynomials = match expression.polynomial()? {
            Some(polynomial) => vec![polynomial],
            None => vec![expression.function.numerator.clone(), expression.function.denominator.clone()],
        };
        let dimension = expression.variables.len();
        if let Some(point) = args.at.iter().find(|point| point.0.len() != dimension) {
            let problem =
                format!("{} coordinates for the variables {}", point.0.len(), expression.variables.join(", "));
            return Err(Error::Argument { argument: "at", problem }.into());
        }
        if args.svg.is_some() && (dimension != 2 || polynomials.len() != 1) {
            let what = if polynomials.len() == 1 { "polynomial" } else { "rational function" };
            let problem = format!(
                "`{text}` is a {what} in {dimension} variables; a picture needs a polynomial in two (--variables adds one, \
                 and numerator and denominator can be drawn one by one)"
            );
            return Err(Error::Argument { argument: "svg", problem }.into());
        }
        read.push(Read { text: text.clone(), expression, polynomials });
    }
    let backend = if args.at.is_empty() { None } else { Some(timing.phase("start device", || choose(globals))?) };
    let mut reports = Vec::new();
    let mut subdivisions = Vec::new();
    for one in &read {
        let names = &one.expression.variables;
        let geometry = |polynomial: &Polynomial| PolynomialGeometry::of(polynomial, names);
        let mut parts: Vec<(PolynomialGeometry, DualSubdivision)> =
            timing.phase("subdivide", || one.polynomials.iter().map(geometry).collect::<tropix::Result<_>>())?;
        let values = match &backend {
            Some(backend) => {
                with_backend!(backend, backend => timing.phase("evaluate", || values(backend, one, args)))?
            }
            None => Vec::new(),
        };
        let denominator = if parts.len() == 2 { parts.pop().map(|part| part.0) } else { None };
        let Some((numerator, subdivision)) = parts.pop() else { continue };
        subdivisions.push(subdivision);
        reports.push(ExpressionReport {
            expression: one.text.clone(),
            syntax: one.expression.syntax,
            variables: names.clone(),
            numerator,
            denominator,
            values,
        });
    }
    let host = Reference::new();
    let device = backend.as_ref().map_or(host.device(), |backend| backend.device());
    let report = PolynomialReport { heading: Heading::new("polynomial", globals.seed, device), expressions: reports };
    let mut text = report.expressions.iter().map(polynomial_text).collect::<Vec<_>>().join("\n\n");
    if let Some(file) = &args.svg {
        let drawn: Vec<Drawn<'_>> = read
            .iter()
            .zip(&subdivisions)
            .map(|(one, subdivision)| Drawn {
                polynomial: &one.polynomials[0],
                subdivision,
                names: &one.expression.variables,
                title: one.text.clone(),
            })
            .collect();
        write_text(file, &polynomial_svg(&drawn))?;
        text.push_str(&format!("\nwrote {}", file.display()));
    }
    output::result(globals, &report, &text)
}

/// Values at the points of `--at`: exact on the host, and in f32 on a device, whose values are checked.
fn values<B: Backend>(backend: &B, one: &Read, args: &PolynomialArgs) -> tropix::Result<Vec<PointValue>> {
    let exact: Vec<Vec<Value>> = one
        .polynomials
        .iter()
        .map(|polynomial| args.at.iter().map(|point| polynomial.value(&point.0)).collect())
        .collect();
    let shape = (args.at.len(), one.expression.variables.len());
    let points = Array2::from_shape_fn(shape, |(i, j)| args.at[i].0[j]);
    let mut rounded = Vec::new();
    if backend.device().kind != DeviceKind::Reference {
        for (polynomial, exact) in one.polynomials.iter().zip(&exact) {
            rounded.extend(evaluate_checked(backend, polynomial, &points, exact)?);
        }
    }
    let mut found = Vec::new();
    for (i, point) in args.at.iter().enumerate() {
        let (top, bottom) = (&exact[0][i], exact.get(1).map(|values| &values[i]));
        let value = bottom.map_or(top.value, |bottom| top.minus(bottom));
        if !value.is_finite() {
            let place: Vec<String> = point.0.iter().map(|x| shortest(*x)).collect();
            let what = format!("the value of `{}` at ({})", one.text, place.join(", "));
            return Err(Error::OutOfRange { what });
        }
        let device = match rounded.as_slice() {
            [top] if bottom.is_none() => Some(top[i]),
            [top, bottom] => Some(top[i] - bottom[i]),
            _ => None,
        };
        found.push(PointValue {
            point: point.0.clone(),
            value,
            device_value: device,
            monomial: top.monomials[0],
            monomials: top.monomials.clone(),
            denominator_monomial: bottom.map(|bottom| bottom.monomials[0]),
        });
    }
    Ok(found)
}
