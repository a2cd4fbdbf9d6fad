//! `tropix hausdorff`.

use tropix::Error;
use tropix::backend::Reference;
use tropix::geometry::Interval;
use tropix::geometry::compare::{Bodies, CompareOptions, Compared, HausdorffDetail, compare_bodies, hull_polygon};
use tropix::geometry::hausdorff::IntervalOptions;
use tropix::network::format::{check_output, write_text};
use tropix::prune::Timing;
use tropix::report::svg::{PlaneSide, hausdorff_svg};
use tropix::report::{HausdorffReport, hausdorff_report, hausdorff_table};

use crate::args::{Globals, HausdorffArgs};
use crate::body::{self, Rows};
use crate::device::{choose, with_backend};
use crate::output;

pub(crate) fn run(globals: &Globals, args: &HausdorffArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let mut read =
        |source: &str| timing.phase("load", || body::read(globals, source, &args.body, args.class, Rows::Points));
    let ((a, mut files), (b, other)) = (read(&args.a)?, read(&args.b)?);
    files.extend(other);
    if let Some(file) = &args.svg {
        check_output(file, &files, globals.force)?;
        if !plane(&a) || !plane(&b) {
            let problem = "a picture needs two sides in the plane".to_owned();
            return Err(Error::Argument { argument: "svg", problem }.into());
        }
    }
    let interval = IntervalOptions {
        seed: globals.seed,
        directions: usize::try_from(args.directions).unwrap_or(usize::MAX),
        ..IntervalOptions::default()
    };
    let options = CompareOptions { directed: args.directed, rotations: args.rotations, interval };
    let backend = timing.phase("start device", || choose(globals))?;
    let sources = [args.a.clone(), args.b.clone()];
    let report = with_backend!(&backend, backend => {
        hausdorff_report(backend, sources, [&a, &b], options, timing)
    })?;
    if globals.verify {
        timing.phase("verify", || verify(&report.compared, [&a, &b], options))?;
    }
    if let Some(file) = &args.svg {
        write_text(file, &picture(&report, &a, &b)?)?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    let costs = output::costs(&report.timing, report.memory.peak_bytes);
    output::result(globals, &report, &format!("{}\n{costs}", hausdorff_table(&report)))
}

/// Compares with the distance that the reference finds: exact ones are equal, intervals of bounds meet.
fn verify(found: &Compared, sides: [&Bodies; 2], options: CompareOptions) -> tropix::Result<()> {
    let wanted = compare_bodies(&Reference::new(), sides, options)?.interval;
    let Interval { lower, upper } = found.interval;
    let same = match found.detail {
        HausdorffDetail::Bounds(_) => lower <= wanted.upper && wanted.lower <= upper,
        _ => [lower, upper] == [wanted.lower, wanted.upper],
    };
    if same {
        return Ok(());
    }
    let problem = format!(
        "distance between {lower:?} and {upper:?}; the reference finds {:?} and {:?}",
        wanted.lower, wanted.upper
    );
    Err(Error::CheckFailed { problem })
}

fn plane(bodies: &Bodies) -> bool {
    match bodies {
        Bodies::Points(points) => points.ncols() == 2,
        Bodies::Zonotopes(zonotopes) => zonotopes.iter().all(|zonotope| zonotope.dimension() == 2),
    }
}

fn side(bodies: &Bodies) -> tropix::Result<PlaneSide> {
    Ok(match bodies {
        Bodies::Points(points) => {
            let point = |row: ndarray::ArrayView1<'_, f64>| [row[0], row[1]];
            PlaneSide::Points(points.rows().into_iter().map(point).collect())
        }
        Bodies::Zonotopes(zonotopes) => PlaneSide::Polygon(hull_polygon(zonotopes)?),
    })
}

fn picture(report: &HausdorffReport, a: &Bodies, b: &Bodies) -> tropix::Result<String> {
    let (a, b) = (side(a)?, side(b)?);
    let pair = match (&report.compared.detail, &a, &b) {
        (HausdorffDetail::Points { forward, backward, .. }, PlaneSide::Points(x), PlaneSide::Points(y)) => {
            match backward.filter(|backward| backward.pair.distance > forward.pair.distance) {
                Some(backward) => [y[backward.pair.from], x[backward.pair.to]],
                None => [x[forward.pair.from], y[forward.pair.to]],
            }
        }
        (HausdorffDetail::Polygons { found, .. }, ..) => [found.from, found.to],
        _ => return Err(Error::Internal { what: "a distance in the plane without a pair".to_owned() }),
    };
    let short = |source: &str| {
        if source.starts_with(['[', '{']) {
            "inline".to_owned()
        } else {
            source.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
        }
    };
    let names = [short(&report.sources[0]), short(&report.sources[1])];
    let title = "Hausdorff distance in the plane";
    Ok(hausdorff_svg(title, [&names[0], &names[1]], [&a, &b], pair, report.compared.interval.upper))
}
