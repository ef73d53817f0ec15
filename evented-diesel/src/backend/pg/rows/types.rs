//! Types that have a name and no fixed number: enums and other types of the user's, those of extensions.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::row::NamedRow;

use crate::backend::Dialect;
use crate::run::driver::Driver;
use crate::statement::{Statement, field};

/// A type's schema, if it is said, and its name.
type Name = (Option<String>, String);

/// The types of a model, as far as they were asked for.
///
/// Diesel's connections know them, too, but the async one only after it has taken all binds; of an array's type there is
/// nothing to say before then.
#[derive(Default)]
pub(super) struct Types {
    found: HashMap<Name, (u32, u32)>,
    asked: Vec<Name>,
}

impl Types {
    /// Asks the database for those that were not known. One that it does not have stays unknown.
    pub(super) async fn find<D: Driver<Pg>>(&mut self, driver: &mut D) -> QueryResult<()> {
        for name in std::mem::take(&mut self.asked) {
            let numbers = driver.load::<Numbers>(numbers_of(&name)).await?;
            self.found.extend(numbers.first().map(|numbers| (name, numbers.0)));
        }
        Ok(())
    }

    /// Whether there is none that was asked for and not known.
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

/// A type's number, and that of its arrays.
struct Numbers((u32, u32));

impl QueryableByName<Pg> for Numbers {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let number = |index| field(row, index, Pg::read_big_int);
        Ok(Self((number(0)?.try_into()?, number(1)?.try_into()?)))
    }
}

/// As Diesel finds them. A name that means nothing is no error here, which would end the transaction.
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
