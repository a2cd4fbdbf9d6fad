//! Expressions in tropical or ordinary notation, with the column of what is wrong.

mod explicit;
mod maxplus;
mod token;

use serde::Serialize;

use super::polynomial::Polynomial;
use super::rational::Rational;
use crate::error::{Error, Result};
use token::{Kind, Token, tokens};

/// How an expression is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// `1x^2 + 2xy + 0`: `+` is the maximum, juxtaposition or `*` the ordinary sum, `/` the difference, `^` the
    /// multiple.
    Tropical,
    /// `max(2*x + 1, x + y + 2, 0)`: ordinary arithmetic with `max` and `min`.
    Explicit,
}

/// What an expression says.
#[derive(Debug, Clone)]
pub struct Expression {
    /// The function.
    pub function: Rational,
    /// Names of the variables, in the order of the coordinates.
    pub variables: Vec<String>,
    /// How it was read.
    pub syntax: Syntax,
}

impl Expression {
    /// The polynomial, where the denominator is a single monomial.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] where a number overflows.
    pub fn polynomial(&self) -> Result<Option<Polynomial>> {
        self.function.as_polynomial()
    }
}

/// Parentheses that may be open at once.
const DEEPEST: usize = 200;

/// Reads an expression.
///
/// Without `syntax`, an expression that calls `max` or `min` is explicit and any other is tropical. In tropical
/// notation a variable is one letter with an optional number (`x`, `x1`, `x_12`), so that `xy` is a product; in
/// explicit notation any word is a name. `variables` gives the coordinates an order and may name some that do not
/// occur; without it they are sorted by letters, then by number.
///
/// # Errors
///
/// [`Error::Expression`] with the column; [`Error::Argument`] if `variables` leaves one out or names one twice.
pub fn parse(text: &str, syntax: Option<Syntax>, variables: Option<&[String]>) -> Result<Expression> {
    let syntax = syntax.unwrap_or_else(|| if calls(text) { Syntax::Explicit } else { Syntax::Tropical });
    let tokens = tokens(text, syntax)?;
    let variables = names(&tokens, variables)?;
    let mut reader = Reader { text, tokens: &tokens, at: 0, depth: 0, variables: &variables };
    let function = match syntax {
        Syntax::Tropical => reader.tropical_sum()?,
        Syntax::Explicit => reader.explicit_sum()?,
    };
    if !matches!(reader.peek(), Kind::End) {
        return Err(reader.unexpected("an operator or the end"));
    }
    Ok(Expression { function, variables, syntax })
}

/// Whether `max(` or `min(` occurs.
fn calls(text: &str) -> bool {
    ["max", "min"].iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].trim_start();
            after.starts_with('(') && !before.is_some_and(char::is_alphabetic)
        })
    })
}

/// The variables in the order of the coordinates.
fn names(tokens: &[Token], given: Option<&[String]>) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for token in tokens {
        if let Kind::Name(name) = &token.kind
            && !found.contains(name)
        {
            found.push(name.clone());
        }
    }
    let Some(given) = given else {
        found.sort_by_cached_key(|name| {
            let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let number: Option<u64> = name[letters.len()..].parse().ok();
            (letters.trim_end_matches('_').to_owned(), number, name.clone())
        });
        return Ok(found);
    };
    let fail = |problem: String| Err(Error::Argument { argument: "variables", problem });
    if let Some(missing) = found.iter().find(|name| !given.contains(name)) {
        return fail(format!("`{missing}` of the expression is not among {}", given.join(", ")));
    }
    if let Some(twice) = given.iter().enumerate().find(|(i, name)| given[..*i].contains(name)) {
        return fail(format!("`{}` is named twice", twice.1));
    }
    Ok(given.to_vec())
}

/// Walks over tokens.
struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    variables: &'a [String],
}

impl Reader<'_> {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn column(&self) -> usize {
        self.tokens[self.at].column
    }

    /// Passes over a token; the last one, the end, stays.
    fn advance(&mut self) -> &Kind {
        let at = self.at;
        self.at = (at + 1).min(self.tokens.len() - 1);
        &self.tokens[at].kind
    }

    fn take(&mut self, symbol: char) -> bool {
        let found = *self.peek() == Kind::Symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: char) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn fail<T>(&self, column: usize, problem: impl Into<String>) -> Result<T> {
        Err(Error::Expression { expression: self.text.to_owned(), column, problem: problem.into() })
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let problem = format!("expected {wanted}, found {}", self.peek());
        Error::Expression { expression: self.text.to_owned(), column: self.column(), problem }
    }

    /// What an operation on functions gave, or the place of the operator that it fails at.
    fn placed<T>(&self, column: usize, result: Result<T>) -> Result<T> {
        result.or_else(|error| self.fail(column, error.to_string()))
    }

    /// Something in parentheses of which the first has been taken.
    fn enclosed<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail(self.column(), format!("more than {DEEPEST} open parentheses"));
        }
        let value = inner(self)?;
        self.expect(')')?;
        self.depth -= 1;
        Ok(value)
    }

    fn constant(&self, column: usize, c: f64) -> Result<Rational> {
        self.placed(column, Polynomial::constant(c, self.variables.len()).and_then(Rational::from_polynomial))
    }

    fn variable(&self, column: usize, name: &str) -> Result<Rational> {
        let place = self.variables.iter().position(|variable| variable == name).unwrap_or(usize::MAX);
        self.placed(column, Polynomial::variable(place, self.variables.len()).and_then(Rational::from_polynomial))
    }
}
