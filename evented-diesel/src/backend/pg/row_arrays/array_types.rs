//! Looks up types that have a name but no fixed oid: enums and other user-defined types, and those of extensions.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::row::NamedRow;

use crate::exec::Executor;
use crate::sql::{SqlTypes, Statement, field};

/// The schema of a type, if it is named, and the type's name.
type Name = (Option<String>, String);

/// The types of a model that have been looked up so far.
///
/// Diesel's connections look types up as well, but the async one does so only after it has collected all binds. The oid
/// of an array type is needed before that.
#[derive(Default)]
pub(super) struct Types {
    found: HashMap<Name, (u32, u32)>,
    asked: Vec<Name>,
}

impl Types {
    /// Looks up the types that were requested but unknown. A type that the database does not have stays unknown.
    pub(super) async fn find<D: Executor<Pg>>(&mut self, executor: &mut D) -> QueryResult<()> {
        for name in std::mem::take(&mut self.asked) {
            let numbers = executor.load::<Numbers>(numbers_of(&name)).await?;
            self.found.extend(numbers.first().map(|numbers| (name, numbers.0)));
        }
        Ok(())
    }

    /// Returns whether every requested type is known.
    pub(super) fn are_known(&self) -> bool {
        self.asked.is_empty()
    }
}

impl PgMetadataLookup for Types {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let name = (schema.map(str::to_owned), name.to_owned());
        let numbers = self.found.get(&name).copied();
        let (oid, array_oid) = numbers.unwrap_or_else(|| {
            self.asked.push(name);
            (0, 0)
        });
        PgTypeMetadata::new(oid, array_oid)
    }
}

/// The oid of a type, and the oid of its array type.
struct Numbers((u32, u32));

impl QueryableByName<Pg> for Numbers {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let number = |index| field(row, index, Pg::read_big_int);
        Ok(Self((number(0)?.try_into()?, number(1)?.try_into()?)))
    }
}

/// Looks a type up as Diesel does. An unknown name is not an error here, because an error would abort the transaction.
fn numbers_of((schema, name): &Name) -> Statement<'_, Pg> {
    let mut statement = Statement::new("SELECT t.oid::bigint, t.typarray::bigint FROM pg_type t ");
    match schema {
        Some(schema) => statement
            .sql("INNER JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = ")
            .value(name.as_str())
            .sql(" AND n.nspname = ")
            .value(schema.as_str()),
        None => statement.sql("WHERE t.oid = to_regtype(quote_ident(").value(name.as_str()).sql("))"),
    };
    statement
}
