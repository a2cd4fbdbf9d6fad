//! The workload of pruning curves.

use std::time::Instant;

use ndarray::Array2;

use super::data::array;
use super::workload::{Download, Prepared, Results, Unit, drained, mean};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{DeviceHead, Element, Head, HeadLayer, Samples, Tensor};
use crate::prune::{AlternatingOptions, Method, Ranking, curve};

/// Gets ready for the curve by magnitude of a head: samples are operand 1, weights and biases follow by layer.
pub(super) fn prepare<'a, B: Backend>(backend: &'a B, shape: &[usize], seed: u64) -> Result<Prepared<'a>> {
    let rates: Vec<f64> = (0..50).map(|step| f64::from(step) / 50.0).collect();
    let (Some((samples, widths)), true) = (shape.split_first(), shape.len() >= 3) else {
        let problem = format!("{shape:?}: expected samples and at least two widths");
        return Err(Error::Argument { argument: "shape", problem });
    };
    let inputs = array(seed, 1, [*samples, widths[0]])?;
    let mut layers = Vec::new();
    for (layer, pair) in (0_u64..).zip(widths.windows(2)) {
        let tensor = |part: &str, operand: u64, shape: [usize; 2], dimensions: Vec<usize>| {
            let values = array(seed, operand, shape)?.into_raw_vec_and_offset().0;
            Tensor::owned(&format!("{layer}.{part}"), Element::F32, dimensions, values)
        };
        layers.push(HeadLayer {
            name: layer.to_string(),
            weight: tensor("weight", 2 + 2 * layer, [pair[1], pair[0]], vec![pair[1], pair[0]])?,
            bias: Some(tensor("bias", 3 + 2 * layer, [1, pair[1]], vec![pair[1]])?),
            relu: true,
        });
    }
    if let Some(last) = layers.last_mut() {
        last.relu = false;
    }
    let head = Head { layers, whole: true };
    let start = Instant::now();
    let device = DeviceHead::upload(backend, &head)?;
    let data = Samples::upload(backend, &inputs, None, widths.iter().copied().max().unwrap_or(1))?;
    drained(backend)?;
    let weights = usize::try_from(head.weights()).unwrap_or(usize::MAX);
    let upload = (start.elapsed().as_secs_f64(), 4 * (inputs.len() + weights));
    let work = 2.0 * rates.len() as f64 * *samples as f64 * weights as f64;
    let run = move || -> Result<Download<'a>> {
        let whole = data.classify(backend, &device)?.download(backend)?;
        let mut ranking =
            Ranking::new(backend, &head, &device, Method::ClassBlind, seed, AlternatingOptions::default())?;
        let curve = curve(backend, &mut ranking, &data, &whole, &rates, None)?;
        let agreement: Vec<f64> = curve.points.iter().map(|point| point.agreement).collect();
        Ok(Box::new(move || Ok(Results::of(Array2::from_shape_fn((1, agreement.len()), |(_, i)| agreement[i])))))
    };
    let check = |results: &Results| results.matrices.first().map_or(0.0, mean);
    Ok(Prepared { upload, work, unit: Unit::Flops, run: Box::new(run), check: Box::new(check) })
}
