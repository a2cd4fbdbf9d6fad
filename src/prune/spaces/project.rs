//! Linear spaces: sums of units stay in place of units.
//!
//! Where nothing but sums lies between the operators that write the units `h` and those that read them, any basis does. Of all
//! `K` combinations `E h` the ones are kept that lose the least of what readers make of them,
//! `min_(E, M) sum_r E |C_r h - M_r E h|^2`: with the covariance `S` of `h` and `Q = sum_r C_r^T C_r` the rows of
//! `E = U^T S^(-1/2)`, where `U` are the leading eigenvectors of `S^(1/2) Q S^(1/2)` (reduced-rank regression; Izenman, 1975).
//! Writers are multiplied by `E`, readers fitted to what is left. Behind a layer norm the directions are orthonormal and
//! orthogonal to that of the mean, so that the norm finds the lengths it knows (Ashkboos et al., *`SliceGPT`*, 2024): one of the
//! `K` is spent on the mean.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

use super::reader::ReaderOf;
use super::refit::{Refitter, narrow};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::spaces::{Linear, OperatorGraph, Place, Role, Space, UnitPart};
use crate::prune::synth::ReadMoments as Moments;

/// Units of a space whose eigenvectors are looked for at most.
pub(super) const MOST: usize = 1_024;

/// The least eigenvalue of a covariance that is looked at, in units of the largest.
pub(super) const NOISE: f64 = 1e-7;

/// Factors and shifts of the units in a layer norm, if there is one.
type Norm = Option<[Vec<f64>; 2]>;

impl<B: Backend> Refitter<'_, B> {
    /// Exchanges the units of a linear space for `keeps` sums of them in each cell; nothing where the space is not linear, not all
    /// that reads it can be fitted, or the networks have other places.
    pub(super) fn project(
        &mut self,
        space: &Space,
        keeps: &[usize],
        readers: &[ReaderOf<'_>],
    ) -> Result<Option<Vec<usize>>> {
        if readers.is_empty()
            || readers.len() < space.of_role(Role::Reader).count()
            || space.cells.iter().any(|cell| cell.len() > MOST)
        {
            return Ok(None);
        }
        let Some(linear) = Linear::of(self.base, self.analysis, space) else { return Ok(None) };
        let found = self.moments(readers, None)?;
        let Some(found) = found.into_iter().collect::<Option<Vec<[Moments; 2]>>>() else { return Ok(None) };
        let norms = self.norms(space, &linear, readers)?;
        let mut kept: Vec<usize> =
            space.cells.iter().zip(keeps).flat_map(|(cell, keep)| cell[..*keep].to_vec()).collect();
        kept.sort_unstable();
        let mut basis = Array2::zeros((kept.len(), space.units.len()));
        for (cell, keep) in space.cells.iter().zip(keeps) {
            let rows = directions(&self.pooled(cell, readers, &norms, &found), *keep, linear.is_normed());
            for (row, unit) in rows.rows().into_iter().zip(cell) {
                let at = kept.binary_search(unit).unwrap_or(0);
                row.iter().zip(cell).for_each(|(value, from)| basis[[at, *from]] = *value);
            }
        }
        self.exchange(space, &linear, (&kept, &basis), (readers, &norms))?;
        Ok(Some(kept))
    }

    /// Writes the units in a basis: row `j` is what the unit `kept[j]` becomes. With as many rows as units nothing is lost.
    fn exchange(
        &mut self,
        space: &Space,
        linear: &Linear,
        (kept, basis): (&[usize], &Array2<f64>),
        (readers, norms): (&[ReaderOf<'_>], &[Norm]),
    ) -> Result<()> {
        self.turn(space, linear, kept, basis)?;
        for (reader, norm) in readers.iter().zip(norms) {
            self.turn_reader(reader, norm.as_ref(), (kept, basis), space.units.len())?;
        }
        Ok(())
    }

    fn norms(&self, space: &Space, linear: &Linear, readers: &[ReaderOf<'_>]) -> Result<Vec<Norm>> {
        readers.iter().map(|reader| self.norm(space, linear, reader)).collect()
    }

    /// Factor and shift of each unit in the layer norm before a reader.
    fn norm(&self, space: &Space, linear: &Linear, reader: &ReaderOf<'_>) -> Result<Norm> {
        let value = self.base.operators[reader.operator].input(0);
        let Some(norm) = value.and_then(|value| linear.normed.get(&value)) else { return Ok(None) };
        let vector = |input: usize, default: f64| {
            let mut values = vec![default; space.units.len()];
            for (at, part) in
                space.parts.iter().enumerate().filter(|(_, part)| (part.operator, part.input) == (*norm, input))
            {
                let tensor = self.base.weights(part.constant);
                let tensor = tensor.ok_or_else(|| Error::Internal { what: "a norm without factors".to_owned() })?;
                let all = tensor.to_vec();
                for (value, unit) in values.iter_mut().zip(&space.units) {
                    *value = f64::from(all[unit.places[at][0]]);
                }
            }
            Ok::<_, Error>(values)
        };
        Ok(Some([vector(1, 1.0)?, vector(2, 0.0)?]))
    }

    /// Covariance of the units of a cell, and what readers weigh them by, over all readers: each counts by the variance of what
    /// it aims at.
    fn pooled(
        &self,
        cell: &[usize],
        readers: &[ReaderOf<'_>],
        norms: &[Norm],
        found: &[[Moments; 2]],
    ) -> [DMatrix<f64>; 2] {
        let n = cell.len();
        let [mut covariance, mut weights] = [DMatrix::<f64>::zeros(n, n), DMatrix::<f64>::zeros(n, n)];
        let all: Vec<usize> = (0..readers.first().map_or(0, |reader| reader.places.len())).collect();
        for ((reader, norm), [seen, _]) in readers.iter().zip(norms).zip(found) {
            let q = reader.block();
            let columns = self.columns_of(&self.aims, reader, &all);
            let factor = |unit: usize| norm.as_ref().map_or(1.0, |[factors, _]| factors[unit]);
            let inverse = |unit: usize| if factor(unit).abs() < 1e-6 { 0.0 } else { 1.0 / factor(unit) };
            let share = 1.0 / seen.variance().max(f64::MIN_POSITIVE);
            let mut own = DMatrix::<f64>::zeros(n, n);
            for entry in 0..q {
                for (i, a) in cell.iter().enumerate() {
                    for (j, b) in cell.iter().enumerate() {
                        own[(i, j)] += seen.gram[[a * q + entry, b * q + entry]] * inverse(*a) * inverse(*b);
                        let product = columns.column(a * q + entry).dot(&columns.column(b * q + entry));
                        weights[(i, j)] += share * product * factor(*a) * factor(*b);
                    }
                }
            }
            let size = own.trace();
            if size > 0.0 {
                covariance += own / size;
            }
        }
        [covariance, weights]
    }

    /// Multiplies whatever gives the units by the basis, and takes factors and shifts out of layer norms.
    fn turn(&mut self, space: &Space, linear: &Linear, kept: &[usize], basis: &Array2<f64>) -> Result<()> {
        for (at, (part, place)) in space.parts.iter().zip(&linear.places).enumerate() {
            let own: Vec<usize> =
                space.units.iter().map(|unit| unit.places[at].first().copied().unwrap_or(0)).collect();
            let plain = match place {
                Place::Given => None,
                Place::Factor => Some(1.0),
                Place::Shift => Some(0.0),
                Place::Read => continue,
            };
            self.turn_part(part, &own, (kept, basis), plain)?;
        }
        Ok(())
    }

    /// Sums the slices of a part as the units are summed, or sets them to one number; `own` are the places of the units.
    pub(super) fn turn_part(
        &mut self,
        part: &UnitPart,
        own: &[usize],
        (kept, basis): (&[usize], &Array2<f64>),
        plain: Option<f32>,
    ) -> Result<()> {
        for graph in [&mut self.work, &mut self.aims] {
            let turned = turned(graph, (part.operator, part.input), part.axis, own, (kept, basis), plain)?;
            graph.replace(part.operator, part.input, turned);
        }
        if part.role == Role::Writer {
            // What fits have added to the bias of its outputs.
            for (_, shifts) in self.shifts.iter_mut().filter(|((operator, _), _)| *operator == part.operator) {
                let old = shifts.clone();
                for (row, unit) in basis.rows().into_iter().zip(kept) {
                    shifts[own[*unit]] = row.iter().zip(own).map(|(weight, place)| weight * old[*place]).sum();
                }
            }
        }
        Ok(())
    }

    /// Columns of a reader in the new basis, as they would be if nothing were lost.
    fn turn_reader(
        &mut self,
        reader: &ReaderOf<'_>,
        norm: Option<&[Vec<f64>; 2]>,
        (kept, basis): (&[usize], &Array2<f64>),
        units: usize,
    ) -> Result<()> {
        let all: Vec<usize> = (0..units).collect();
        let (columns, q) = (self.columns(reader, &all), reader.block());
        // A norm over fewer entries finds a larger deviation.
        #[expect(clippy::cast_precision_loss, reason = "numbers of units")]
        let scale = if norm.is_some() { (units as f64 / kept.len() as f64).sqrt() } else { 1.0 };
        let mut next = Array2::zeros((columns.nrows(), kept.len() * q));
        let mut shift = vec![0.0; columns.nrows()];
        for row in 0..columns.nrows() {
            for unit in 0..units {
                let (factor, offset) = norm.map_or((1.0, 0.0), |[factors, shifts]| (factors[unit], shifts[unit]));
                for entry in 0..q {
                    let weight = columns[[row, unit * q + entry]];
                    shift[row] += weight * offset;
                    for new in 0..kept.len() {
                        next[[row, new * q + entry]] += scale * weight * factor * basis[[new, unit]];
                    }
                }
            }
        }
        self.write(reader, kept, &next, &shift)
    }
}

/// A constant whose slices along an axis, at the places of the units that stay, are sums of those of all units, or one number.
fn turned(
    graph: &OperatorGraph,
    (operator, input): (usize, usize),
    axis: usize,
    places: &[usize],
    (kept, basis): (&[usize], &Array2<f64>),
    plain: Option<f32>,
) -> Result<Tensor> {
    let tensor = graph.operators[operator].input(input).and_then(|value| graph.weights(value));
    let tensor = tensor.ok_or_else(|| Error::Internal { what: "a part without weights".to_owned() })?;
    let (old, shape) = (tensor.to_vec(), tensor.dimensions());
    let (length, after) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let mut values = old.clone();
    for block in 0..shape[..axis].iter().product::<usize>() {
        let first = block * length * after;
        for (row, unit) in basis.rows().into_iter().zip(kept) {
            let to = first + places[*unit] * after;
            for inner in 0..after {
                values[to + inner] = plain.unwrap_or_else(|| {
                    let sum = row
                        .iter()
                        .zip(places)
                        .map(|(weight, place)| weight * f64::from(old[first + place * after + inner]));
                    narrow(sum.sum::<f64>())
                });
            }
        }
    }
    Tensor::owned(tensor.name(), tensor.element(), shape.to_vec(), values)
}

/// The directions that lose the least, as orthonormal rows; with `centred` ones in front of a layer norm.
fn directions([covariance, weights]: &[DMatrix<f64>; 2], keep: usize, centred: bool) -> Array2<f64> {
    let n = covariance.nrows();
    let eigen = SymmetricEigen::new(covariance.clone());
    let largest = eigen.eigenvalues.max().max(f64::MIN_POSITIVE);
    let power = |exponent: f64| {
        let of = |value: f64| if value > NOISE * largest { value.powf(exponent) } else { 0.0 };
        &eigen.eigenvectors * DMatrix::from_diagonal(&eigen.eigenvalues.map(of)) * eigen.eigenvectors.transpose()
    };
    let root = power(0.5);
    let explained = SymmetricEigen::new(&root * weights * &root);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| explained.eigenvalues[*b].total_cmp(&explained.eigenvalues[*a]));
    let free = if centred { keep.saturating_sub(1) } else { keep };
    let chosen = DMatrix::from_fn(n, n, |row, column| explained.eigenvectors[(row, order[column])]);
    // Further ones stand by where the first depend on each other.
    let candidates = power(-0.5) * chosen;
    let mut rows: Vec<nalgebra::DVector<f64>> = Vec::new();
    let mean = nalgebra::DVector::from_element(n, 1.0 / (n as f64).sqrt());
    let spare = DMatrix::<f64>::identity(n, n);
    for candidate in candidates.column_iter().chain(spare.column_iter()) {
        if rows.len() == free {
            break;
        }
        let mut row = candidate.into_owned();
        let size = row.norm();
        for _ in 0..2 {
            for other in rows.iter().chain(centred.then_some(&mean)) {
                row.axpy(-other.dot(&row), other, 1.0);
            }
        }
        if row.norm() > 1e-6 * size.max(f64::MIN_POSITIVE) {
            rows.push(row.normalize());
        }
    }
    if !centred {
        return Array2::from_shape_fn((keep, n), |(row, column)| rows[row][column]);
    }
    // Helmert's matrix: directions orthogonal to that of the mean, of `keep` entries.
    let helmert = |entry: usize, direction: usize| {
        let k = (direction + 1) as f64;
        let size = (k * (k + 1.0)).sqrt();
        match entry.cmp(&(direction + 1)) {
            std::cmp::Ordering::Less => 1.0 / size,
            std::cmp::Ordering::Equal => -k / size,
            std::cmp::Ordering::Greater => 0.0,
        }
    };
    Array2::from_shape_fn((keep, n), |(entry, column)| {
        rows.iter().enumerate().map(|(direction, row)| helmert(entry, direction) * row[column]).sum()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::path::Path;

    use rand::RngExt as _;

    use super::*;
    use crate::backend::Cpu;
    use crate::network::format::load;
    use crate::network::spaces::{Analysis, Spaces};
    use crate::prune::spaces::biases::with_biases;
    use crate::prune::spaces::groups::groups;
    use crate::prune::spaces::tests::outputs;
    use crate::rng::stream;

    /// With as many directions as units another basis changes no output.
    #[test]
    fn a_whole_basis_loses_nothing() {
        let (mut linear, mut normed, mut pairs) = (0, 0, 0);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/spaces");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for path in files {
            let model = load(&path, None).unwrap();
            let source = model.onnx.as_deref().unwrap();
            let graph = with_biases(source.operators()).unwrap();
            let analysis = Analysis::run(&graph, 1, true, None).unwrap();
            let width: usize = model.network.input.iter().product();
            let random = &mut stream(7, "basis");
            let inputs = Array2::from_shape_simple_fn((4, width), || random.random_range(-1.0_f32..1.0));
            let values = inputs.iter().copied().collect::<Vec<_>>();
            let spaces = Spaces::of(&graph, &analysis).spaces;
            for space in spaces.iter().flat_map(groups).map(|group| group.space) {
                let backend = Cpu::new();
                let Ok(mut refitter) = Refitter::new(&backend, source, (&graph, &analysis), &inputs, (1e-3, 0, false))
                else {
                    continue;
                };
                let readers = refitter.readers(&space);
                let found = Linear::of(&graph, &analysis, &space);
                if let Some(found) = found.filter(|_| readers.len() == space.of_role(Role::Reader).count()) {
                    let n = space.units.len();
                    let mut basis = Array2::zeros((n, n));
                    for cell in &space.cells {
                        let half = DMatrix::from_fn(cell.len(), cell.len() + 3, |_, _| random.random_range(-1.0..1.0));
                        let weights =
                            DMatrix::from_fn(cell.len(), cell.len(), |i, j| if i == j { 1.0 + i as f64 } else { 0.0 });
                        let rows = directions(&[&half * half.transpose(), weights], cell.len(), found.is_normed());
                        for (row, unit) in rows.rows().into_iter().zip(cell) {
                            row.iter().zip(cell).for_each(|(value, from)| basis[[*unit, *from]] = *value);
                        }
                    }
                    let all: Vec<usize> = (0..n).collect();
                    let norms = refitter.norms(&space, &found, &readers).unwrap();
                    refitter.exchange(&space, &found, (&all, &basis), (&readers, &norms)).unwrap();
                    linear += 1;
                    normed += usize::from(found.is_normed());
                } else {
                    let keeps: Vec<usize> = space.cells.iter().map(Vec::len).collect();
                    if refitter.pairs(&space, &keeps).unwrap().is_none() {
                        continue;
                    }
                    pairs += 1;
                }
                let [before, after] = [&graph, &refitter.work].map(|graph| outputs(source, graph, &values, 4));
                for (before, after) in before.iter().zip(&after) {
                    let name = format!("{} of {}", space.name, path.display());
                    assert!((before - after).abs() <= 1e-4 * before.abs().max(1.0), "{name}: {before} {after}");
                }
            }
        }
        assert!(
            linear >= 5 && normed >= 1 && pairs >= 2,
            "{linear} linear spaces, {normed} behind a norm, {pairs} of pairs"
        );
    }

    /// `E |C h - M E h|^2` with the best `M`.
    fn lost([covariance, weights]: &[DMatrix<f64>; 2], rows: &Array2<f64>) -> f64 {
        let e = DMatrix::from_fn(rows.nrows(), rows.ncols(), |i, j| rows[[i, j]]);
        let seen = &e * covariance;
        let inverse = (&seen * e.transpose()).try_inverse().unwrap();
        (weights * (covariance - seen.transpose() * inverse * seen)).trace()
    }

    #[test]
    fn no_units_and_no_other_sums_of_them_do_better() {
        let random = &mut stream(3, "directions");
        let (n, keep) = (6, 3);
        let mut square = |rows: usize| {
            let half = DMatrix::from_fn(n, rows, |_, _| random.random_range(-1.0..1.0));
            &half * half.transpose()
        };
        let moments = [square(n), square(4)];
        let best = lost(&moments, &directions(&moments, keep, false));
        let mut others = Vec::new();
        for units in (0..1_usize << n).filter(|units| units.count_ones() as usize == keep) {
            let chosen: Vec<usize> = (0..n).filter(|unit| units >> unit & 1 == 1).collect();
            others.push(Array2::from_shape_fn((keep, n), |(row, unit)| f64::from(u8::from(chosen[row] == unit))));
        }
        others.extend((0..50).map(|_| Array2::from_shape_simple_fn((keep, n), || random.random_range(-1.0..1.0))));
        assert!(best > 0.0 && others.iter().all(|other| best <= lost(&moments, other) * (1.0 + 1e-9)), "{best}");
        // Behind a norm: orthonormal, and nothing of the mean.
        let rows = directions(&moments, keep, true);
        assert!(
            rows.sum_axis(ndarray::Axis(0)).iter().chain(&rows.sum_axis(ndarray::Axis(1))).all(|sum| sum.abs() < 1e-9)
        );
        // Three entries for two directions.
        let projector = rows.t().dot(&rows);
        assert!((&projector.dot(&projector) - &projector).iter().all(|apart| apart.abs() < 1e-9));
        assert!((projector.diag().sum() - 2.0).abs() < 1e-9);
    }
}
