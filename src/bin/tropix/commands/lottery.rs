//! `tropix lottery`.

use tropix::Error;
use tropix::lottery::{lottery, summaries};
use tropix::network::format::{check_output, save_samples, write_text};
use tropix::prune::Timing;
use tropix::report::svg::lottery_svg;
use tropix::report::{Heading, LotteryReport, Memory, lottery_text};

use super::train::{refuse_points, rows, toy};
use crate::args::{Globals, LotteryArgs};
use crate::device::{choose, with_backend};
use crate::{input, output};

pub(crate) fn run(globals: &Globals, args: &LotteryArgs, timing: &mut Timing) -> anyhow::Result<()> {
    refuse_points(globals, &args.toy)?;
    let read = || match toy(globals, &args.toy)? {
        Some(made) => Ok(made),
        None => {
            let missing = || Error::Internal { what: "no data".to_owned() };
            input::read(globals, &args.data, None)?.map(|data| input::warned(globals, data)).ok_or_else(missing)
        }
    };
    let data = timing.phase("load", read)?;
    let [training, held_out] = data.split(args.holdout, globals.seed)?;
    for file in [args.svg.as_ref(), args.toy.save_points.as_ref()].into_iter().flatten() {
        check_output(file, &training.paths, globals.force)?;
    }
    let options = args.options(globals.seed)?;
    let backend = timing.phase("start device", || choose(globals))?;
    let progress = output::Progress::new(globals);
    let (train, held) = (input::borrowed(&training), input::borrowed(&held_out));
    let found = with_backend!(&backend, backend => lottery(backend, train, held, &options, timing, &progress)?);
    if let Some(file) = &args.toy.save_points {
        let points = rows(&held_out)?;
        let labels = held_out.labels.as_deref();
        save_samples(file, &points.view(), labels, &held_out.sample, &held_out.applied, globals.force)?;
    }
    if let Some(svg) = &args.svg {
        write_text(svg, &lottery_svg(&found, &options))?;
    }
    let report = LotteryReport {
        heading: Heading::new("lottery", globals.seed, backend.device()),
        options,
        data: training.applied.clone(),
        samples: [&training, &held_out].map(|data| data.labels.as_deref().unwrap_or_default().len()),
        summaries: summaries(&found.tickets),
        originals: found.originals,
        tickets: found.tickets,
        warnings: data.warnings.clone(),
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let mut text = format!("{}\n{}", lottery_text(&report), output::costs(&report.timing, report.memory.peak_bytes));
    if let Some(svg) = &args.svg {
        text.push_str(&format!("\nwrote {}", svg.display()));
    }
    output::result(globals, &report, &text)
}
