//! The report of `methods`.

use serde::Serialize;

use super::Heading;
use super::grid::Grid;
use crate::prune::Profile;

/// All methods.
#[derive(Debug, Clone, Serialize)]
pub struct MethodsReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// One entry for each.
    pub methods: Vec<Profile>,
}

/// Two tables, of what makes zeros and of what makes files smaller, with a line for each method.
#[must_use]
pub fn methods_text(report: &MethodsReport) -> String {
    let part = |structured: bool| {
        let columns = ["method", "layers", "samples", "proof", "what it does; when to take it"];
        let mut table = Grid::new(columns).of_prose();
        for one in report.methods.iter().filter(|one| one.structured == structured) {
            let proof = if one.certificate { "yes" } else { "no" };
            table.add_row([
                one.name,
                one.scope.name(),
                one.samples.name(),
                proof,
                &format!("{}; {}", one.does, one.when),
            ]);
        }
        table.to_string()
    };
    format!(
        "Neurons and channels go (`--keep`): smaller files, faster everywhere\n{}\n\n\
         Weights go (`--rate`): zeros, in a file that stays as large\n{}\n\n\
         layers   linear: linear layers at the output; conv: convolutions, too; graph: units of ONNX files, whatever lies between\n\
         samples  optional: none by default, `--calib DATA` (and `--refit data`) fits to yours\n\
         proof    with `--data` or `--radius` a bound of how far outputs move, on layers that follow one another",
        part(true),
        part(false)
    )
}
