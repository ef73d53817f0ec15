//! How a table is published, in one query of the server's catalogs.

use std::collections::BTreeSet;

use crate::lsn::Lsn;
use crate::published_in_part::PublishedInPart;
use crate::quoting::literal;
use crate::relation::Identity;
use crate::required_table::RequiredTable;

/// How a table is published.
#[doc(hidden)]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableSetup {
    pub oid: u32,
    pub schema: String,
    pub table: String,
    pub identity: Identity,
    /// Whether the replica identity is a key that the table has.
    pub keyed: bool,
    /// One of the publications that contain the table; `None` if none does.
    pub publication: Option<String>,
    /// Whether all kinds of changes are published.
    pub complete: bool,
    /// What is published in part.
    pub in_part: Vec<PublishedInPart>,
    /// What differs after the table was taken out of a publication, or a publication was altered, even if all of it
    /// was undone since.
    pub(crate) memberships: BTreeSet<String>,
    /// A position of the server's log. Everything that the query did not see is after it, or was committed while the
    /// query ran.
    pub(crate) at: Lsn,
}

impl TableSetup {
    /// The query for a table. It returns no row if there is no such table. All of its columns are texts.
    ///
    /// `attnames` and `rowfilter` exist since version 15: they are read by way of JSON. Generated columns are never
    /// published before version 18. The publication is part of `memberships` with its `xmin`, because its options may
    /// be set and set back, and each table and schema of it with the number of its entry, which a new entry does not
    /// get again. `pg_depend` holds these numbers for tables and schemas alike.
    #[must_use]
    pub fn sql(publications: &[String], table: &RequiredTable) -> String {
        let list = |names: &[String]| names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
        let (publications, columns) = (list(publications), list(&table.columns));
        let name = literal(table.name.as_sql());
        format!(
            "SELECT c.oid::text, n.nspname::text, c.relname::text, c.relreplident::text, \
               EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND CASE c.relreplident \
                 WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)::text, \
               p.publication, p.complete::text, p.filter, u.plain, u.generated, u.publishable::text, p.memberships, \
               (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                 ELSE pg_current_wal_insert_lsn() END)::text \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN LATERAL ( \
               SELECT coalesce(min(p.pubname::text) FILTER (WHERE t.filter IS NOT NULL), min(p.pubname::text)) \
                   AS publication, \
                 bool_or(p.pubinsert) AND bool_or(p.pubupdate) AND bool_or(p.pubdelete) AND bool_or(p.pubtruncate) \
                   AS complete, \
                 CASE WHEN NOT (bool_or(p.pubinsert AND t.filter IS NULL) AND bool_or(p.pubupdate AND \
                   t.filter IS NULL) AND bool_or(p.pubdelete AND t.filter IS NULL)) THEN min(t.filter) END AS filter, \
                 bool_or(t.columns IS NULL) AS all_columns, jsonb_agg(t.columns) AS columns, \
                 string_agg(concat_ws(' ', p.oid || '/' || p.xmin, (SELECT string_agg(DISTINCT d.classid || '/' || \
                   d.objid, ' ') FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_depend o USING (classid, objid) \
                   WHERE d.refclassid = 'pg_catalog.pg_publication'::regclass AND d.refobjid = p.oid AND ( \
                   o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjid = c.oid OR \
                   o.refclassid = 'pg_catalog.pg_namespace'::regclass AND o.refobjid = n.oid))), ' ') AS memberships \
               FROM pg_catalog.pg_publication p JOIN ( \
                 SELECT pubname, to_jsonb(v) ->> 'rowfilter' AS filter, \
                   nullif(to_jsonb(v) -> 'attnames', 'null') AS columns \
                 FROM pg_catalog.pg_publication_tables v \
                 WHERE v.schemaname = n.nspname AND v.tablename = c.relname) t USING (pubname) \
               WHERE p.pubname IN ({publications})) p \
             CROSS JOIN LATERAL ( \
               SELECT string_agg(a.attname::text, E'\\n' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS plain, \
                 string_agg(a.attname::text, E'\\n' ORDER BY a.attnum) FILTER (WHERE a.attgenerated <> '') \
                   AS generated, \
                 current_setting('server_version_num')::int >= 180000 AND bool_and(a.attgenerated <> 'v') \
                   AS publishable \
               FROM pg_catalog.pg_attribute a \
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 AND a.attname = ANY (ARRAY[{columns}]::text[]) AND CASE \
                   WHEN p.publication IS NULL THEN false \
                   WHEN a.attgenerated <> '' AND current_setting('server_version_num')::int < 180000 THEN true \
                   WHEN p.all_columns THEN false \
                   ELSE NOT p.columns @> jsonb_build_array(jsonb_build_array(a.attname)) END) u \
             WHERE c.oid = to_regclass({name})"
        )
    }

    /// Reads the row of the query for `table`. `None` if it is not such a row.
    #[must_use]
    pub fn read(table: &RequiredTable, row: &[Option<String>]) -> Option<Self> {
        let text = |column: usize| row.get(column)?.as_deref();
        let lines = |column: usize| -> Vec<String> {
            text(column).map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
        };
        let publication = text(5).map(str::to_owned);
        let mut in_part = Vec::new();
        if let Some(publication) = &publication {
            let (publication, table) = (|| publication.clone(), || table.name.clone());
            if let Some(filter) = text(7) {
                let filter = filter.to_owned();
                in_part.push(PublishedInPart::RowFilter {
                    publication: publication(),
                    table: table(),
                    filter,
                });
            }
            let columns = lines(8);
            if !columns.is_empty() {
                let (publication, table) = (publication(), table());
                in_part.push(PublishedInPart::ColumnList { publication, table, columns });
            }
            let (columns, publishable) = (lines(9), text(10) == Some("true"));
            if !columns.is_empty() {
                let (publication, table) = (publication(), table());
                in_part.push(PublishedInPart::Generated { publication, table, columns, publishable });
            }
        }
        Some(Self {
            oid: text(0)?.parse().ok()?,
            schema: text(1)?.to_owned(),
            table: text(2)?.to_owned(),
            identity: match text(3)? {
                "f" => Identity::Full,
                "d" => Identity::Default,
                "i" => Identity::Index,
                _ => Identity::Nothing,
            },
            keyed: text(4) == Some("true"),
            publication,
            complete: text(6) == Some("true"),
            in_part,
            memberships: text(11).unwrap_or_default().split(' ').map(str::to_owned).collect(),
            at: text(12)?.parse().ok()?,
        })
    }
}
