//! Targets at their limits: they are met as far as they can be, and the run says how far that is.

use tropix::prune::Target;
use tropix::prune::structured::{Keep, UnitLayer};

use crate::args::{Globals, PruneArgs};
use crate::output;

/// What there is to say where weights go.
pub(super) fn of_weights(target: Target) -> Vec<String> {
    let all = matches!(target, Target::Rate(rate) if rate >= 1.0);
    all.then(|| "`--rate 1` removes every weight: the outputs do not depend on the input any more".to_owned())
        .into_iter()
        .collect()
}

/// What there is to say where neurons go; a line each on standard error.
pub(super) fn of_units(globals: &Globals, args: &PruneArgs, layers: &[UnitLayer]) -> Vec<String> {
    let mut found = Vec::new();
    let least = |of: &dyn Fn(&UnitLayer) -> bool| {
        let kept = layers.iter().filter(|layer| of(layer));
        kept.map(|layer| format!("`{}` keeps {}", layer.name, layer.after)).collect::<Vec<_>>().join(", ")
    };
    if args.keep.is_some_and(|keep| keep <= 0.0) {
        let own = |layer: &UnitLayer| !args.layer.iter().any(|wanted| wanted.layer == layer.name);
        found.push(format!("`--keep 0` leaves what `--min-keep` holds: {}", least(&own)));
    }
    for wanted in &args.layer {
        if matches!(wanted.keep, Keep::Units(0)) || matches!(wanted.keep, Keep::Share(share) if share <= 0.0) {
            let kept = least(&|layer: &UnitLayer| layer.name == wanted.layer);
            found.push(format!("`--layer {}=0` leaves what `--min-keep` holds: {kept}", wanted.layer));
        }
    }
    let step = args.round_to as usize;
    for layer in layers.iter().filter(|layer| step > layer.before) {
        let UnitLayer { name, before, after, .. } = layer;
        found.push(format!("`--round-to {step}` is beyond the {before} neurons of `{name}`, which keeps {after}"));
    }
    for warning in &found {
        output::note(globals, &format!("warning: {warning}"));
    }
    found
}
