//! Ordinary notation: `sum = term { ("+" | "-") term }`, `term = unary { ["*"] unary | "/" unary }`, `unary = ["-"]
//! atom`, `atom = number | name | "(" sum ")" | ("max" | "min") "(" sum { "," sum } ")"`. One factor of a product is
//! constant.

use super::{Kind, Reader};
use crate::error::Result;
use crate::tropical::Rational;

/// The number that a function is, if it is constant.
fn number(function: &Rational) -> Option<f64> {
    let constant = |f: &crate::tropical::Polynomial| {
        (f.monomials() == 1 && f.exponents().iter().all(|a| *a == 0.0)).then(|| f.coefficients()[0])
    };
    Some(constant(&function.numerator)? - constant(&function.denominator)?)
}

impl Reader<'_> {
    pub(super) fn explicit_sum(&mut self) -> Result<Rational> {
        let mut sum = self.term()?;
        loop {
            let column = self.column();
            let minus = *self.peek() == Kind::Symbol('-');
            if !self.take('+') && !self.take('-') {
                return Ok(sum);
            }
            let term = self.term()?;
            let term = if minus { term.inverse() } else { term };
            sum = self.placed(column, sum.multiply(&term).and_then(Rational::reduced))?;
        }
    }

    fn term(&mut self) -> Result<Rational> {
        let mut term = self.unary()?;
        loop {
            let column = self.column();
            let quotient = self.take('/');
            let written = quotient || self.take('*');
            if !written && !matches!(self.peek(), Kind::Number(_) | Kind::Name(_) | Kind::Call(_) | Kind::Symbol('(')) {
                return Ok(term);
            }
            let factor = self.unary()?;
            let scaled = match (number(&term), number(&factor), quotient) {
                (_, Some(divisor), true) if divisor != 0.0 => term.power(1.0 / divisor),
                (_, Some(0.0), true) => return self.fail(column, "division by 0"),
                (_, None, true) => return self.fail(column, "only a number can divide"),
                (_, Some(k), false) => term.power(k),
                (Some(k), None, false) => factor.power(k),
                _ => return self.fail(column, "a product of two functions is not piecewise linear"),
            };
            term = self.placed(column, scaled)?;
        }
    }

    fn unary(&mut self) -> Result<Rational> {
        let mut negative = false;
        while self.take('-') {
            negative = !negative;
        }
        let atom = self.explicit_atom()?;
        Ok(if negative { atom.inverse() } else { atom })
    }

    fn explicit_atom(&mut self) -> Result<Rational> {
        let column = self.column();
        match self.peek().clone() {
            Kind::Number(value) => {
                self.advance();
                self.constant(column, value)
            }
            Kind::Name(name) => {
                self.advance();
                self.variable(column, &name)
            }
            Kind::Symbol('(') => {
                self.advance();
                self.enclosed(Self::explicit_sum)
            }
            Kind::Call(name) => {
                self.advance();
                self.expect('(')?;
                self.enclosed(|reader| reader.call(name == "min"))
            }
            _ => Err(self.unexpected("a term")),
        }
    }

    /// The arguments of `max`, or of `min`, which is minus the maximum of the negatives.
    fn call(&mut self, least: bool) -> Result<Rational> {
        let turned = |function: Rational| if least { function.inverse() } else { function };
        let mut largest = turned(self.explicit_sum()?);
        loop {
            let column = self.column();
            if !self.take(',') {
                return Ok(turned(largest));
            }
            let next = turned(self.explicit_sum()?);
            largest = self.placed(column, largest.add(&next))?;
        }
    }
}
