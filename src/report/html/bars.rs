//! Bars beside numbers, drawn in the colours of the page.

use super::super::escaped;

/// A bar of what was there and, in it, what is left; what has grown is marked. Both are shares of the width.
pub(super) fn bar(before: f64, after: f64, said: &str) -> String {
    let [before, after] = [before, after].map(|share| 100.0 * share.clamp(0.0, 1.0));
    let rect = |class: &str, from: f64, to: f64| {
        if to > from {
            format!(r#"<rect class="{class}" x="{from:.2}" width="{:.2}" height="8"/>"#, to - from)
        } else {
            String::new()
        }
    };
    // A bar that says nothing of its own stands beside its number.
    let role = match said {
        "" => r#"aria-hidden="true""#.to_owned(),
        said => format!(r#"role="img" aria-label="{}""#, escaped(said)),
    };
    format!(
        r#"<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" {role}>{}{}{}</svg>"#,
        rect("whole", 0.0, before),
        rect("left", 0.0, after.min(before)),
        rect("more", before, after),
    )
}

/// Bars of pairs, before and after, the longest as wide as the column.
pub(super) fn bars(pairs: &[[f64; 2]], said: impl Fn([f64; 2]) -> String) -> Vec<String> {
    let longest = pairs.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    pairs.iter().map(|pair| bar(pair[0] / longest, pair[1] / longest, &said(*pair))).collect()
}

/// Bars of single numbers, the longest as wide as the column.
pub(super) fn lengths(values: &[f64]) -> Vec<String> {
    let longest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    values.iter().map(|value| bar(value / longest, value / longest, "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_lies_in_what_was_and_what_grew_beside_it() {
        let rects = |svg: &str| svg.matches("<rect").count();
        let shrunk = bar(1.0, 0.25, "a & b");
        assert!(shrunk.contains(r#"class="left" x="0.00" width="25.00""#) && shrunk.contains("a &amp; b"), "{shrunk}");
        let grown = bar(0.5, 0.75, "");
        assert!(grown.contains(r#"class="more" x="50.00" width="25.00""#), "{grown}");
        assert_eq!([rects(&shrunk), rects(&grown), rects(&bar(0.0, 0.0, ""))], [2, 3, 0]);
        assert!(
            bars(&[[4.0, 1.0], [2.0, 2.0]], |_| String::new())[1].contains(r#"class="left" x="0.00" width="50.00""#)
        );
    }
}
