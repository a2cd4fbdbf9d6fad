//! Names and messages in pages and pictures.

/// Text as XML and HTML hold it, also between quotes: what means something there is escaped, and what XML cannot hold, such as
/// control characters, becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(character),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_xml_reads_is_left() {
        assert_eq!(escaped(r#"<a b="1">&amp;"#), "&lt;a b=&quot;1&quot;&gt;&amp;amp;");
        assert_eq!(escaped("a\u{0}b\u{1b}c\td\u{ffff}é"), "a\u{fffd}b\u{fffd}c\td\u{fffd}é");
    }
}
