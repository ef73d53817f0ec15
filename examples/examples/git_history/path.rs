//! A path as git stores it: bytes that need not be UTF-8.

use std::fmt;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Binary;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path within a repository.
///
/// The table stores the bytes. The log stores text, so that its payloads are readable: UTF-8 text is stored unchanged,
/// except that each backslash is doubled; any other byte is written in the form `\xff`. Both forms are lossless.
#[derive(AsExpression, FromSqlRow, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[diesel(sql_type = Binary)]
pub(crate) struct RepoPath(Vec<u8>);

impl RepoPath {
    /// Creates a path from its bytes.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the path.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn read(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            rest = match escape.strip_prefix('\\') {
                Some(after) => {
                    bytes.push(b'\\');
                    after
                }
                None => {
                    let digits = escape.strip_prefix('x')?.get(..2)?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    escape.get(3..)?
                }
            };
        }
        bytes.extend_from_slice(rest.as_bytes());
        Some(Self(bytes))
    }
}

/// Writes the form that the log stores.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(&chunk.valid().replace('\\', r"\\"))?;
            for byte in chunk.invalid() {
                write!(f, r"\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom(format!("not the form of a path: {text:?}")))
    }
}

impl<DB: Backend> ToSql<Binary, DB> for RepoPath
where
    Vec<u8>: ToSql<Binary, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: Backend> FromSql<Binary, DB> for RepoPath
where
    Vec<u8>: FromSql<Binary, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Vec::from_sql(bytes).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_the_log() {
        let every_byte: Vec<u8> = (1..=255).collect();
        for bytes in
            [b"src/main.rs".to_vec(), "f\u{fc}r \u{1f980}\n\t\"".into(), br"a\xff\\".to_vec(), every_byte]
        {
            let path = RepoPath::new(bytes);
            let json = serde_json::to_string(&path).unwrap();
            assert_eq!(serde_json::from_str::<RepoPath>(&json).unwrap(), path, "{json}");
        }
    }

    #[test]
    fn the_form_in_the_log_reads_well() {
        assert_eq!(RepoPath::new(b"src/main.rs".to_vec()).to_string(), "src/main.rs");
        assert_eq!(RepoPath::new(b"caf\xe9 \\".to_vec()).to_string(), r"caf\xe9 \\");
    }

    #[test]
    fn what_is_no_form_of_a_path_is_refused() {
        for json in [r#""\\""#, r#""\\x""#, r#""\\xf""#, r#""\\xgg""#, r#""\\n""#, r#""\\xé""#] {
            assert!(serde_json::from_str::<RepoPath>(json).is_err(), "{json}");
        }
    }
}
