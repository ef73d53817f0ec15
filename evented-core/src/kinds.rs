//! Sets of change kinds.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use crate::ChangeKind;

/// A set of change kinds, for [`Channel::on`](crate::Channel::on).
///
/// Every set contains [`ChangeKind::Truncate`] and [`ChangeKind::SchemaChanged`], because they concern all records.
///
/// ```
/// use evented_core::{ChangeKind, Kinds};
///
/// let kinds = Kinds::INSERTS | Kinds::DELETES;
/// assert!(kinds.contains(ChangeKind::Insert));
/// assert!(!kinds.contains(ChangeKind::Update));
/// assert!(kinds.contains(ChangeKind::Truncate));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// Created records.
    pub const INSERTS: Self = Self(1);
    /// Updated records.
    pub const UPDATES: Self = Self(1 << 1);
    /// Deleted records.
    pub const DELETES: Self = Self(1 << 2);
    /// Records that become visible or hidden: [`ChangeKind::Enter`] and [`ChangeKind::Leave`].
    pub const MEMBERSHIP: Self = Self(1 << 3);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::INSERTS, "INSERTS"),
        (Self::UPDATES, "UPDATES"),
        (Self::DELETES, "DELETES"),
        (Self::MEMBERSHIP, "MEMBERSHIP"),
    ];

    /// The set of every kind.
    #[must_use]
    pub const fn all() -> Self {
        Self(Self::INSERTS.0 | Self::UPDATES.0 | Self::DELETES.0 | Self::MEMBERSHIP.0)
    }

    /// Whether the set contains this kind.
    #[must_use]
    pub const fn contains(self, kind: ChangeKind) -> bool {
        let one = match kind {
            ChangeKind::Insert => Self::INSERTS,
            ChangeKind::Update => Self::UPDATES,
            ChangeKind::Delete => Self::DELETES,
            ChangeKind::Enter | ChangeKind::Leave => Self::MEMBERSHIP,
            ChangeKind::Truncate | ChangeKind::SchemaChanged => return true,
        };
        self.0 & one.0 != 0
    }
}

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Kinds {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(kind, _)| self.0 & kind.0 != 0).map(|(_, name)| *name);
        write!(f, "Kinds({})", names.collect::<Vec<_>>().join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut kinds = Kinds::INSERTS;
        kinds |= Kinds::MEMBERSHIP;
        assert!(kinds.contains(ChangeKind::Insert) && kinds.contains(ChangeKind::Enter));
        assert!(kinds.contains(ChangeKind::Leave) && kinds.contains(ChangeKind::SchemaChanged));
        assert!(!kinds.contains(ChangeKind::Update) && !kinds.contains(ChangeKind::Delete));
        assert_eq!(format!("{kinds:?}"), "Kinds(INSERTS | MEMBERSHIP)");
        let each = Kinds::INSERTS | Kinds::UPDATES | Kinds::DELETES | Kinds::MEMBERSHIP;
        assert_eq!(each, Kinds::all());
    }
}
