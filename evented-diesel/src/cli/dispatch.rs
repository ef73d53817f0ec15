//! From arguments to an answer: finds the model or the log by its name, connects, and runs the command.
//!
//! Whatever can be wrong with the arguments is found before anything is connected to.

use std::fmt;

use evented_core::KeyValue;

use super::answer::Answer;
use super::arguments::{Arguments, Command, Migrations, RecordArgument};
#[cfg(feature = "wal")]
use super::arguments::{TablesArgument, Wal};
use super::commands::checkpoint::Key;
use super::commands::migrations;
use super::commands::show::When;
use super::commands::verify::Verified;
#[cfg(feature = "wal")]
use super::commands::wal::{Asked, Tables};
use super::connection::Connection;
use super::erased::{AnyLog, AnyModel};
use super::failure::Failure;
use super::{Operators, input};
use crate::backend::Dialect;
use crate::log::LogName;
use crate::migrations::Flavour;
#[cfg(feature = "wal")]
use crate::wal::TableName;

type Answered = Result<Box<dyn Answer>, Failure>;

fn boxed(answer: impl Answer + 'static) -> Box<dyn Answer> {
    Box::new(answer)
}

/// Does what the arguments say.
pub(super) async fn answer<Conn, E, F>(
    operators: &Operators<Conn>,
    arguments: Arguments,
    connect: impl FnOnce(String) -> F,
) -> Answered
where
    Conn: Connection,
    E: fmt::Display,
    F: Future<Output = Result<Conn, E>>,
{
    let Arguments { command, database_url, .. } = arguments;
    let flavour = <Conn::Backend as Dialect>::FLAVOUR;
    if let Command::Migrations(asked) = &command
        && let Some(done) = migrations::in_folder(&operators.migrations, asked, flavour)
    {
        return done.map(boxed);
    }
    let makes_database = matches!(command, Command::Migrations(Migrations::Upgrade));
    let connect = async || {
        let url = database_url.ok_or_else(|| {
            Failure::new("which database? Say it with --database-url, or with DATABASE_URL")
        })?;
        if flavour == Flavour::Sqlite && !makes_database {
            input::must_exist(&url)?;
        }
        let conn = connect(url).await.map_err(|error| Failure::new(format!("cannot connect: {error}")))?;
        Ok::<_, Failure>(conn.into_driver())
    };
    Ok(match command {
        Command::Migrations(asked) => {
            let (logs, mut driver) = (operators.migrations.clone(), connect().await?);
            boxed(match asked {
                Migrations::Upgrade => migrations::upgrade(&mut driver, logs).await?,
                _ => migrations::status(&mut driver, logs).await?,
            })
        }
        Command::Log(record) => {
            let (model, key) = operators.record(&record)?;
            boxed(model.log(&mut connect().await?, key).await?)
        }
        Command::Show { record, as_of, at_revision } => {
            let (model, key) = operators.record(&record)?;
            let when = When { time: as_of, revision: at_revision };
            boxed(model.show(&mut connect().await?, key, when).await?)
        }
        Command::Diff { record, from, to } => {
            let (model, key) = operators.record(&record)?;
            boxed(model.diff(&mut connect().await?, key, from, to).await?)
        }
        Command::Verify { schema: Some(schema), id: Some(id), .. } => {
            let (model, key) = operators.record(&RecordArgument { schema, id })?;
            let mut verified = Verified::default();
            verified.take(Ok(model.verify_record(&mut connect().await?, key).await?));
            boxed(verified)
        }
        Command::Verify { schema, id: _, replay, sample, key } => {
            let key = input::checkpoint_key(key.key_file.as_deref())?;
            let (models, logs) = operators.selected(schema.as_deref())?;
            let replay = replay.then_some(sample.unwrap_or(1));
            boxed(verify(&mut connect().await?, &models, &logs, replay, key).await)
        }
        Command::Checkpoint { log, key } => {
            let key = input::checkpoint_key(key.key_file.as_deref())?;
            let log = operators.log(&log)?;
            boxed(log.checkpoint(&mut connect().await?, key).await?)
        }
        Command::VerifyCheckpoints { log, key, against } => {
            let key = input::checkpoint_key(key.key_file.as_deref())?;
            let copies = against.as_deref().map(input::checkpoints).transpose()?;
            let logs = match log {
                Some(log) => vec![operators.log(&log)?],
                None => operators.hashed_logs(),
            };
            let (mut verified, mut driver) = (Verified::default(), connect().await?);
            for log in logs {
                verified.take(match copies.clone() {
                    Some(copies) => log.verify_copies(&mut driver, copies, key).await,
                    None => log.verify_checkpoints(&mut driver, key).await,
                });
            }
            boxed(verified)
        }
        Command::Rebuild { schema, dry_run: true } => {
            let model = operators.known(&schema)?;
            boxed(model.differences(&mut connect().await?).await?)
        }
        Command::Rebuild { schema, dry_run: false } => {
            let model = operators.known(&schema)?;
            boxed(model.rebuild(&mut connect().await?).await?)
        }
        #[cfg(feature = "wal")]
        Command::Wal(asked) => {
            let asked = operators.wal(asked)?;
            boxed(Conn::wal(&mut connect().await?, asked).await?)
        }
        Command::BringUp { schema, chunk } => {
            let model = operators.known(&schema)?;
            boxed(model.bring_up(&mut connect().await?, chunk).await?)
        }
    })
}

type Model<Conn> = dyn AnyModel<<Conn as Connection>::Driver>;
type Log<Conn> = dyn AnyLog<<Conn as Connection>::Driver>;

/// One check after the other. One that cannot be made does not keep the others from being made.
async fn verify<D: Send>(
    driver: &mut D,
    models: &[&dyn AnyModel<D>],
    logs: &[&dyn AnyLog<D>],
    replay: Option<u32>,
    key: Key,
) -> Verified {
    let mut verified = Verified::default();
    for model in models {
        if model.has_table() {
            verified.take(model.verify_table(driver).await);
        }
        // Replay is all there is to check of a model without a table.
        let replay = if model.has_table() { replay } else { replay.or(Some(1)) };
        if let Some(one_in) = replay {
            verified.take(model.verify_replay(driver, one_in).await);
        }
    }
    for log in logs {
        verified.take(log.verify_chain(driver).await);
        verified.take(log.verify_checkpoints(driver, key).await);
    }
    verified
}

impl<Conn: Connection> Operators<Conn> {
    /// The model of a name in the log.
    fn known(&self, schema: &str) -> Result<&Model<Conn>, Failure> {
        let model = self.models.iter().find(|model| model.schema() == schema);
        model.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<&str> = self.models.iter().map(|model| model.schema()).collect();
            unknown("model", schema, &known)
        })
    }

    /// The model, and a key of its kind.
    fn record(&self, record: &RecordArgument) -> Result<(&Model<Conn>, KeyValue), Failure> {
        let model = self.known(&record.schema)?;
        Ok((model, input::key(model.key(), &record.id)?))
    }

    #[cfg(feature = "wal")]
    fn wal(&self, asked: Wal) -> Result<Asked, Failure> {
        Ok(match asked {
            Wal::CreatePublication { publication, tables } => {
                Asked::CreatePublication { publication, tables: self.tables(tables)? }
            }
            Wal::DropPublication { publication } => Asked::DropPublication { publication },
            Wal::CreateSlot { slot } => Asked::CreateSlot { slot },
            Wal::DropSlot { slot } => Asked::DropSlot { slot },
            Wal::SlotStatus { slot } => Asked::SlotStatus { slot },
            Wal::Check { publication, slot, tables } => {
                Asked::Check { publication, slot, tables: self.tables(tables)? }
            }
        })
    }

    /// The tables that were asked for; without any, those of all models.
    #[cfg(feature = "wal")]
    fn tables(&self, asked: TablesArgument) -> Result<Tables, Failure> {
        let mut tables = Tables::default();
        let all = asked.models.is_empty() && asked.tables.is_empty();
        for schema in &asked.models {
            self.known(schema)?;
        }
        for (model, of_model) in self.models.iter().zip(&self.published) {
            if all || asked.models.iter().any(|schema| schema == model.schema()) {
                tables.add(of_model);
            }
        }
        tables.whole.extend(asked.tables.iter().map(|table| match table.split_once('.') {
            Some((schema, table)) => TableName::from((schema, table)),
            None => TableName::from(table.as_str()),
        }));
        Ok(tables)
    }

    fn hashed_logs(&self) -> Vec<&Log<Conn>> {
        self.logs.iter().filter(|log| log.is_hashed()).map(AsRef::as_ref).collect()
    }

    /// The hashed log of a name.
    fn log(&self, name: &str) -> Result<&Log<Conn>, Failure> {
        let log = self.logs.iter().find(|log| log.name().table == name || full(log.name()) == name);
        match log {
            Some(log) => Ok(log.as_ref()),
            None => {
                let known: Vec<String> = self.hashed_logs().iter().map(|log| full(log.name())).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Err(unknown("hashed log", name, &known))
            }
        }
    }

    /// What is to be verified: a model with its log if that is hashed, or all there is.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn selected(&self, schema: Option<&str>) -> Result<(Vec<&Model<Conn>>, Vec<&Log<Conn>>), Failure> {
        let Some(schema) = schema else {
            return Ok((self.models.iter().map(AsRef::as_ref).collect(), self.hashed_logs()));
        };
        let model = self.known(schema)?;
        let logs = self.hashed_logs().into_iter().filter(|log| log.name() == model.log_name());
        Ok((vec![model], logs.collect()))
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    match known {
        [] => Failure::new(format!("there is no {what} `{name}`: this program knows none")),
        known => {
            Failure::new(format!("there is no {what} `{name}`; this program knows {}", known.join(", ")))
        }
    }
}

fn full(name: LogName) -> String {
    match name.schema {
        Some(schema) => format!("{schema}.{}", name.table),
        None => name.table.to_owned(),
    }
}
