//! Measures a batch of ten thousand creates, against COPY of the same rows.

use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run, batch};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::raw::Values;
use crate::measure::compare;
use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::Bench;

const ROWS: u32 = 10_000;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/batch") {
        return Ok(());
    }
    let url = bench.fresh("bench_batch")?;
    let mut conn = PgConnection::establish(&url)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (client, connection) = runtime.block_on(tokio_postgres::connect(&url, tokio_postgres::NoTls))?;
    runtime.spawn(connection);
    let ratio = compare(
        bench.rounds,
        || {
            let made = batch((0..ROWS).map(|n| Task::insert(new(format!("task {n}"))))).run(&mut conn)?;
            anyhow::ensure!(made.len() == ROWS as usize, "not all were made");
            Ok(())
        },
        || runtime.block_on(copy(&client)),
    )?;
    report.at_least("record/batch-10000", 0.5, &ratio, ROWS);
    Ok(())
}

/// Writes the same events and rows with COPY, in one transaction.
async fn copy(client: &tokio_postgres::Client) -> anyhow::Result<()> {
    let names: Vec<String> = (0..ROWS).map(|n| format!("task {n}")).collect();
    let values: Vec<Values> = names.iter().map(|name| Values::new(name)).collect();
    client.batch_execute("BEGIN").await?;
    let sink = client
        .copy_in(
            "COPY tasks_events (id, record_id, revision, action, version, payload, at, state) \
             FROM STDIN BINARY",
        )
        .await?;
    let types = [
        Type::UUID,
        Type::UUID,
        Type::INT8,
        Type::TEXT,
        Type::INT2,
        Type::JSON,
        Type::TIMESTAMPTZ,
        Type::BYTEA,
    ];
    let writer = BinaryCopyInWriter::new(sink, &types);
    let mut writer = std::pin::pin!(writer);
    for row in &values {
        writer
            .as_mut()
            .write(&[
                &row.event_id,
                &row.event_id,
                &1_i64,
                &"insert",
                &0_i16,
                &row.payload,
                &row.at,
                &row.state,
            ])
            .await?;
    }
    writer.finish().await?;
    let sink = client.copy_in("COPY tasks (id, name, done) FROM STDIN BINARY").await?;
    let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &[Type::UUID, Type::TEXT, Type::BOOL]));
    for (row, name) in values.iter().zip(&names) {
        writer.as_mut().write(&[&row.event_id, name, &false]).await?;
    }
    writer.finish().await?;
    client.batch_execute("COMMIT").await?;
    Ok(())
}
