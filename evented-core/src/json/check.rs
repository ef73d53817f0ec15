//! Checks JSON text before it is written: what is accepted can be read back.

use crate::json::erased::is_erased;
use crate::json::scan::{end_of_string, skip_space};

/// The deepest nesting of a field's value. serde_json reads 127 levels. A payload adds one level to its fields, and an
/// `external` event adds two.
pub(crate) const MAX_DEPTH: usize = 100;

/// The deepest nesting of a document: that of a field, and the levels of an `external` event around it.
const MAX_DOCUMENT_DEPTH: usize = MAX_DEPTH + 2;

/// The longest document, in bytes. PostgreSQL and SQLite refuse values of about 1 GB, and PostgreSQL a message of that
/// size, which contains the row as well.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The beginning of the keys that serde_json reserves: with some of its features, an object with such a key is read as
/// something else.
pub(crate) const PRIVATE_KEY: &str = "$serde_json::private::";

/// Why a value cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The value's `Serialize` failed, or a map has keys that are not strings.
    #[error(transparent)]
    Serialize(#[from] serde_json::Error),
    /// Lists and objects are nested too deeply to be read back.
    #[error("it is nested deeper than {limit} levels, which serde_json cannot read back")]
    Depth {
        /// The number of levels that are allowed.
        limit: usize,
    },
    /// A text contains the character NUL, which PostgreSQL cannot store.
    #[error("a text in it contains the character NUL (`\\u0000`), which PostgreSQL cannot store")]
    Nul,
    /// An object has a key that serde_json reserves for itself.
    #[error("an object in it has a key that begins with `{PRIVATE_KEY}`, which serde_json reserves")]
    ReservedKey,
    /// The document has the form that stands for an erased one.
    #[error("it has the form that the log keeps in place of an erased document, `{{\"$erased\": …}}`")]
    Erased,
    /// The text is too long.
    #[error("its JSON has {bytes} bytes, and at most {limit} can be stored")]
    Size {
        /// The number of bytes of the text.
        bytes: usize,
        /// The number of bytes that are allowed.
        limit: usize,
    },
}

/// Checks JSON text that serde_json wrote.
pub(super) fn text(text: &str) -> Result<(), JsonError> {
    if text.len() > MAX_BYTES {
        return Err(JsonError::Size { bytes: text.len(), limit: MAX_BYTES });
    }
    if is_erased(text) {
        return Err(JsonError::Erased);
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DOCUMENT_DEPTH {
                    return Err(JsonError::Depth { limit: MAX_DEPTH });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = end_of_string(bytes, at);
                let is_key = bytes.get(skip_space(bytes, end + 1)) == Some(&b':');
                string(text.get(at..end).unwrap_or_default(), is_key)?;
                at = end + 1;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks the content of a string, which may have escapes.
fn string(content: &str, is_key: bool) -> Result<(), JsonError> {
    if !content.contains('\\') {
        return if is_key && content.starts_with(PRIVATE_KEY) { Err(JsonError::ReservedKey) } else { Ok(()) };
    }
    let content: String = serde_json::from_str(&format!("\"{content}\""))?;
    if content.contains('\0') {
        return Err(JsonError::Nul);
    }
    if is_key && content.starts_with(PRIVATE_KEY) { Err(JsonError::ReservedKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_documents_pass() {
        for document in [
            "{}",
            "null",
            r#"{"a":[1,2,{"b":"c"}],"d":"\"quoted\" \\ \n \u00e4"}"#,
            r#"["$serde_json::private::Number"]"#,
            r#"{"a":"$serde_json::private::RawValue"}"#,
            r#"{"a":"\\u0000"}"#,
        ] {
            assert!(text(document).is_ok(), "{document}");
        }
    }

    #[test]
    fn reserved_keys_are_refused_in_every_spelling() {
        for document in [
            r#"{"$serde_json::private::Number":"5"}"#,
            r#"{"a":[{"$serde_json::private::RawValue" : "{}"}]}"#,
            r#"{"\u0024serde_json::private::RawValue":"{}"}"#,
        ] {
            assert!(matches!(text(document), Err(JsonError::ReservedKey)), "{document}");
        }
    }

    #[test]
    fn nul_is_refused_in_keys_and_texts() {
        assert!(matches!(text(r#"{"a":"\u0000"}"#), Err(JsonError::Nul)));
        assert!(matches!(text(r#"{"\u0000":1}"#), Err(JsonError::Nul)));
        assert!(matches!(text(r#"["\\\u0000"]"#), Err(JsonError::Nul)));
    }

    #[test]
    fn what_is_deeper_than_the_limit_is_refused_and_the_limit_is_read_back() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deepest = nested(MAX_DOCUMENT_DEPTH);
        assert!(text(&deepest).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&deepest).is_ok());
        assert!(matches!(text(&nested(MAX_DOCUMENT_DEPTH + 1)), Err(JsonError::Depth { .. })));
    }
}
