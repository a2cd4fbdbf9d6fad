//! A bound on nested brackets, checked before a text goes to a parser that may take exponential time or the whole stack.

/// Brackets that may be open at once in an architecture, an index, a header or a document.
pub(crate) const DEEPEST: usize = 64;

/// Refuses a text in which more than `limit` of `[`, `{` and `(` are open at once, quoted ones not counted.
///
/// Quotes end with their line at the latest, so that an apostrophe in a comment hides no more than the comment.
///
/// # Errors
///
/// The limit and the line.
pub(crate) fn check(text: &[u8], limit: usize) -> Result<(), String> {
    let (mut depth, mut line) = (0_usize, 1);
    let (mut quote, mut escaped) = (None, false);
    for byte in text {
        if *byte == b'\n' {
            (quote, escaped) = (None, false);
            line += 1;
            continue;
        }
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if *byte == b'\\' => escaped = true,
            Some(open) if *byte == open => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => quote = Some(*byte),
                b'[' | b'{' | b'(' => depth += 1,
                b']' | b'}' | b')' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        if depth > limit {
            return Err(format!("line {line}: more than {limit} brackets are open at once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_brackets_count_and_quoted_ones_do_not() {
        let deep = |n: usize| format!("a = 1\nx = {}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(deep(5).as_bytes(), 5), Ok(()));
        assert_eq!(check(deep(6).as_bytes(), 5), Err("line 2: more than 5 brackets are open at once".to_owned()));
        for text in ["'[[[['", r#""[[\"[[""#, "[][][][]", "# don't\n[]"] {
            assert_eq!(check(text.as_bytes(), 1), Ok(()), "{text}");
        }
        assert!(check(b"# don't\n[[", 1).is_err());
    }
}
