//! `tropix boundary`.

use tropix::Error;
use tropix::geometry::clip::{Bounds, Point};
use tropix::network::Head;
use tropix::network::boundary::{BoundaryOptions, analyse};
use tropix::network::format::{check_output, write_text};
use tropix::network::slice::{PlanarNetwork, Plane};
use tropix::prune::{Data, Timing};
use tropix::report::html::boundary_page;
use tropix::report::svg::{BoundaryPicture, boundary_svg};
use tropix::report::{BoundaryReport, Files, Heading, Memory, PolytopeReport, ViewReport, boundary_text, class_shares};

use crate::args::{BoundaryArgs, Globals};
use crate::device::{choose, with_backend};
use crate::{effect, input, output, page};

/// Samples that a picture of a network with two inputs shows at most.
const MOST_SAMPLES: usize = 400;

pub(crate) fn run(globals: &Globals, args: &BoundaryArgs, timing: &mut Timing) -> anyhow::Result<()> {
    let model = timing.phase("load", || input::model(globals, &args.model))?;
    let head = Head::of(&model.network)?;
    let data = timing.phase("load", || input::data_for(globals, &args.data, &model.network))?;
    let inputs = input::paths(&model, data.as_ref());
    args.svg.iter().try_for_each(|file| check_output(file, &inputs, globals.force))?;
    page::check(globals, &args.page)?;
    let backend = timing.phase("start device", || choose(globals))?;
    // Images of a network with convolutions are shown where they enter its linear layers.
    let features = with_backend!(&backend, backend => {
        let pass = || data.as_ref().map(|data| input::features(backend, &model, data)).transpose();
        timing.phase("features", pass)?.flatten()
    });
    let samples = data.as_ref().map(|data| input::for_head(data, features.as_ref()));
    let view = timing.phase("slice", || View::of(args, &head, samples))?;
    let mut network = PlanarNetwork::restrict(&head, &view.plane)?;
    select_classes(&mut network, &args.classes)?;
    match network.shallow()? {
        Some(_) => {
            effect::refuse(globals, &["--most-cells"], "on a network of one hidden layer: it is for deeper ones")?
        }
        None => {
            let why = "on a network of several hidden layers: it is for the polytope of one";
            effect::refuse(globals, &["--form", "--samples"], why)?;
        }
    }
    let options = BoundaryOptions {
        form: args.form.into(),
        window: args.window.or(view.window),
        samples: args.samples as usize,
        most_cells: args.most_cells as usize,
        grid: args.grid.map(usize::from),
        seed: globals.seed,
    };
    let found = with_backend!(&backend, backend => timing.phase("boundary", || analyse(backend, &network, &options)))?;
    let mut warnings = input::warnings(&model, data.as_ref());
    if !args.classes.is_empty() {
        warnings.push(format!("classes {0} and {1} are called 0 and 1 here", args.classes[0], args.classes[1]));
    }
    let draw = || {
        boundary_svg(&BoundaryPicture {
            title: format!("{}{}", input::stem(&args.model), view.title()),
            network: &network,
            found: &found,
            axes: view.axes(),
            samples: view.shown.clone(),
            marks: view.marks.clone(),
        })
    };
    let drawn = (args.svg.is_some() || args.page.report.is_some()).then(draw);
    if let (Some(file), Some(drawn)) = (&args.svg, &drawn) {
        write_text(file, drawn)?;
    }
    let report = BoundaryReport {
        heading: Heading::new("boundary", globals.seed, backend.device()),
        model: Files { input: args.model.model.display().to_string(), output: None },
        data: data.as_ref().map(|data| data.applied.clone()),
        view: ViewReport::new(view.kind, view.samples, found.window, &view.plane),
        exactness: found.exactness,
        linear_cells: found.linear_cells,
        shares: class_shares(&found),
        polytope: found.shallow.as_ref().map(PolytopeReport::of),
        boundary: found.boundary,
        warnings,
        memory: Memory::now(),
        timing: timing.clone(),
    };
    let mut text = format!("{}\n{}", boundary_text(&report), output::costs(&report.timing, report.memory.peak_bytes));
    if let Some(svg) = &args.svg {
        text.push_str(&format!("\nwrote {}", svg.display()));
    }
    page::result(globals, &args.page, &report, text, || boundary_page(&report, drawn.as_deref().unwrap_or_default()))
}

/// Keeps two classes of a network.
fn select_classes(network: &mut PlanarNetwork, classes: &[usize]) -> tropix::Result<()> {
    let fail = |problem: String| Err(Error::Argument { argument: "classes", problem });
    let Some((weights, bias)) = network.layers.last_mut() else { return Ok(()) };
    match *classes {
        [] => Ok(()),
        [a, b] if a != b && a.max(b) < bias.len() => {
            *weights = weights.select(ndarray::Axis(0), &[a, b]);
            *bias = bias.select(ndarray::Axis(0), &[a, b]);
            Ok(())
        }
        [_, _] => fail(format!("{classes:?}: expected two different classes below {}", bias.len())),
        _ => fail("expected two classes".to_owned()),
    }
}

/// The plane that is looked at, and what is shown in it.
struct View {
    kind: &'static str,
    samples: Option<[usize; 3]>,
    plane: Plane,
    window: Option<Bounds>,
    shown: Vec<(Point, Option<u32>)>,
    marks: Vec<(Point, String)>,
}

impl View {
    fn of(args: &BoundaryArgs, head: &Head, data: Option<Data<'_>>) -> tropix::Result<Self> {
        let needs = |problem: &str| Error::Argument { argument: "data", problem: problem.to_owned() };
        if !args.points.is_empty() {
            let data = data.ok_or_else(|| needs("a slice through samples needs data"))?;
            return Self::through(&args.points, data);
        }
        let label = |data: Data<'_>, i: usize| data.labels.map(|labels| labels[i]);
        let around = |points: &[(Point, Option<u32>)]| {
            Bounds::around(points.iter().map(|p| p.0), 0.15).map(|bounds| bounds.squared())
        };
        if head.inputs() == 2 {
            let plane = Plane::whole();
            let shown = data.map_or(Ok(Vec::new()), |data| shown(data, &plane, label))?;
            return Ok(Self { kind: "inputs", samples: None, plane, window: around(&shown), shown, marks: Vec::new() });
        }
        let data = data.ok_or_else(|| {
            needs("a network with more than two inputs is shown on a slice, through --points or two principal axes of data")
        })?;
        let plane = Plane::principal(data.inputs)?;
        let shown = shown(data, &plane, label)?;
        // Projections of samples are not in the plane: they give the window, but are not shown.
        let window = around(&shown);
        Ok(Self { kind: "principal axes", samples: None, plane, window, shown: Vec::new(), marks: Vec::new() })
    }

    fn through(points: &[usize], data: Data<'_>) -> tropix::Result<Self> {
        let count = data.inputs.shape()[0];
        let fail = |problem: String| Err(Error::Argument { argument: "points", problem });
        let &[a, b, c] = points else { return fail(format!("{points:?}: expected three numbers of samples")) };
        if let Some(beyond) = points.iter().find(|i| **i >= count) {
            return fail(format!("{beyond}: the data have {count} samples, counted from 0"));
        }
        let rows = [row(data, a)?, row(data, b)?, row(data, c)?];
        let plane = Plane::through([&rows[0], &rows[1], &rows[2]])?;
        let places = rows.each_ref().map(|row| plane.coordinates(row));
        let name = |i: usize| match data.labels {
            Some(labels) => format!("{i} ({})", labels[i]),
            None => i.to_string(),
        };
        let marks = places.into_iter().zip([a, b, c].map(name)).collect();
        let window = Bounds::around(places, 0.3).map(|bounds| bounds.squared());
        Ok(Self { kind: "points", samples: Some([a, b, c]), plane, window, shown: Vec::new(), marks })
    }

    fn title(&self) -> &'static str {
        match self.kind {
            "inputs" => "",
            "points" => ": slice through three samples",
            _ => ": slice along two principal axes",
        }
    }

    fn axes(&self) -> [String; 2] {
        match self.kind {
            "inputs" => ["x", "y"],
            "points" => ["from the first sample to the second", "towards the third"],
            _ => ["first principal axis", "second principal axis"],
        }
        .map(str::to_owned)
    }
}

fn row(data: Data<'_>, sample: usize) -> tropix::Result<Vec<f64>> {
    let mut values = vec![0.0_f32; data.inputs.shape()[1]];
    data.inputs.read_rows(sample, &mut values)?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// The first samples in coordinates of a plane.
fn shown(
    data: Data<'_>,
    plane: &Plane,
    label: impl Fn(Data<'_>, usize) -> Option<u32>,
) -> tropix::Result<Vec<(Point, Option<u32>)>> {
    let count = data.inputs.shape()[0].min(MOST_SAMPLES);
    (0..count).map(|i| Ok((plane.coordinates(&row(data, i)?), label(data, i)))).collect()
}
