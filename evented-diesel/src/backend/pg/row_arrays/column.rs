//! Encodes a PostgreSQL array in the binary format of the server, from values in the same format.

use diesel::pg::PgTypeMetadata;

/// The values of one column.
pub(super) struct Column {
    oid: u32,
    pub(super) array_oid: u32,
    length: u32,
    elements: Vec<u8>,
}

impl Column {
    /// Creates a column for values of this type; `None` if there is no array type for it, as for arrays.
    pub(super) fn of(ty: &PgTypeMetadata) -> Option<Self> {
        let (oid, array_oid) = (ty.oid().ok()?, ty.array_oid().ok()?);
        (oid != 0 && array_oid != 0).then(|| Self { oid, array_oid, length: 0, elements: Vec::new() })
    }

    /// Adds a value. Returns the number of bytes that the column grew by; `None` if the value has another type or is
    /// too long.
    pub(super) fn push(&mut self, ty: &PgTypeMetadata, value: Option<&[u8]>) -> Option<usize> {
        if ty.oid().ok()? != self.oid {
            return None;
        }
        let before = self.elements.len();
        let length = value.map_or(Some(-1), |value| i32::try_from(value.len()).ok())?;
        self.length += 1;
        self.elements.extend(length.to_be_bytes());
        self.elements.extend(value.unwrap_or_default());
        Some(self.elements.len() - before)
    }

    /// Encodes the array: one dimension, indices from 1, nulls allowed.
    pub(super) fn array(self) -> Vec<u8> {
        let mut array = Vec::with_capacity(20 + self.elements.len());
        for word in [1, 1, self.oid, self.length, 1] {
            array.extend(word.to_be_bytes());
        }
        array.extend(self.elements);
        array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_its_type_its_length_and_its_values() {
        let ty = PgTypeMetadata::new(25, 1009);
        let mut column = Column::of(&ty).unwrap();
        assert_eq!(column.push(&ty, Some(b"ab")), Some(6));
        assert_eq!(column.push(&ty, None), Some(4));
        assert_eq!(
            column.array(),
            b"\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x02ab\xff\xff\xff\xff"
        );
    }

    #[test]
    fn no_array_statement_for_types_without_arrays_or_of_another_type() {
        assert!(Column::of(&PgTypeMetadata::new(1009, 0)).is_none());
        assert!(Column::of(&PgTypeMetadata::new(0, 0)).is_none());
        let mut column = Column::of(&PgTypeMetadata::new(25, 1009)).unwrap();
        assert_eq!(column.push(&PgTypeMetadata::new(23, 1007), Some(&[0; 4])), None);
    }
}
