//! Asks the catalog of PostgreSQL about a model's table.
//!
//! The name of the table is a literal in dollar quotes, which the server resolves as it does in every other statement.

use diesel::QueryResult;
use diesel::pg::Pg;
use evented_core::{ExactKind, KeySource};

use super::Nothing;
use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::Statement;
use crate::statements::TextRow;

/// Whether policies of row level security apply to the connection's user.
pub(super) async fn hides_rows<M: ModelOn<Pg>, D: Executor<Pg>>(executor: &mut D) -> QueryResult<bool> {
    let mut statement = Statement::new("SELECT 1 WHERE row_security_active($evented$");
    statement.table::<M>().sql("$evented$)");
    if M::IS_VIEW {
        // A view has no policies. Those of its tables may apply to its user or to its owner.
        statement.sql(
            " OR EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid \
             AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
             JOIN pg_class c ON c.oid = d.refobjid WHERE c.relrowsecurity AND r.ev_class = CAST($evented$",
        );
        statement.table::<M>().sql("$evented$ AS regclass))");
    }
    executor.load::<Nothing>(statement).await.map(|rows| !rows.is_empty())
}

/// Why keys that differ can be equal.
pub(super) async fn inexact_key<M: ModelOn<Pg>, D: Executor<Pg>>(
    executor: &mut D,
) -> QueryResult<Option<String>> {
    let mut statement = Statement::new(
        "SELECT format('the column `%s` has the %s', a.attname, CASE WHEN t.typname IN ('citext', 'bpchar') \
         THEN 'type ' || format_type(a.atttypid, a.atttypmod) ELSE 'collation ' || c.collname END) \
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_collation c ON c.oid = a.attcollation \
         WHERE (t.typname IN ('citext', 'bpchar') OR NOT c.collisdeterministic) AND a.attrelid = CAST($evented$",
    );
    statement.table::<M>().sql("$evented$ AS regclass) AND a.attname IN (");
    for (index, column) in M::KEY_COLUMNS.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(*column);
    }
    statement.sql(")");
    let reasons = executor.load::<TextRow>(statement).await?;
    Ok(reasons.into_iter().find_map(|reason| reason.0))
}

/// The columns of a unique constraint or index.
pub(super) async fn columns_of_constraint<M: ModelOn<Pg>, D: Executor<Pg>>(
    executor: &mut D,
    name: &str,
) -> QueryResult<Vec<Option<String>>> {
    let mut statement = Statement::new(
        "SELECT a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(number, nth) \
         LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0 \
         WHERE i.indisunique AND i.indpred IS NULL AND k.nth <= i.indnkeyatts AND c.relname = ",
    );
    statement.value(name).sql(" AND i.indrelid = CAST($evented$").table::<M>();
    statement.sql("$evented$ AS regclass) ORDER BY k.nth");
    let columns = executor.load::<TextRow>(statement).await?;
    Ok(columns.into_iter().map(|column| column.0).collect())
}

/// Makes the sequence of the key continue after the largest key.
pub(super) async fn continue_keys<M: ModelOn<Pg>, D: Executor<Pg>>(executor: &mut D) -> QueryResult<()> {
    let [column] = M::KEY_COLUMNS else { return Ok(()) };
    if M::KEY_SOURCE != KeySource::Database || !matches!(M::KEY.exact(), ExactKind::Int | ExactKind::BigInt) {
        return Ok(());
    }
    let mut statement =
        Statement::new("SELECT setval(s.name, s.largest) FROM (SELECT CAST(pg_get_serial_sequence($evented$");
    statement.table::<M>().sql("$evented$, ").value(*column);
    statement.sql(") AS regclass) AS name, (SELECT max(t.").identifier(column).sql(") FROM ").table::<M>();
    // A column without a sequence has a null here. A user may insert rows without any right on the sequence.
    statement.sql(
        " t) AS largest) s WHERE CASE WHEN has_sequence_privilege(s.name, 'UPDATE') \
         AND has_sequence_privilege(s.name, 'SELECT') \
         THEN s.largest > COALESCE(pg_sequence_last_value(s.name), 0) ELSE false END",
    );
    executor.load::<Nothing>(statement).await.map(drop)
}
