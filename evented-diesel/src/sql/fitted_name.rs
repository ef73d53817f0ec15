//! Makes the names of tables, indexes and triggers that fit into every database.

/// The longest identifier of PostgreSQL, in bytes. It cuts longer ones, and two could become equal.
const LONGEST: usize = 63;

/// The name, cut if it is longer than 63 bytes, with a checksum of the whole name at its end to keep it unique.
/// `#[derive(Evented)]` names a log by the same rule.
pub(crate) fn fitted(name: String) -> String {
    fitted_to(name, LONGEST)
}

/// Like [`fitted`], for another length.
pub(crate) fn fitted_to(name: String, longest: usize) -> String {
    if name.len() <= longest {
        return name;
    }
    // FNV-1a, written out: the names of tables must not change with a new version of a crate.
    let checksum =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let kept: String = name
        .chars()
        .scan(longest.saturating_sub(9), |left, letter| {
            *left = left.checked_sub(letter.len_utf8())?;
            Some(letter)
        })
        .collect();
    format!("{kept}_{checksum:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_is_cut_and_stays_unique() {
        assert_eq!(fitted("items_events".to_owned()), "items_events");
        let long = |last: &str| fitted(format!("{}{last}", "a".repeat(70)));
        assert_eq!(long("x").len(), LONGEST);
        assert_ne!(long("x"), long("y"));
        assert!(fitted("ä".repeat(40)).len() <= LONGEST);
    }
}
