//! Lists of activation patterns against counts, against sampled patterns of every backend, and against each other:
//! math-boundaries section 8, properties 11 and 27.

use tropix::backend::Backend;
use tropix::geometry::{cell_bound, plane_patterns};

use crate::harness::{narrow, on_every_backend, random, random_vector};

on_every_backend!(sampled_patterns_of_lines_are_listed);

#[test]
fn lines_in_general_position_cut_the_plane_into_the_known_number_of_cells() {
    for p in 0..=25 {
        let patterns =
            plane_patterns(random([p, 2], p as u64, "rows").view(), random_vector(p, p as u64, "c").view()).unwrap();
        assert_eq!(patterns.len() as u128, cell_bound(p, 2), "{p} lines");
    }
    let (rows, constants) = (random([300, 2], 1, "rows"), random_vector(300, 1, "c"));
    assert_eq!(plane_patterns(rows.view(), constants.view()).unwrap().len(), 1 + 300 + 300 * 299 / 2);
}

fn sampled_patterns_of_lines_are_listed<B: Backend>(backend: &B) {
    for (p, lattice) in [(1, false), (12, false), (40, false), (70, false), (12, true), (40, true)] {
        // On a lattice many lines are parallel, concurrent or the same.
        let round = |value: f64| if lattice { (2.0 * value).round() } else { value };
        let rows = random([p, 2], 1, "rows").mapv(round);
        let constants = random([1, p], 2, "constants").mapv(round);
        let listed = plane_patterns(rows.view(), constants.row(0)).unwrap();
        let points = random([20_000, 2], 3, "points") * 4.0;
        let values = points.dot(&rows.t()) + constants.row(0);
        let upload = |matrix| backend.upload(&narrow(matrix)).unwrap();
        let found = backend.activation_patterns(&upload(&rows), Some(&upload(&constants)), &upload(&points)).unwrap();
        let found = backend.download_indices(&found).unwrap();
        let mut seen = vec![false; listed.len()];
        for (words, values) in found.chunks_exact(listed.words()).zip(values.rows()) {
            // Within rounding of a line, f32 may see the other side of it; on a line there is no cell.
            if values.iter().zip(rows.rows()).all(|(value, row)| value.abs() > 1e-5 || row[0] == 0.0 && row[1] == 0.0) {
                let at = listed.find(words);
                assert!(at.is_some(), "{p} lines, lattice {lattice}: {words:?} is not listed");
                seen[at.unwrap()] = true;
            }
        }
        let share = seen.iter().filter(|seen| **seen).count() as f64 / seen.len() as f64;
        assert!(share > 0.4, "{p} lines: only {share} of the list was seen");
    }
}
