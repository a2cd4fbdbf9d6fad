//! Tables of a page.

use super::super::escaped;
use super::super::grid::Grid;

/// A table with further columns of bars at its right: their headers, and a cell for each row.
pub(super) fn table(grid: &Grid, more: &[(&str, Vec<String>)]) -> String {
    if grid.rows.is_empty() {
        return String::new();
    }
    let side = |column: usize| if column == 0 || !numeric(grid, column) { "" } else { r#" class="number""# };
    let width = grid.header.len();
    let mut html = String::from("<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for (column, name) in grid.header.iter().enumerate() {
        html.push_str(&format!("<th scope=\"col\"{}>{}</th>", side(column), escaped(name)));
    }
    more.iter().for_each(|(name, _)| html.push_str(&format!("<th scope=\"col\">{}</th>", escaped(name))));
    html.push_str("</tr></thead>\n<tbody>\n");
    for (row, cells) in grid.rows.iter().enumerate() {
        html.push_str("<tr>");
        for column in 0..width {
            let text = escaped(cells.get(column).map_or("", String::as_str));
            if column == 0 {
                html.push_str(&format!("<th scope=\"row\">{text}</th>"));
            } else {
                html.push_str(&format!("<td{}>{text}</td>", side(column)));
            }
        }
        for (_, cells) in more {
            html.push_str(&format!("<td class=\"bars\">{}</td>", cells.get(row).map_or("", String::as_str)));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody>\n</table>\n</div>\n"
}

/// Characters of a cell beyond which it is text that may be wrapped.
const LONG: usize = 28;

/// Whether a column holds numbers: most of its cells begin with a digit or a sign, and none is long.
fn numeric(grid: &Grid, column: usize) -> bool {
    let cells = grid.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
    let (mut numbers, mut all) = (0, 0);
    for cell in cells {
        if cell.chars().count() > LONG {
            return false;
        }
        all += 1;
        numbers += usize::from(cell.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
    }
    2 * numbers > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_escaped_and_rows_are_filled() {
        let mut grid = Grid::new(["a&b", "n"]);
        grid.add_row(["<script>"]);
        grid.add_row(["b", "-1.5"]);
        grid.add_row(["c", "no"]);
        grid.add_row(["d", "2"]);
        let html = table(&grid, &[("bar", vec!["<svg/>".to_owned()])]);
        assert!(html.contains("a&amp;b") && html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
        assert!(html.contains("<td class=\"number\"></td><td class=\"bars\"><svg/></td>"), "{html}");
        assert_eq!(table(&Grid::new(["a"]), &[]), "");
        grid.add_row(["e", "2 and a remark that may be wrapped"]);
        assert!(!table(&grid, &[]).contains("number"));
    }
}
