//! Runs the command that the arguments name: finds the model or the log by its name, connects, and returns the answer.
//!
//! The arguments are checked before the program connects to a database.

use std::borrow::Borrow;
use std::fmt;

use evented_core::KeyValue;

use crate::admin::Admin;
use crate::answer::Answer;
use crate::arguments::{Arguments, Command, Migrations, RecordArgument};
#[cfg(feature = "wal")]
use crate::arguments::{TablesArgument, Wal};
use crate::commands::checkpoint::Keys;
use crate::commands::migrations;
use crate::commands::prove::{self, Proof};
use crate::commands::show::When;
use crate::commands::verify::Verified;
#[cfg(feature = "wal")]
use crate::commands::wal::{Asked, Tables};
use crate::connection::Connection;
use crate::erased::{AnyLog, AnyModel};
use crate::failure::Failure;
use crate::input;
use evented_diesel::LogName;
use evented_diesel::checkpoints::Checkpoint;
use evented_diesel::migrations::Database;
use evented_diesel::spi::SqlTypes;
#[cfg(feature = "wal")]
use evented_feed::wal::{RequiredTable, TableName};

#[cfg(feature = "react")]
mod react;

type Answered = Result<Box<dyn Answer>, Failure>;

fn boxed(answer: impl Answer + 'static) -> Box<dyn Answer> {
    Box::new(answer)
}

/// Runs the command that the arguments name.
pub(super) async fn answer<Conn, E, F>(
    admin: &Admin<Conn>,
    arguments: Arguments,
    connect: impl FnOnce(String) -> F,
) -> Answered
where
    Conn: Connection,
    E: fmt::Display,
    F: Future<Output = Result<Conn, E>>,
{
    let Arguments { command, database_url, .. } = arguments;
    let database = <Conn::Backend as SqlTypes>::DATABASE;
    if let Command::Migrations(asked) = &command
        && let Some(done) = migrations::in_folder(&admin.migrations, asked, database)
    {
        return done.map(boxed);
    }
    let makes_database = matches!(command, Command::Migrations(Migrations::Upgrade));
    let connect = async || {
        let url = database_url
            .ok_or_else(|| Failure::new("no database is given: pass --database-url, or set DATABASE_URL"))?;
        if database == Database::Sqlite && !makes_database {
            input::must_exist(&url)?;
        }
        let conn = connect(url).await.map_err(|error| Failure::new(format!("cannot connect: {error}")))?;
        Ok::<_, Failure>(conn.into_executor())
    };
    #[cfg(feature = "react")]
    if let Command::Reacting(asked) = command {
        return react::run(admin, asked, connect).await;
    }
    run(admin, command, connect).await
}

/// Runs a command, and connects once its arguments are known to be right.
async fn run<Conn: Connection>(
    admin: &Admin<Conn>,
    command: Command,
    connect: impl AsyncFnOnce() -> Result<Conn::Executor, Failure>,
) -> Answered {
    Ok(match command {
        Command::Migrations(asked) => {
            let logs = admin.migrations.clone();
            boxed(migrations::in_database(&mut connect().await?, logs, &asked).await?)
        }
        Command::Log(record) => {
            let (model, key) = admin.record(&record)?;
            boxed(model.log(&mut connect().await?, key).await?)
        }
        Command::Show { record, as_of, at_revision } => {
            let (model, key) = admin.record(&record)?;
            let when = When { time: as_of, revision: at_revision };
            boxed(model.show(&mut connect().await?, key, when).await?)
        }
        Command::Diff { record, from, to } => {
            let (model, key) = admin.record(&record)?;
            boxed(model.diff(&mut connect().await?, key, from, to).await?)
        }
        Command::Verify { schema: Some(schema), id: Some(id), .. } => {
            let (model, key) = admin.record(&RecordArgument { schema, id })?;
            let mut verified = Verified::default();
            verified.take(Ok(model.verify_record(&mut connect().await?, key).await?));
            boxed(verified)
        }
        Command::Verify { schema, id: _, replay, sample, key } => {
            let key = input::checkpoint_keys(&key.key_file, &key.key_name)?;
            let (models, logs) = admin.selected(schema.as_deref())?;
            if logs.is_empty() && !key.is_empty() {
                return Err(Failure::new("--key-file has no effect: no log to verify is hashed"));
            }
            let replay = replay.then_some(sample.unwrap_or(1));
            boxed(verify(&mut connect().await?, &models, &logs, replay, key).await)
        }
        Command::Rebuild { schema, dry_run } => {
            let (model, mut executor) = (admin.known(&schema)?, connect().await?);
            match dry_run {
                true => boxed(model.differences(&mut executor).await?),
                false => boxed(model.rebuild(&mut executor).await?),
            }
        }
        #[cfg(feature = "wal")]
        Command::Wal(asked) => {
            let asked = admin.wal(asked)?;
            boxed(Conn::wal(&mut connect().await?, asked).await?)
        }
        Command::Adopt { schema, chunk, by } => {
            let model = admin.known(&schema)?;
            boxed(model.adopt(&mut connect().await?, chunk, by).await?)
        }
        Command::Backfill { schema, chunk } => {
            let model = admin.known(&schema)?;
            boxed(model.backfill(&mut connect().await?, chunk).await?)
        }
        on_tree => return run_on_tree(admin, on_tree, connect).await,
    })
}

/// Runs a command about the tree over a hashed log: its checkpoints, and proofs.
async fn run_on_tree<Conn: Connection>(
    admin: &Admin<Conn>,
    command: Command,
    connect: impl AsyncFnOnce() -> Result<Conn::Executor, Failure>,
) -> Answered {
    Ok(match command {
        Command::Checkpoint { log, key, continue_unsigned } => {
            let key = input::checkpoint_keys(&key.key_file, &key.key_name)?;
            boxed(admin.log(&log)?.checkpoint(&mut connect().await?, key, continue_unsigned).await?)
        }
        Command::VerifyCheckpoints { log, key, against } => {
            let key = input::checkpoint_keys(&key.key_file, &key.key_name)?;
            let copies = against.as_deref().map(input::checkpoints).transpose()?.unwrap_or_default();
            let logs =
                log.map_or_else(|| Ok(admin.hashed_logs()), |log| admin.log(&log).map(|log| vec![log]))?;
            boxed(verify_checkpoints(&mut connect().await?, &logs, key, copies).await)
        }
        Command::ProveEvent { record, revision } => {
            let (model, key) = admin.record(&record)?;
            boxed(model.prove(&mut connect().await?, key, revision).await?)
        }
        Command::ProveLog { log, from } => boxed(admin.log(&log)?.prove(&mut connect().await?, from).await?),
        Command::CheckProof { file, key } => {
            let key = input::checkpoint_keys(&key.key_file, &key.key_name)?;
            boxed(prove::check(&Proof::read(&file)?, &key))
        }
        other => return Err(Failure::new(format!("{other:?} is not about checkpoints"))),
    })
}

type Model<Conn> = dyn AnyModel<<Conn as Connection>::Executor>;
type Log<Conn> = dyn AnyLog<<Conn as Connection>::Executor>;

/// Checks logs against their checkpoints, and these against copies of them.
async fn verify_checkpoints<E: Send>(
    executor: &mut E,
    logs: &[&dyn AnyLog<E>],
    keys: Keys,
    copies: Vec<Checkpoint>,
) -> Verified {
    let mut verified = Verified::default();
    for log in logs {
        verified.take(log.verify_checkpoints(executor, keys.clone(), copies.clone()).await);
    }
    verified
}

/// Runs one check after the other. A check that fails does not prevent the others.
async fn verify<E: Send>(
    executor: &mut E,
    models: &[&dyn AnyModel<E>],
    logs: &[&dyn AnyLog<E>],
    replay: Option<u32>,
    keys: Keys,
) -> Verified {
    let mut verified = Verified::default();
    for model in models {
        if model.has_table() {
            verified.take(model.verify_table(executor).await);
        }
        // For a model without a table, replay is the only check.
        let replay = if model.has_table() { replay } else { replay.or(Some(1)) };
        if let Some(one_in) = replay {
            verified.take(model.verify_replay(executor, one_in).await);
        }
    }
    for log in logs {
        verified.take(log.verify_chain(executor).await);
        verified.take(log.verify_checkpoints(executor, keys.clone(), Vec::new()).await);
    }
    verified
}

impl<Conn: Connection> Admin<Conn> {
    /// Finds a model by its name in the log.
    fn known(&self, schema: &str) -> Result<&Model<Conn>, Failure> {
        let model = self.models.iter().find(|model| model.schema() == schema);
        model.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<&str> = self.models.iter().map(|model| model.schema()).collect();
            unknown("model", schema, &known)
        })
    }

    /// Finds the model of a record, and parses the record's key.
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

    /// Returns the tables that the arguments name. Default: the tables of all models.
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
        tables.whole.extend(asked.tables.iter().map(|table| {
            let name = match table.split_once('.') {
                Some((schema, table)) => TableName::from((schema, table)),
                None => TableName::from(table.as_str()),
            };
            RequiredTable::new(name).whole_old_rows()
        }));
        Ok(tables)
    }

    fn hashed_logs(&self) -> Vec<&Log<Conn>> {
        self.logs.iter().filter(|log| log.is_hashed()).map(AsRef::as_ref).collect()
    }

    /// Finds a log by its name, with or without its database schema. A log without hashes is found too: verification
    /// then says what to declare.
    fn log(&self, name: &str) -> Result<&Log<Conn>, Failure> {
        let mut of_table = Vec::new();
        for log in &self.logs {
            if full(log.name()) == name {
                return Ok(log.as_ref());
            }
            if log.name().table == name {
                of_table.push(log.as_ref());
            }
        }
        match of_table.as_slice() {
            [log] => Ok(*log),
            [] => Err(unknown("hashed log", name, &names(&self.hashed_logs()))),
            several => {
                let several = names(several).join(" and ");
                Err(Failure::new(format!("`{name}` is the table of several logs; name one of {several}")))
            }
        }
    }

    /// Selects what to verify: a model, with its log if that is hashed, or all models and logs.
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

fn unknown(what: &str, name: &str, known: &[impl Borrow<str>]) -> Failure {
    match known {
        [] => Failure::new(format!("there is no {what} `{name}`: this program knows none")),
        known => {
            Failure::new(format!("there is no {what} `{name}`; this program knows {}", known.join(", ")))
        }
    }
}

fn names<E>(logs: &[&dyn AnyLog<E>]) -> Vec<String> {
    logs.iter().map(|log| full(log.name())).collect()
}

fn full(name: LogName) -> String {
    match name.schema {
        Some(schema) => format!("{schema}.{}", name.table),
        None => name.table.to_owned(),
    }
}
