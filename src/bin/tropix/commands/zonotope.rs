//! `tropix zonotope`.

use ndarray::{Array1, ArrayView1};
use tropix::Error;
use tropix::geometry::compare::Bodies;
use tropix::geometry::{SampleOptions, VertexRequest, Zonotope, principal_plane, zonotope_polygon};
use tropix::network::format::{check_output, write_text};
use tropix::number::shortest;
use tropix::prune::Timing;
use tropix::report::svg::zonotope_svg;
use tropix::report::{MembershipReport, Memory, SupportReport, zonotope_report, zonotope_table};

use crate::args::{Globals, ZonotopeArgs};
use crate::body::{self, Rows};
use crate::device::{choose, with_backend};
use crate::output;

pub(crate) fn run(globals: &Globals, args: &ZonotopeArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let class = Some(args.class);
    let read = || body::read(globals, &args.source, &args.body, class, Rows::Generators);
    let (found, files) = timing.phase("load", read)?;
    let zonotope = match found {
        Bodies::Zonotopes(zonotopes) => zonotopes.into_iter().next(),
        Bodies::Points(_) => None,
    };
    let Some(zonotope) = zonotope else {
        let problem = "holds points, not generators".to_owned();
        return Err(Error::Argument { argument: "SOURCE", problem }.into());
    };
    if let Some(file) = &args.svg {
        check_output(file, &files, globals.force)?;
        if zonotope.dimension() < 2 {
            let problem = "a picture needs at least two dimensions".to_owned();
            return Err(Error::Argument { argument: "svg", problem }.into());
        }
    }
    for (argument, vectors) in [("support", &args.support), ("contains", &args.contains)] {
        if let Some(vector) = vectors.iter().find(|vector| vector.0.len() != zonotope.dimension()) {
            let problem =
                format!("{} entries; the zonotope lies in dimension {}", vector.0.len(), zonotope.dimension());
            return Err(Error::Argument { argument, problem }.into());
        }
    }
    let memory = args.max_memory.saturating_mul(1_000_000);
    let request = match args.sample {
        _ if args.no_vertices => VertexRequest::None,
        None => VertexRequest::Exact(memory),
        Some(directions) => {
            VertexRequest::Sampled(SampleOptions { seed: globals.seed, directions, memory, ..SampleOptions::default() })
        }
    };
    let backend = timing.phase("start device", || choose(globals))?;
    let mut report = with_backend!(&backend, backend => {
        zonotope_report(backend, &zonotope, args.source.clone(), globals.seed, request, timing)
    })?;
    report.supports = args.support.iter().map(|vector| support(&zonotope, &vector.0)).collect::<tropix::Result<_>>()?;
    for vector in &args.contains {
        let member = zonotope.membership(ArrayView1::from(&vector.0))?;
        let what = || format!("the distance from ({})", point_text(&vector.0));
        finite(&what, &[member.distance])?;
        report.memberships.push(MembershipReport {
            point: vector.0.clone(),
            inside: member.inside,
            distance: if member.inside { 0.0 } else { member.distance },
        });
    }
    if let Some(file) = &args.svg {
        write_text(file, &picture(args, &zonotope)?)?;
        output::note(globals, &format!("wrote {}", file.display()));
    }
    (report.memory, report.timing) = (Memory::now(), timing.clone());
    let costs = output::costs(&report.timing, report.memory.peak_bytes);
    output::result(globals, &report, &format!("{}\n{costs}", zonotope_table(&report)))
}

fn support(zonotope: &Zonotope, direction: &[f64]) -> tropix::Result<SupportReport> {
    let u = ArrayView1::from(direction);
    let (value, vertex) = (zonotope.support(u), zonotope.support_vertex(u).to_vec());
    let what = || format!("the support function at ({})", point_text(direction));
    finite(&what, &[value])?;
    finite(&what, &vertex)?;
    Ok(SupportReport { direction: direction.to_vec(), value, vertex })
}

fn point_text(point: &[f64]) -> String {
    point.iter().map(|entry| shortest(*entry)).collect::<Vec<_>>().join(", ")
}

/// A measure is a number or an error, never infinity.
fn finite(what: &dyn Fn() -> String, values: &[f64]) -> tropix::Result<()> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(Error::OutOfRange { what: what() }),
    }
}

fn picture(args: &ZonotopeArgs, zonotope: &Zonotope) -> tropix::Result<String> {
    let (shadow, axes) = if zonotope.dimension() == 2 {
        (zonotope.clone(), ["x1", "x2"])
    } else {
        let plane = principal_plane(zonotope.generators().view());
        (zonotope.linear_map(plane.view())?, ["first principal axis", "second principal axis"])
    };
    let polygon = zonotope_polygon(&shadow)?;
    let point = |row: &Array1<f64>| [row[0], row[1]];
    let generators: Vec<[f64; 2]> = shadow.generators().rows().into_iter().map(|row| [row[0], row[1]]).collect();
    let name = if args.source.starts_with(['[', '{']) { "zonotope" } else { &args.source };
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    // The end of a long name tells more than its beginning.
    let title: String = name.chars().skip(name.chars().count().saturating_sub(50)).collect();
    let from = Some(zonotope.dimension()).filter(|dimension| *dimension > 2);
    Ok(zonotope_svg(&title, &polygon, point(&shadow.centre()), &generators, axes, from))
}
