//! Reads single entries from JSON text, whatever stands beside them: documents that no parser reads as a whole keep
//! their entries.

/// Returns the text of a value in an object, by its key; that of the last one if there are several. `None` if the text
/// is not that of an object, or has no such key.
pub(crate) fn entry<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    let mut found = None;
    loop {
        at = skip_space(bytes, at);
        if bytes.get(at) != Some(&b'"') {
            return found;
        }
        let end = end_of_string(bytes, at + 1);
        let is_wanted = is_text(text.get(at..=end)?, key);
        at = skip_space(bytes, end + 1);
        if bytes.get(at) != Some(&b':') {
            return found;
        }
        let start = skip_space(bytes, at + 1);
        let end = end_of_value(bytes, start);
        if is_wanted {
            found = text.get(start..end).map(str::trim_ascii_end);
        }
        if bytes.get(end) != Some(&b',') {
            return found;
        }
        at = end + 1;
    }
}

/// Returns the text of a string in an object, by its key.
pub(crate) fn text_entry(text: &str, key: &str) -> Option<String> {
    serde_json::from_str(entry(text, key)?).ok()
}

/// Whether a JSON string, with its quotation marks, is this text.
fn is_text(json: &str, text: &str) -> bool {
    if json.contains('\\') {
        return serde_json::from_str::<String>(json).is_ok_and(|json| json == text);
    }
    json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) == Some(text)
}

/// Returns the index of the quotation mark that ends the string whose content begins at `at`.
pub(super) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Returns the index of the comma or bracket after the value that begins at `at`.
fn end_of_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_whatever_stands_beside_it() {
        let deep = "[".repeat(100_000);
        for before in ["", r#""a":1,"#, r#""$serde_json::private::RawValue":"{}","#] {
            let text = format!(r#"{{{before}"actor" : "ad\u0061" , "z":[{{"actor":"no"}}]}}"#);
            assert_eq!(text_entry(&text, "actor").as_deref(), Some("ada"), "{text}");
        }
        let nested = format!(r#"{{"deep":{deep}"]}}\""{},"actor":"ada"}}"#, "]".repeat(100_000));
        assert_eq!(text_entry(&nested, "actor").as_deref(), Some("ada"));
    }

    #[test]
    fn the_last_of_several_counts_as_for_serde_json() {
        assert_eq!(entry(r#"{"a":1,"\u0061":[2, 3] }"#, "a"), Some("[2, 3]"));
    }

    #[test]
    fn broken_text_has_no_entry_and_does_not_panic() {
        for text in
            ["", "null", "[", "{", r#"{"a"#, r#"{"a":"#, r#"{"a\"#, r#"{"ä":"ö"#, "{1:2}", r#"{"b":1 "a":2}"#]
        {
            let _ = entry(text, "a");
            assert_eq!(text_entry(text, "b"), None, "{text}");
        }
    }
}
