//! Curves are the same from resident masks as from rewritten networks, and on every backend.

use tropix::backend::{Backend, Cpu, Reference};
use tropix::network::{ApplyOptions, Head, Network};
use tropix::prune::{AlternatingOptions, Curve, Data, Method, PruneOptions, Target, Timing, prune, sweep};

use crate::networks::{inputs, logits, random};

fn labels(network: &Network, x: &ndarray::Array2<f32>) -> Vec<u32> {
    let mut labels: Vec<u32> = logits(network, x)
        .rows()
        .into_iter()
        .map(|row| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap())
        .map(|class| u32::try_from(class).unwrap())
        .collect();
    // Some wrong ones, so that accuracy and agreement differ.
    labels.iter_mut().step_by(5).for_each(|label| *label = (*label + 1) % 4);
    labels
}

const RATES: [f64; 5] = [0.0, 0.3, 0.6, 0.9, 1.0];

fn curves<B: Backend>(backend: &B, net: &Network, data: Data<'_>) -> Vec<Curve> {
    let head = Head::of(net).unwrap();
    let options = AlternatingOptions::default();
    sweep(backend, &head, data, &Method::ALL, &RATES, &[0, 1], options, &[None], &mut Timing::default(), &()).unwrap()
}

#[test]
fn a_point_of_a_curve_is_what_pruning_at_its_rate_gives() {
    let net = random(&[10, 24, 12, 4], true, 11);
    let x = inputs(300, 10, 11);
    let labels = labels(&net, &x);
    let data = Data { inputs: &x, labels: Some(&labels) };
    let cpu = Cpu::new();
    let curves = curves(&cpu, &net, data);
    assert_eq!(curves.len(), Method::ALL.len() + 1, "random once for each seed");
    for curve in &curves {
        for (rate, point) in RATES.iter().zip(&curve.points) {
            let options = PruneOptions {
                method: curve.method,
                seed: curve.seed,
                target: Target::Rate(*rate),
                alternating: AlternatingOptions::default(),
                apply: ApplyOptions::default(),
                verify: false,
            };
            let pruned = prune(&cpu, &net, Some(data), &options, None, &mut Timing::default()).unwrap();
            let accuracy = pruned.accuracy.unwrap();
            assert_eq!(pruned.rate, point.rate);
            // Compaction folds constants in another order of sums: a sample on the boundary may change sides.
            assert!((accuracy.top1.unwrap()[1] - point.top1.unwrap()).abs() <= 1.01 / 300.0, "{curve:?}");
            assert!((accuracy.agreement - point.agreement).abs() <= 1.01 / 300.0);
        }
    }
    let whole = curves[0].points[0].clone();
    assert_eq!(whole.agreement, 1.0);
    assert!((whole.top1.unwrap() - 0.8).abs() < 1e-9);
}

#[test]
fn curves_agree_between_host_and_reference() {
    let net = random(&[8, 16, 4], true, 12);
    let x = inputs(200, 8, 12);
    let labels = labels(&net, &x);
    let data = Data { inputs: &x, labels: Some(&labels) };
    for (a, b) in curves(&Cpu::new(), &net, data).iter().zip(&curves(&Reference::new(), &net, data)) {
        assert!((a.auc.unwrap() - b.auc.unwrap()).abs() < 1e-2);
        for (a, b) in a.points.iter().zip(&b.points) {
            assert!((a.top1.unwrap() - b.top1.unwrap()).abs() <= 2.0 / 200.0);
        }
    }
}
