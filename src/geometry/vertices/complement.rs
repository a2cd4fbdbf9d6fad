//! Orthogonal complements of growing sets of vectors.

/// An orthonormal basis of the complement of some vectors, `k` rows of `d` entries.
#[derive(Debug, Clone)]
pub(super) struct Complement {
    space: usize,
    basis: Vec<f64>,
}

impl Complement {
    /// The whole space.
    pub(super) fn whole(space: usize) -> Self {
        let mut basis = vec![0.0; space * space];
        basis.iter_mut().step_by(space + 1).for_each(|entry| *entry = 1.0);
        Self { space, basis }
    }

    /// Number of vectors in the basis.
    pub(super) fn dimension(&self) -> usize {
        self.basis.len() / self.space.max(1)
    }

    /// A vector of the basis.
    pub(super) fn vector(&self, at: usize) -> &[f64] {
        &self.basis[at * self.space..(at + 1) * self.space]
    }

    /// The coordinates of the part of a vector that lies in the complement.
    pub(super) fn coordinates(&self, vector: &[f64]) -> Vec<f64> {
        self.basis.chunks_exact(self.space.max(1)).map(|row| product(row, vector)).collect()
    }

    /// Length of the part of `vector` that lies in the complement, and the complement with that part taken out: `None`
    /// where the length is zero.
    ///
    /// A Householder reflection turns the part into the first vector of the basis; the others stay orthonormal.
    pub(super) fn without(&self, vector: &[f64]) -> (f64, Option<Self>) {
        let mut axis = self.coordinates(vector);
        let length = product(&axis, &axis).sqrt();
        if length == 0.0 {
            return (0.0, None);
        }
        axis[0] += if axis[0] < 0.0 { -length } else { length };
        let square = product(&axis, &axis);
        // Row r of the reflected basis is row r minus 2 axis_r / |axis|^2 times the combination of all rows.
        let mut mixed = vec![0.0; self.space];
        for (weight, row) in axis.iter().zip(self.basis.chunks_exact(self.space)) {
            mixed.iter_mut().zip(row).for_each(|(sum, entry)| *sum += weight * entry);
        }
        let mut basis = self.basis[self.space..].to_vec();
        for (weight, row) in axis[1..].iter().zip(basis.chunks_exact_mut(self.space)) {
            let factor = 2.0 * weight / square;
            row.iter_mut().zip(&mixed).for_each(|(entry, mixed)| *entry -= factor * mixed);
        }
        (length, Some(Self { space: self.space, basis }))
    }
}

pub(super) fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
