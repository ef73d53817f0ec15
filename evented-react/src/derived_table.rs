//! Derived tables: their columns, and the statement that computes their rows.

/// A derived table, and the statement that computes it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The name in quotation marks.
    pub(crate) quoted: String,
    pub(crate) key: &'static str,
    pub(crate) columns: Vec<&'static str>,
    /// Whether writes compute the rows in their own transactions, too.
    pub(crate) inline: bool,
    /// The `SELECT`, split where the keys are: `… p.id `, ` GROUP BY …`.
    pub(crate) select: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(name: &'static str, key: &'static str) -> Self {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        Self { name, quoted, key, columns: Vec::new(), inline: false, select: Vec::new() }
    }

    pub(crate) fn set_select(&mut self, select: &'static str) {
        self.select = split_at_keys(select);
    }

    /// Describes the table, for the digest of its subscriber.
    pub(crate) fn describe(&self) -> String {
        format!("{} {} {:?} {:?}", self.name, self.key, self.columns, self.select)
    }

    /// Returns what is wrong with the declaration.
    pub(crate) fn fault(&self) -> Option<String> {
        let is_faulty = self.select.len() < 2 || self.select.iter().any(|part| part.contains("{keys}"));
        let fault = || {
            let name = self.name;
            format!(
                "the SELECT of `{name}` needs conditions of the form `… IN ({{keys}})`, and `{{keys}}` nowhere else"
            )
        };
        is_faulty.then(fault)
    }
}

/// Splits a statement at each `IN ({keys})`, written in any case and with any white space.
fn split_at_keys(select: &'static str) -> Vec<&'static str> {
    let mut parts = Vec::new();
    let mut rest = select;
    while let Some((before, after)) = at_keys(rest) {
        parts.push(before);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// Splits a text at the first `IN ({keys})`.
fn at_keys(text: &'static str) -> Option<(&'static str, &'static str)> {
    let at = text.find("{keys}")?;
    let (before, after) = (text.get(..at)?, text.get(at + "{keys}".len()..)?);
    let before = before.trim_end().strip_suffix('(')?.trim_end();
    let end = before.len().checked_sub(2)?;
    let (before, word) = (before.get(..end)?, before.get(end..)?);
    let after = after.trim_start().strip_prefix(')')?;
    word.eq_ignore_ascii_case("in").then_some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_split_where_the_keys_are() {
        assert_eq!(split_at_keys("SELECT 1 WHERE a IN ({keys}) x"), ["SELECT 1 WHERE a ", " x"]);
        assert_eq!(split_at_keys("a in ( {keys} ) or b In({keys})"), ["a ", " or b ", ""]);
        assert_eq!(split_at_keys("a = {keys}"), ["a = {keys}"]);
        assert_eq!(split_at_keys("no keys"), ["no keys"]);
    }
}
