//! A table before it is written down: rows of cells under a header, as text here and as a page in [`html`](super::html).

use std::fmt;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

/// A rule under the header and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Cells in rows of one length. The first column begins at the left, the others end at the right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether all columns begin at the left.
    prose: bool,
}

impl Grid {
    /// An empty table.
    pub(super) fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new(), prose: false }
    }

    /// The same with all columns at the left.
    pub(super) fn of_prose(self) -> Self {
        Self { prose: true, ..self }
    }

    /// The same with rows.
    pub(super) fn with(self, rows: impl Iterator<Item = Vec<String>>) -> Self {
        Self { rows: self.rows.into_iter().chain(rows).collect(), ..self }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub(super) fn add_row<T: Into<String>>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(STYLE).set_header(&self.header);
        for column in table.column_iter_mut().skip(1).filter(|_| !self.prose) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            table.add_row(row);
        }
        table.fmt(out)
    }
}

/// A plain table.
#[must_use]
pub fn rows_table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    Grid::new(header.iter().copied()).with(rows).to_string()
}
