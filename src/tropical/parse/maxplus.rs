//! Tropical notation: `sum = product { "+" product }`, `product = factor { ["*" | "/"] factor }`,
//! `factor = atom ["^" number]`, `atom = number | name | "(" sum ")"`.

use super::{Kind, Reader};
use crate::error::Result;
use crate::tropical::Rational;

impl Reader<'_> {
    pub(super) fn tropical_sum(&mut self) -> Result<Rational> {
        let mut sum = self.product()?;
        loop {
            let column = self.column();
            if self.take('+') {
                let next = self.product()?;
                sum = self.placed(column, sum.add(&next))?;
            } else if *self.peek() == Kind::Symbol('-') {
                return self.fail(
                    column,
                    "there is no tropical subtraction: a quotient is written `/`, and a negative coefficient stands at \
                     the beginning of its monomial",
                );
            } else {
                return Ok(sum);
            }
        }
    }

    fn product(&mut self) -> Result<Rational> {
        let mut product = self.factor()?;
        loop {
            let column = self.column();
            let quotient = *self.peek() == Kind::Symbol('/');
            let written = self.take('*') || self.take('/');
            if !written && !matches!(self.peek(), Kind::Number(_) | Kind::Name(_) | Kind::Symbol('(')) {
                return Ok(product);
            }
            let factor = self.factor()?;
            let factor = if quotient { factor.inverse() } else { factor };
            product = self.placed(column, product.multiply(&factor).and_then(Rational::reduced))?;
        }
    }

    fn factor(&mut self) -> Result<Rational> {
        let base = self.tropical_atom()?;
        let column = self.column();
        if !self.take('^') {
            return Ok(base);
        }
        let exponent = if self.take('(') { self.enclosed(Self::signed)? } else { self.signed()? };
        self.placed(column, base.power(exponent))
    }

    fn signed(&mut self) -> Result<f64> {
        let sign = if self.take('-') { -1.0 } else { 1.0 };
        match *self.peek() {
            Kind::Number(number) => {
                self.advance();
                Ok(sign * number)
            }
            _ => Err(self.unexpected("a number")),
        }
    }

    fn tropical_atom(&mut self) -> Result<Rational> {
        let column = self.column();
        match self.peek().clone() {
            Kind::Number(_) | Kind::Symbol('-') => {
                let number = self.signed()?;
                self.constant(column, number)
            }
            Kind::Name(name) => {
                self.advance();
                self.variable(column, &name)
            }
            Kind::Symbol('(') => {
                self.advance();
                self.enclosed(Self::tropical_sum)
            }
            _ => Err(self.unexpected("a monomial")),
        }
    }
}
