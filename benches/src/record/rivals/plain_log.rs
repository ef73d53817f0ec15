//! The simplest log that keeps history and detects conflicts: two statements over a plain client.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

pub(super) const TABLES: &str = "
    CREATE TABLE plain_tasks (id UUID PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL);
    CREATE TABLE plain_log (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record UUID NOT NULL, revision BIGINT NOT NULL,
        action TEXT NOT NULL, payload JSONB NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now(), UNIQUE (record, revision)
    );";

const CREATE: &str = "WITH l AS (INSERT INTO plain_log (record, revision, action, payload) VALUES ($1, 1, 'insert', $2)) \
     INSERT INTO plain_tasks (id, name, done) VALUES ($1, $3, false) RETURNING id, name, done";
const READ: &str = "SELECT id, name, done, (SELECT max(revision) FROM plain_log WHERE record = t.id) \
     FROM plain_tasks t WHERE id = $1";
const WRITE: &str = "WITH l AS (INSERT INTO plain_log (record, revision, action, payload) VALUES ($1, $2, 'update', $3)) \
     UPDATE plain_tasks SET name = $4 WHERE id = $1 RETURNING id, name, done";
const LOCK: &str = "SELECT 1 FROM plain_tasks WHERE id = $1 FOR UPDATE";

/// A connection with the prepared statements.
pub(super) struct PlainLog {
    pub(super) client: Client,
    create: Statement,
    read: Statement,
    write: Statement,
    lock: Statement,
}

impl PlainLog {
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let client = super::connect(url).await?;
        let create = client.prepare(CREATE).await?;
        let read = client.prepare(READ).await?;
        let write = client.prepare(WRITE).await?;
        let lock = client.prepare(LOCK).await?;
        Ok(Self { client, create, read, write, lock })
    }

    pub(super) async fn create(&self, name: &str) -> Result<Uuid, Error> {
        let id = Uuid::now_v7();
        let payload = serde_json::json!({ "name": name });
        let row = self.client.query_one(&self.create, &[&id, &payload, &name]).await?;
        let (id, _, _): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
        Ok(id)
    }

    /// Reads the task and writes it. Writes again if another writer took the revision.
    pub(super) async fn update(&self, id: Uuid, name: &str) -> Result<(), Error> {
        loop {
            let revision = self.read(id).await?;
            match self.write(id, revision + 1, name).await {
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
                written => return written,
            }
        }
    }

    /// Locks the task first. The statements before and after the lock share a round trip each.
    pub(super) async fn update_locked(&self, id: Uuid, name: &str) -> Result<(), Error> {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&id];
        let (_, _, revision) = tokio::try_join!(
            self.client.batch_execute("BEGIN"),
            self.client.query_one(&self.lock, &params),
            self.read(id),
        )?;
        tokio::try_join!(self.write(id, revision + 1, name), self.client.batch_execute("COMMIT"))?;
        Ok(())
    }

    /// Reads the task, and returns its last revision.
    async fn read(&self, id: Uuid) -> Result<i64, Error> {
        let row = self.client.query_one(&self.read, &[&id]).await?;
        let (_, _, _): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
        Ok(row.get(3))
    }

    async fn write(&self, id: Uuid, revision: i64, name: &str) -> Result<(), Error> {
        let payload = serde_json::json!({ "name": name });
        let row = self.client.query_one(&self.write, &[&id, &revision, &payload, &name]).await?;
        let (_, _, _): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
        Ok(())
    }
}
