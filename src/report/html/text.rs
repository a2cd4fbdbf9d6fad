//! Sentences, and commands as a shell reads them.

use std::path::Path;

use super::super::escaped;
use super::super::table::percent;

/// Prose in which names stand between backticks, as in messages: they are set as code. A line does not end before a per cent sign.
pub(super) fn prose(text: &str) -> String {
    let escaped_prose = |text: &str| escaped(text).replace(" %", "\u{a0}%");
    let mut parts = text.split('`');
    let mut html = escaped_prose(parts.next().unwrap_or_default());
    while let Some(inside) = parts.next() {
        match parts.next() {
            Some(after) => html.push_str(&format!("<code>{}</code>{}", escaped(inside), escaped_prose(after))),
            // One that has no partner is a character like others.
            None => html.push_str(&format!("`{}", escaped_prose(inside))),
        }
    }
    html
}

/// Words of a command line as a shell reads them.
pub(super) fn shell(words: &[String]) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quoted).collect()
}

/// A share in per cent, without zeros at the end.
pub(super) fn share(share: f64) -> String {
    let text = percent(share);
    let digits = text.trim_end_matches(" %");
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A sentence with its first letter as it begins one; a first word that is a name, as of a file, stays.
pub(super) fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    match text.chars().next() {
        Some(first) if word.trim_end_matches([':', ',']).chars().all(|c| c.is_ascii_lowercase() || c == '-') => {
            format!("{}{}", first.to_ascii_uppercase(), text.get(1..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// The name of a file without its folders.
pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A share as a sentence begins with it: common fractions in words.
pub(super) fn portion(share: f64) -> String {
    const WORDS: [(f64, &str); 7] = [
        (0.0, "None"),
        (0.25, "A quarter"),
        (1.0 / 3.0, "A third"),
        (0.5, "Half"),
        (2.0 / 3.0, "Two thirds"),
        (0.75, "Three quarters"),
        (1.0, "All"),
    ];
    // As far off as the last of the digits that are shown otherwise.
    let near = WORDS.iter().find(|(fraction, _)| (share - fraction).abs() < 5e-5);
    near.map_or_else(|| self::share(share), |(_, words)| (*words).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_code_and_their_characters_are_text() {
        assert_eq!(prose("`a<b>` stays & `c`"), "<code>a&lt;b&gt;</code> stays &amp; <code>c</code>");
        assert_eq!(prose("an odd ` one"), "an odd ` one");
        assert_eq!(prose("5 % of `a %`"), "5\u{a0}% of <code>a %</code>");
    }

    #[test]
    fn a_shell_reads_the_words_that_were_given() {
        let words = ["tropix", "a b.onnx", "it's", "", "--layer=x=0.5"].map(str::to_owned);
        assert_eq!(shell(&words), ["tropix", "'a b.onnx'", r"'it'\''s'", "''", "--layer=x=0.5"]);
    }

    #[test]
    fn sentences_begin_with_a_capital_and_names_stay() {
        let texts = ["edges: 4", "a.onnx: holds a graph", "`conv`, read by `fc`", "fine-tuned: all"];
        assert_eq!(texts.map(sentence), ["Edges: 4", texts[1], texts[2], "Fine-tuned: all"]);
        assert_eq!([0.9, 0.1234, 1.0, 0.0].map(share), ["90 %", "12.34 %", "100 %", "0 %"]);
        assert_eq!(["a/b.onnx", "b.onnx"].map(file_name), ["b.onnx", "b.onnx"]);
    }

    #[test]
    fn fractions_are_words_where_they_are_exact() {
        assert_eq!([0.5, 0.75, 0.333_33, 0.49].map(portion), ["Half", "Three quarters", "A third", "49 %"]);
    }
}
