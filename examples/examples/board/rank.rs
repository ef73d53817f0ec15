//! Ranks: texts between any two of which there is another.

/// The digits of a rank, from the lowest.
const DIGITS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// Returns a rank above `low` and below `high`, compared by their bytes. Without `low` or without `high`, that side is open. A
/// `high` that is not above `low` is ignored.
///
/// A rank is a number between 0 and 1, of which the text has the digits. It never ends with the lowest digit, so that there is
/// always a rank below it.
pub fn between(low: Option<&str>, high: Option<&str>) -> String {
    let low = low.unwrap_or_default();
    let mut high = high.filter(|high| *high > low);
    let mut rank = String::new();
    loop {
        let least = digit(low, rank.len()).unwrap_or(0);
        let most = high.map_or(DIGITS.len(), |high| digit(high, rank.len()).unwrap_or(0));
        if most > least + 1 {
            rank.push(char::from(DIGITS[usize::midpoint(least, most)]));
            return rank;
        }
        // A rank that begins with a lower digit than `high` is below it, whatever follows.
        if most > least {
            high = None;
        }
        rank.push(char::from(DIGITS[least]));
    }
}

fn digit(rank: &str, index: usize) -> Option<usize> {
    let byte = rank.as_bytes().get(index)?;
    DIGITS.iter().position(|digit| digit == byte)
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn there_is_a_rank_between_any_two() {
        let mut ranks = vec![between(None, None)];
        let mut seed = 7_usize;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) % (ranks.len() + 1);
            let low = at.checked_sub(1).map(|at| ranks[at].clone());
            let rank = between(low.as_deref(), ranks.get(at).map(String::as_str));
            ranks.insert(at, rank);
        }
        assert!(ranks.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn both_ends_are_open() {
        let (mut first, mut last) = (between(None, None), between(None, None));
        for _ in 0..100 {
            let (before, after) = (between(None, Some(&first)), between(Some(&last), None));
            assert!(before < first && after > last, "{before} {after}");
            (first, last) = (before, after);
        }
    }
}
