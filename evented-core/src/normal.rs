//! Normalization: cuts values to what a database stores.
//!
//! A clock has nanoseconds, the databases store microseconds. A state with more precision than its row would never
//! equal the row, so every state is normalized before it is digested, written or returned.

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};

/// Cuts the time of an event to the microsecond. A leap second is counted as the second after it, as its number of
/// microseconds does: no database stores it.
#[must_use]
pub fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or_else(|| cut_time(at))
}

fn cut_time<Tz: TimeZone>(at: DateTime<Tz>) -> DateTime<Tz> {
    let nanos = i64::from(at.timestamp_subsec_nanos() % 1_000);
    at - TimeDelta::nanoseconds(nanos)
}

fn cut_naive_time(at: NaiveTime) -> NaiveTime {
    at.with_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

/// A field that is being normalized. The derived code calls `Normal(&mut field).normalize()` for each field. The
/// types below have an inherent method, which the compiler prefers; every other type uses [`AsStored`].
#[derive(Debug)]
pub struct Normal<'a, T>(pub &'a mut T);

/// A type that the databases store unchanged.
pub trait AsStored {
    /// Does nothing.
    fn normalize(self);
}

impl<T> AsStored for &mut Normal<'_, T> {
    fn normalize(self) {}
}

macro_rules! cut {
    ($([$($zone:ident)?] $type:ty => $cut:expr),* $(,)?) => {$(
        impl<$($zone: TimeZone)?> Normal<'_, $type> {
            /// Cuts the value to what the databases store.
            pub fn normalize(&mut self) {
                *self.0 = $cut(self.0.clone());
            }
        }
        impl<$($zone: TimeZone)?> Normal<'_, Option<$type>> {
            /// Cuts the value to what the databases store.
            pub fn normalize(&mut self) {
                *self.0 = self.0.take().map($cut);
            }
        }
        impl<$($zone: TimeZone)?> Normal<'_, Vec<$type>> {
            /// Cuts each value to what the databases store.
            pub fn normalize(&mut self) {
                for value in self.0.iter_mut() {
                    Normal(value).normalize();
                }
            }
        }
        impl<$($zone: TimeZone)?> Normal<'_, Vec<Option<$type>>> {
            /// Cuts each value to what the databases store.
            pub fn normalize(&mut self) {
                for value in self.0.iter_mut() {
                    Normal(value).normalize();
                }
            }
        }
        impl<$($zone: TimeZone)?> Normal<'_, Option<Vec<$type>>> {
            /// Cuts each value to what the databases store.
            pub fn normalize(&mut self) {
                if let Some(values) = self.0 {
                    Normal(values).normalize();
                }
            }
        }
        impl<$($zone: TimeZone)?> Normal<'_, Option<Vec<Option<$type>>>> {
            /// Cuts each value to what the databases store.
            pub fn normalize(&mut self) {
                if let Some(values) = self.0 {
                    Normal(values).normalize();
                }
            }
        }
    )*};
}

cut! {
    // In any time zone: Diesel reads `DateTime<Utc>` and `DateTime<Local>`.
    [Tz] DateTime<Tz> => cut_time,
    [] NaiveDateTime => |at: NaiveDateTime| cut_time(at.and_utc()).naive_utc(),
    [] NaiveTime => cut_naive_time,
}

#[cfg(feature = "time")]
cut! {
    // A database keeps the point in time and not its offset.
    [] time::OffsetDateTime => |at: time::OffsetDateTime| {
        let at = at.replace_microsecond(at.microsecond()).unwrap_or(at);
        at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at)
    },
    [] time::PrimitiveDateTime => |at: time::PrimitiveDateTime| at.replace_microsecond(at.microsecond()).unwrap_or(at),
    [] time::Time => |at: time::Time| at.replace_microsecond(at.microsecond()).unwrap_or(at),
}

// A numeric column may store more trailing zeros than the value was written with. The number is the same.
#[cfg(feature = "bigdecimal")]
cut! {
    [] bigdecimal::BigDecimal => |number: bigdecimal::BigDecimal| number.normalized(),
}

#[cfg(feature = "rust_decimal")]
cut! {
    [] rust_decimal::Decimal => |number: rust_decimal::Decimal| number.normalize(),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_are_cut_and_others_left() {
        let mut time = DateTime::from_timestamp_nanos(1_234_567_891);
        Normal(&mut time).normalize();
        assert_eq!(time.timestamp_subsec_nanos(), 234_567_000);

        let mut before_1970 = Some(DateTime::from_timestamp_nanos(-1_234_567_891).naive_utc());
        Normal(&mut before_1970).normalize();
        assert_eq!(before_1970.map(|at| at.and_utc().timestamp_subsec_nanos() % 1_000), Some(0));

        let mut times = Some(vec![None, Some(DateTime::from_timestamp_nanos(1_234_567_891))]);
        Normal(&mut times).normalize();
        let nanos = times.iter().flatten().flatten().map(DateTime::timestamp_subsec_nanos);
        assert_eq!(nanos.collect::<Vec<_>>(), [234_567_000]);

        let mut text = String::from("as it is");
        Normal(&mut text).normalize();
        assert_eq!(text, "as it is");
    }
}
