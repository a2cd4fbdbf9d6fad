//! Curves as comma-separated values.

use std::fmt::Write as _;

use crate::prune::Curve;

/// One line per point: method, refit, seed, rate, top-1 accuracy (empty without labels), agreement.
#[must_use]
pub fn curves_csv(curves: &[Curve]) -> String {
    let mut text = String::from("method,refit,seed,rate,top1,agreement\n");
    for curve in curves {
        for point in &curve.points {
            let top1 = point.top1.map(|top1| format!("{top1:.6}")).unwrap_or_default();
            let (method, refit, seed) = (curve.method.name(), curve.refit.name(), curve.seed);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{method},{refit},{seed},{:.6},{top1},{:.6}", point.rate, point.agreement);
        }
    }
    text
}
