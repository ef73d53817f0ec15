//! Marks: messages that `evented_feed` writes into the log, to wait for a reader of it.

use bytes::Bytes;

use crate::message::Message;

/// The prefix of the logical messages that are marks.
pub const MARK_PREFIX: &str = "evented";

/// The content of a mark, as an SQL expression: a text that differs after a publication was altered, or a published
/// table was renamed or dropped. A reader that finds another text than before checks its publications before it passes
/// on the mark, so that nobody takes the mark as the sign that everything before it was delivered.
pub const PUBLISHED_STATE: &str = "hashtextextended(concat_ws(' ', \
     (SELECT string_agg(p.oid || '/' || p.xmin, ' ' ORDER BY p.oid) FROM pg_catalog.pg_publication p), \
     (SELECT string_agg(DISTINCT concat_ws('/', d.classid, d.objid, c.oid, c.relnamespace::regnamespace, c.relname), ' ') \
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_depend o USING (classid, objid) \
       LEFT JOIN pg_catalog.pg_class c ON o.refclassid = 'pg_catalog.pg_class'::regclass AND c.oid = o.refobjid \
       WHERE d.refclassid = 'pg_catalog.pg_publication'::regclass)), 0)::text";

/// The content of a message that is a mark.
pub(crate) fn state_of(message: &Message) -> Option<&Bytes> {
    match message {
        Message::Logical { prefix, content, transactional: true, .. } if prefix == MARK_PREFIX => {
            Some(content)
        }
        _ => None,
    }
}
