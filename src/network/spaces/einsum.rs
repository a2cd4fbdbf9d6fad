//! The rule of `Einsum` where it is a product of matrices: one summed letter, batch letters, and letters of one operand.

use super::facet::Flow;
use super::walk::{Analysis, Contraction, Or, Ruled, unknown, wrong};

/// The letters of two operands and of the output.
#[derive(Debug, PartialEq, Eq)]
struct Equation {
    a: Vec<char>,
    b: Vec<char>,
    out: Vec<char>,
    /// The letter that is summed over.
    summed: char,
}

impl Equation {
    /// `abc,cd->abd`, or without an arrow the letters that occur once, sorted. Nothing where letters repeat within an operand,
    /// dots stand for axes, or not exactly one letter of both operands is summed over.
    fn of(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (operands, out) = match text.split_once("->") {
            Some((operands, out)) => (operands, Some(out)),
            None => (text.as_str(), None),
        };
        let (a, b) = operands.split_once(',')?;
        let letters = |text: &str| -> Option<Vec<char>> {
            let letters: Vec<char> = text.chars().collect();
            let plain = |(at, letter): (usize, &char)| letter.is_ascii_alphabetic() && !letters[..at].contains(letter);
            letters.iter().enumerate().all(plain).then_some(letters)
        };
        let (a, b) = (letters(a)?, letters(b)?);
        let out = match out {
            Some(out) => letters(out)?,
            None => {
                let mut once: Vec<char> = a.iter().filter(|letter| !b.contains(letter)).copied().collect();
                once.extend(b.iter().filter(|letter| !a.contains(letter)));
                once.sort_unstable();
                once
            }
        };
        let gone = |letter: &&char| !out.contains(letter);
        let &[summed] = a.iter().filter(gone).copied().collect::<Vec<_>>().as_slice() else { return None };
        let of_b: Vec<char> = b.iter().filter(gone).copied().collect();
        let known = out.iter().all(|letter| a.contains(letter) || b.contains(letter));
        (of_b == [summed] && known).then_some(Self { a, b, out, summed })
    }

    /// The last letter of the output that one operand alone has.
    fn own(&self, own: &[char], other: &[char]) -> Option<char> {
        self.out.iter().rfind(|letter| own.contains(letter) && !other.contains(letter)).copied()
    }
}

impl Analysis<'_> {
    /// `sum_k a[.., m, k] b[.., k, n]`: what is left of the letters lies ahead, of length one where an operand lacks it.
    pub(super) fn einsum(&mut self) -> Ruled<Flow> {
        let equation = self.graph.operators[self.at].text("equation").and_then(Equation::of);
        let equation = equation.filter(|_| self.graph.operators[self.at].inputs.len() == 2);
        let Some(equation) = equation else { return unknown("is no product of matrices") };
        let (a, b) = (self.operand(0)?, self.operand(1)?);
        if a.shape.len() != equation.a.len() || b.shape.len() != equation.b.len() {
            return wrong(format!("has operands of shapes {:?} and {:?}", a.shape, b.shape));
        }
        let [m, n] = [equation.own(&equation.a, &equation.b), equation.own(&equation.b, &equation.a)];
        let ahead: Vec<char> =
            equation.out.iter().filter(|letter| Some(**letter) != m && Some(**letter) != n).copied().collect();
        let summed = Some(equation.summed);
        let a = self.arranged(a, &equation.a, ahead.iter().map(|letter| Some(*letter)).chain([m, summed]))?;
        let b = self.arranged(b, &equation.b, ahead.iter().map(|letter| Some(*letter)).chain([summed, n]))?;
        for (weight, own, given) in [(0, &equation.a, m), (1, &equation.b, n)] {
            let place = |wanted: Option<char>| own.iter().position(|letter| Some(*letter) == wanted);
            if let (Some(summed), Some(given), 2) = (place(summed), place(given), own.len())
                && self.constant(weight).is_some()
            {
                self.contractions.push(Contraction { operator: self.at, weight, flow: 1 - weight, summed, given });
            }
        }
        let product = self.matrices(a, b)?;
        // The axes of letters that no operand has alone are of length one.
        let letters: Vec<Option<char>> = ahead.into_iter().map(Some).chain([m, n]).collect();
        let shape: Vec<usize> = letters
            .iter()
            .zip(&product.shape)
            .filter(|(letter, _)| letter.is_some())
            .map(|(_, length)| *length)
            .collect();
        let named: Vec<char> = letters.into_iter().flatten().collect();
        let order: Option<Vec<usize>> =
            equation.out.iter().map(|letter| named.iter().position(|own| own == letter)).collect();
        let order = order.or_unknown("is no product of matrices")?;
        Ok(product.reshaped(&shape, &mut self.classes).transposed(&order))
    }

    /// An operand with its axes in an order of letters, one of length one for each that it lacks.
    fn arranged(&mut self, flow: Flow, own: &[char], letters: impl Iterator<Item = Option<char>>) -> Ruled<Flow> {
        let places: Vec<Option<usize>> =
            letters.map(|letter| letter.and_then(|letter| own.iter().position(|own| *own == letter))).collect();
        let order: Vec<usize> = places.iter().flatten().copied().collect();
        if order.len() != own.len() {
            return unknown("is no product of matrices");
        }
        let shape: Vec<usize> = places.iter().map(|place| place.map_or(1, |place| flow.shape[place])).collect();
        Ok(flow.transposed(&order).reshaped(&shape, &mut self.classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_from_other_sums() {
        let summed = |text: &str| Equation::of(text).map(|equation| equation.summed);
        assert_eq!(summed("bhid,bhjd->bhij"), Some('d'));
        assert_eq!(summed("bnd, de -> bne"), Some('d'));
        assert_eq!(Equation::of("ij,jk").map(|equation| equation.out), Some(vec!['i', 'k']));
        // Dots, a diagonal, no sum, two sums, a sum of one operand, three operands.
        for other in ["...i,ij->...j", "ii,ij->j", "i,j->ij", "ijk,jk->i", "ijk,jl->il", "i,i,i->"] {
            assert_eq!(summed(other), None, "{other}");
        }
    }
}
