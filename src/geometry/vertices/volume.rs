//! Sums of `|det|` over subsets of generators.

use ndarray::Array2;

use super::complement::Complement;

/// `sum_S |det G_S|` over all `d`-subsets `S` of the rows of `generators`, `p x d`, `d >= 1`.
pub(in crate::geometry) fn subset_volumes(generators: &Array2<f64>) -> f64 {
    fn below(rows: &[&[f64]], complement: &Complement, volume: f64) -> f64 {
        let needed = complement.dimension();
        let mut sum = 0.0;
        for (at, row) in rows.iter().enumerate() {
            if rows.len() - at < needed {
                break;
            }
            let (height, next) = complement.without(row);
            let volume = volume * height;
            if needed == 1 {
                sum += volume;
            } else if let Some(next) = next {
                sum += below(&rows[at + 1..], &next, volume);
            }
        }
        sum
    }
    let rows: Vec<Vec<f64>> = generators.rows().into_iter().map(|row| row.to_vec()).collect();
    let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    below(&rows, &Complement::whole(generators.ncols()), 1.0)
}
