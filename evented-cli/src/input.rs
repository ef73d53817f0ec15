//! Parses arguments and files: keys of records, times, durations, keys of checkpoints, copies of checkpoints.

use std::path::{Path, PathBuf};
#[cfg(feature = "react")]
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use evented_core::{ExactKind, KeyKind, KeyValue};

use crate::failure::Failure;
use evented_diesel::checkpoints::{Checkpoint, HmacKey};

/// Parses a record's key, of the model's kind of key.
pub(super) fn key(kind: KeyKind, text: &str) -> Result<KeyValue, Failure> {
    let wrong = |what: &str| Failure::new(format!("`{text}` is not a key of this model: it must be {what}"));
    match kind.exact() {
        ExactKind::Uuid => text.parse().map(KeyValue::Uuid).map_err(|_| wrong("a UUID")),
        ExactKind::Text => Ok(KeyValue::Text(text.to_owned())),
        ExactKind::Int => text.parse().map(KeyValue::Int).map_err(|_| wrong("an integer of 32 bits")),
        ExactKind::BigInt => text.parse().map(KeyValue::BigInt).map_err(|_| wrong("an integer of 64 bits")),
    }
}

/// Parses a time, with a zone or in UTC. A date means the beginning of the day.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(time.and_utc());
        }
    }
    match text.parse::<NaiveDate>() {
        Ok(day) => Ok(day.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => Err("write 2026-01-31T12:00:00Z, 2026-01-31 12:00 or 2026-01-31".to_owned()),
    }
}

/// The longest duration in seconds: a hundred years. A database cannot subtract every longer one from a time.
#[cfg(feature = "react")]
const LONGEST: u64 = 36_500 * 86_400;

/// Parses a duration: a number with the unit `s`, `m`, `h` or `d`, or a number of seconds.
#[cfg(feature = "react")]
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => Some(1),
        Some("m") => Some(60),
        Some("h") => Some(3_600),
        Some("d") => Some(86_400),
        _ => None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let Some(unit) = unit.filter(|_| is_number) else {
        return Err("write 90s, 15m, 12h or 30d, or a number of seconds".to_owned());
    };
    let seconds = digits.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    match seconds {
        Some(seconds @ ..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err("the longest duration is 36500d".to_owned()),
    }
}

/// Reads the keys of checkpoints, which have this name, from their files.
pub(super) fn checkpoint_keys(files: &[PathBuf], name: &str) -> Result<Vec<HmacKey>, Failure> {
    files.iter().map(|file| Ok(HmacKey::new(name, secret(file)?))).collect()
}

fn secret(file: &Path) -> Result<[u8; 32], Failure> {
    let wrong = || Failure::new(format!("{}: a key has exactly 64 hex digits", file.display()));
    // An error must not contain the content of the file.
    let text = read(file)?;
    let digits = text.trim().as_bytes();
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() {
        return Err(wrong());
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |byte, digit| Some(byte << 4 | nibble(*digit)?)).ok_or_else(wrong)?;
    }
    Ok(key)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Reads copies of checkpoints: outputs of `checkpoint --json`, one after the other, or checkpoints alone.
pub(super) fn checkpoints(file: &Path) -> Result<Vec<Checkpoint>, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Form {
        Bare(Checkpoint),
        Many(Vec<Checkpoint>),
        Answer {
            /// Null if there was no new event. The field itself is required, so that no other document is skipped.
            #[serde(deserialize_with = "serde::Deserialize::deserialize")]
            checkpoint: Option<Checkpoint>,
        },
    }
    let text = read(file)?;
    let mut checkpoints = Vec::new();
    for form in serde_json::Deserializer::from_str(&text).into_iter::<Form>() {
        match form {
            Ok(Form::Answer { checkpoint }) => checkpoints.extend(checkpoint),
            Ok(Form::Bare(checkpoint)) => checkpoints.push(checkpoint),
            Ok(Form::Many(many)) => checkpoints.extend(many),
            Err(error) => return Err(Failure::new(format!("{}: no checkpoint: {error}", file.display()))),
        }
    }
    if checkpoints.is_empty() {
        return Err(Failure::new(format!("{} has no checkpoint", file.display())));
    }
    Ok(checkpoints)
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

/// The URL of a database without its password.
fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (userinfo, place) = rest.rsplit_once('@')?;
        let (user, _) = userinfo.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{place}"))
    };
    match hidden() {
        Some(shown) => shown,
        // `host=… password=…`
        None if url.contains("password") => "of a URL with a password".to_owned(),
        None => url.to_owned(),
    }
}

/// Fails if the file of the database does not exist. SQLite would create a database of any name, so a typing error
/// would leave one behind.
pub(super) fn must_exist(url: &str) -> Result<(), Failure> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("file:")).unwrap_or(url);
    // A database in memory, or a URI with more than a path.
    let other = path.is_empty() || path.starts_with(':') || path.contains(['?', '%', '#']);
    if other || Path::new(path).exists() {
        Ok(())
    } else {
        Err(Failure::new(format!("there is no database {}", without_password(path))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_models_kind() {
        assert_eq!(key(KeyKind::Int, "-7").unwrap(), KeyValue::Int(-7));
        assert_eq!(key(KeyKind::BigInt, "5000000000").unwrap(), KeyValue::BigInt(5_000_000_000));
        assert_eq!(key(KeyKind::Text, " a/b ").unwrap(), KeyValue::Text(" a/b ".into()));
        for (kind, text) in
            [(KeyKind::Int, "5000000000"), (KeyKind::BigInt, "x"), (KeyKind::Uuid, "7"), (KeyKind::Int, "")]
        {
            assert!(key(kind, text).unwrap_err().0.contains("is not a key of this model"));
        }
    }

    #[test]
    fn times_have_a_zone_or_are_in_utc() {
        let noon = "2026-01-31T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        for text in [
            "2026-01-31T13:00:00+01:00",
            "2026-01-31 12:00",
            "2026-01-31T12:00:00.000",
            "2026-01-31 12:00:00",
        ] {
            assert_eq!(time(text), Ok(noon), "{text}");
        }
        assert_eq!(time("2026-01-31").unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        for text in ["", "yesterday", "2026-02-30", "2026-01-31 25:00", "12:00"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[cfg(feature = "react")]
    #[test]
    fn durations_have_a_unit_or_are_in_seconds() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("007", 7), ("0d", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(duration("36500d").is_ok());
        for text in ["36501d", "18446744073709551616", "18446744073709551615d"] {
            assert!(duration(text).unwrap_err().contains("the longest"), "{text}");
        }
        for text in ["", "d", "1w", "1.5h", "-1s", "+1s", "1 d", "1D", "1hd", "١d", "1µ"] {
            assert!(duration(text).unwrap_err().contains("30d"), "{text}");
        }
    }

    #[test]
    fn a_checkpoints_key_is_64_hex_digits() {
        let folder = std::env::temp_dir().join(format!("evented-key-{}", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&folder, text).unwrap();
            secret(&folder)
        };
        assert_eq!(read(&format!("{}\n", "0aB1".repeat(16))).unwrap()[..2], [0x0a, 0xb1]);
        for text in ["", "0a", &"0x".repeat(32), &"é".repeat(32), &"ab".repeat(33)] {
            let failure = read(text).unwrap_err();
            assert!(failure.0.ends_with("a key has exactly 64 hex digits"), "{failure:?}");
        }
        std::fs::remove_file(&folder).unwrap();
        assert!(secret(&folder).is_err());
    }

    #[test]
    fn a_file_of_sqlite_must_be_there() {
        for url in [":memory:", "file::memory:?cache=shared", "sqlite:///no/where?mode=rwc", "/"] {
            assert!(must_exist(url).is_ok(), "{url}");
        }
        for url in ["/no/such.db", "sqlite:///no/such.db", "file:/no/such.db"] {
            assert_eq!(must_exist(url).unwrap_err().0, "there is no database /no/such.db");
        }
    }
}
