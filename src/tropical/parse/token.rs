//! Numbers, names and symbols with their columns.

use std::fmt;

use super::Syntax;
use crate::error::{Error, Result};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Name(String),
    /// `max` or `min`, in explicit notation.
    Call(&'static str),
    /// One of `+ - * / ^ ( ) ,`, to which the signs of tropical notation are mapped.
    Symbol(char),
    End,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Call(name) => write!(f, "`{name}`"),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// A token and the column of its first character, from 1 on.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

/// The tokens of a text, the last of which is the end.
pub(super) fn tokens(text: &str, syntax: Syntax) -> Result<Vec<Token>> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = characters.get(at) {
        let column = at + 1;
        let fail = |problem: String| Err(Error::Expression { expression: text.to_owned(), column, problem });
        let kind = match first {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            c if c.is_ascii_digit() || *c == '.' => {
                let end = number_end(&characters, at);
                let digits: String = characters[at..end].iter().collect();
                at = end;
                match digits.parse::<f64>() {
                    Ok(value) if value.is_finite() => Kind::Number(value),
                    Ok(_) => return fail(format!("`{digits}` is beyond the range of f64")),
                    Err(_) => return fail(format!("`{digits}` is not a number")),
                }
            }
            c if c.is_alphabetic() => {
                let length = |passes: fn(&char) -> bool| characters[at..].iter().take_while(|c| passes(c)).count();
                let word: String = characters[at..at + length(|c| c.is_alphabetic())].iter().collect();
                if ["nan", "inf", "infinity"].contains(&word.to_lowercase().as_str()) {
                    return fail(format!("`{word}` is no coefficient: coefficients and exponents are finite numbers"));
                }
                let end = match syntax {
                    Syntax::Explicit => at + length(|c| c.is_alphanumeric() || *c == '_'),
                    Syntax::Tropical => variable_end(&characters, at),
                };
                let name: String = characters[at..end].iter().collect();
                at = end;
                match (syntax, name.as_str()) {
                    (Syntax::Explicit, "max") => Kind::Call("max"),
                    (Syntax::Explicit, "min") => Kind::Call("min"),
                    _ => Kind::Name(name),
                }
            }
            c => {
                at += 1;
                match c {
                    '+' | '⊕' => Kind::Symbol('+'),
                    '*' | '⊙' | '·' => Kind::Symbol('*'),
                    '/' | '⊘' => Kind::Symbol('/'),
                    '-' | '−' => Kind::Symbol('-'),
                    '^' | '(' | ')' | ',' => Kind::Symbol(*c),
                    _ => return fail(format!("`{c}` has no meaning here")),
                }
            }
        };
        tokens.push(Token { kind, column });
    }
    tokens.push(Token { kind: Kind::End, column: characters.len() + 1 });
    Ok(tokens)
}

/// Where a number ends: digits and points, and a decimal exponent where digits follow the `e`.
fn number_end(characters: &[char], mut at: usize) -> usize {
    let digits = |from: usize| from + characters[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    at = digits(at);
    // A second point belongs to the same word, which then is no number.
    while characters.get(at) == Some(&'.') {
        at = digits(at + 1);
    }
    if characters.get(at).is_some_and(|c| matches!(c, 'e' | 'E')) {
        let sign = usize::from(characters.get(at + 1).is_some_and(|c| matches!(c, '+' | '-')));
        let end = digits(at + 1 + sign.min(characters.len() - at - 1));
        if end > at + 1 + sign {
            return end;
        }
    }
    at
}

/// Where a variable of tropical notation ends: one letter and an optional number, which may follow an underscore.
fn variable_end(characters: &[char], at: usize) -> usize {
    let start = at + 1 + usize::from(characters.get(at + 1) == Some(&'_'));
    let digits = characters[start.min(characters.len())..].iter().take_while(|c| c.is_ascii_digit()).count();
    if digits == 0 { at + 1 } else { start + digits }
}
