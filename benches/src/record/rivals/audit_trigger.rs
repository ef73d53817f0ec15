//! An audit trigger, which writes the old and the new row to a table beside.

use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

pub(super) const TABLES: &str = "
    CREATE TABLE audited_tasks (id UUID PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL);
    CREATE TABLE audit_log (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record UUID NOT NULL, action TEXT NOT NULL,
        old JSONB, new JSONB, at TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    CREATE INDEX ON audit_log (record);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit_log (record, action, old, new) VALUES (NEW.id, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
        RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER INSERT OR UPDATE ON audited_tasks FOR EACH ROW EXECUTE FUNCTION audit();";

/// A connection with the prepared statements.
pub(super) struct Audited {
    client: Client,
    create: Statement,
    update: Statement,
}

impl Audited {
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let client = super::connect(url).await?;
        let create =
            "INSERT INTO audited_tasks (id, name, done) VALUES ($1, $2, false) RETURNING id, name, done";
        let create = client.prepare(create).await?;
        let update = client
            .prepare("UPDATE audited_tasks SET name = $2 WHERE id = $1 RETURNING id, name, done")
            .await?;
        Ok(Self { client, create, update })
    }

    pub(super) async fn create(&self, name: &str) -> Result<Uuid, Error> {
        let row = self.client.query_one(&self.create, &[&Uuid::now_v7(), &name]).await?;
        let (id, _, _): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
        Ok(id)
    }

    pub(super) async fn update(&self, id: Uuid, name: &str) -> Result<(), Error> {
        let row = self.client.query_one(&self.update, &[&id, &name]).await?;
        let (_, _, _): (Uuid, String, bool) = (row.get(0), row.get(1), row.get(2));
        Ok(())
    }
}
