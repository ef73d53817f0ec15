//! Reads a column of a result row by its index.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::backend::Backend;
use diesel::deserialize;
use diesel::row::{Field, Row};

use crate::sql::database::Database;
use crate::sql::types::SqlTypes;

/// Reads a column that is never null.
pub(crate) fn field<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<T> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    read(field.value())
}

/// Reads the time of an event.
///
/// SQLite keeps times as text. The text that the library writes is read digit by digit: a parser that knows many formats
/// took a fifth of the time of reading a log.
pub(crate) fn read_time<'a, DB: SqlTypes>(
    row: &impl Row<'a, DB>,
    index: usize,
) -> deserialize::Result<DateTime<Utc>> {
    if DB::DATABASE == Database::Sqlite
        && let Ok(text) = field(row, index, DB::read_text)
        && let Some(at) = time_of(&text)
    {
        return Ok(at);
    }
    field(row, index, DB::read_time)
}

/// Reads a time in the form `2026-01-31 12:00:00.000000+00:00`; `None` for any other text.
fn time_of(text: &str) -> Option<DateTime<Utc>> {
    const FORM: &[u8; 32] = b"0000-00-00 00:00:00.000000+00:00";
    let text: &[u8; 32] = text.as_bytes().try_into().ok()?;
    // The offset stays as it is; every other zero stands for a digit.
    let matches = |(index, (byte, form)): (usize, (&u8, &u8))| match form {
        b'0' if index < 26 => byte.is_ascii_digit(),
        _ => byte == form,
    };
    if !text.iter().zip(FORM).enumerate().all(matches) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let year = i32::try_from(number(0, 4)).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7), number(8, 10))?;
    let time = date.and_hms_micro_opt(number(11, 13), number(14, 16), number(17, 19), number(20, 26))?;
    Some(time.and_utc())
}

/// Reads a column that may be null.
pub fn optional<'a, DB: Backend, T>(
    row: &impl Row<'a, DB>,
    index: usize,
    read: impl FnOnce(Option<DB::RawValue<'_>>) -> deserialize::Result<T>,
) -> deserialize::Result<Option<T>> {
    let field = Row::get(row, index).ok_or_else(|| format!("the row has no column {index}"))?;
    if field.is_null() { Ok(None) } else { read(field.value()).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_log_is_read_digit_by_digit() {
        let at = time_of("2026-02-28 23:59:58.000123+00:00").map(|at| at.to_rfc3339());
        assert_eq!(at.as_deref(), Some("2026-02-28T23:59:58.000123+00:00"));
        for text in [
            "2026-02-30 23:59:58.000123+00:00",
            "2026-02-28 24:00:00.000000+00:00",
            "2026-02-28 23:59:60.000000+00:00",
            "2026-02-28T23:59:58.000123+00:00",
            "2026-02-28 23:59:58.000123+01:00",
            "2026-02-28 23:59:58.00012 +00:00",
            "2026-02-28 23:59:58",
            "",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}
