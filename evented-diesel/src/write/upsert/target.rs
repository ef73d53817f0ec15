//! Says which columns identify the record of an upsert.

use diesel::Column;

use crate::model::WithTable;

/// A column of a model's table, or a tuple of up to four: what identifies the record of an upsert.
///
/// `Kind` distinguishes columns from tuples, and is inferred.
#[diagnostic::on_unimplemented(
    message = "this is no column of the table of `{M}`, and no tuple of its columns",
    note = "write columns of the model's table: `.on(items::name)`, `.on((items::org_id, items::name))`"
)]
pub trait ConflictTarget<M, Kind> {
    /// Returns the names of the columns.
    #[doc(hidden)]
    fn names() -> Vec<&'static str>;
}

/// A single column.
#[derive(Debug)]
pub struct One;

#[diagnostic::do_not_recommend]
impl<M: WithTable, C: Column<Table = M::Table>> ConflictTarget<M, One> for C {
    fn names() -> Vec<&'static str> {
        vec![C::NAME]
    }
}

macro_rules! tuples {
    ($(($($column:ident),*);)*) => {$(
        impl<M: WithTable, $($column: Column<Table = M::Table>),*> ConflictTarget<M, ($($column,)*)>
            for ($($column,)*)
        {
            fn names() -> Vec<&'static str> {
                vec![$($column::NAME),*]
            }
        }
    )*};
}
tuples! { (A); (A, B); (A, B, C); (A, B, C, D); }
