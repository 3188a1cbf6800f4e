//! Transactions over the writer's connection: savepoints, replay, reconnection.

use crate::{
    engine::{Connection, Target},
    fault::{Reach, reach, store_error},
    sql,
    unit::Unit,
};
use bocage_api::store::StoreError;
use std::time::Duration;

/// A transaction takes so long at most, connecting included.
pub(crate) const TRANSACTION: Duration = Duration::from_secs(8);
/// SQLite's and PostgreSQL's wait for a lock.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(4_500);

/// Why a batch did not commit.
#[derive(Debug)]
enum Setback {
    /// Nobody fares better now.
    Closed(StoreError),
    /// The connection broke before the commit: worth another connection.
    Lost(StoreError),
    /// It was rolled back; units may fare better one by one.
    Undone(StoreError),
}

impl Setback {
    fn of(error: &sqlx::Error) -> Self {
        match reach(error) {
            Reach::Locked => Self::Closed(store_error(error)),
            Reach::Connection => Self::Lost(store_error(error)),
            Reach::Batch | Reach::Unit => Self::Undone(store_error(error)),
        }
    }
    fn into_error(self) -> StoreError {
        let (Self::Closed(error) | Self::Lost(error) | Self::Undone(error)) = self;
        error
    }
}

impl From<sqlx::Error> for Setback {
    fn from(error: sqlx::Error) -> Self {
        Self::of(&error)
    }
}

/// The writer's connection, opened again when it broke.
pub(crate) struct Transactions {
    connection: Option<Connection>,
    target: Target,
}

impl Transactions {
    pub(crate) fn new(connection: Connection, target: Target) -> Self {
        Self { connection: Some(connection), target }
    }

    /// Runs the units and settles each. Resolves to what kept the database from taking anything, if something did.
    pub(crate) async fn run(&mut self, mut units: Vec<Box<dyn Unit>>) -> Option<StoreError> {
        let setback = match self.attempt(&mut units).await {
            Err(Setback::Lost(_)) => self.attempt(&mut units).await,
            other => other,
        };
        let several = units.len() > 1 || units.iter().any(|unit| unit.divisible());
        match setback {
            Ok(()) => {
                units.into_iter().for_each(|unit| unit.settle());
                None
            }
            Err(Setback::Undone(_)) if several => self.one_by_one(units).await,
            Err(setback) => {
                let error = setback.into_error();
                refuse(units, &error);
                Some(error)
            }
        }
    }

    /// Replays each unit in a transaction of its own. What fails in all of them is the database's trouble.
    async fn one_by_one(&mut self, units: Vec<Box<dyn Unit>>) -> Option<StoreError> {
        let mut trouble = None;
        let mut written = 0;
        let mut rest = units.into_iter().flat_map(|unit| unit.split());
        while let Some(unit) = rest.next() {
            let mut unit = vec![unit];
            match self.attempt(&mut unit).await {
                Ok(()) => {
                    written += 1;
                    unit.into_iter().for_each(|unit| unit.settle());
                }
                Err(setback) => {
                    let hopeless = !matches!(setback, Setback::Undone(_));
                    let error = setback.into_error();
                    refuse(unit, &error);
                    if hopeless {
                        refuse(rest.collect(), &error);
                        return Some(error);
                    }
                    trouble = Some(error);
                }
            }
        }
        trouble.filter(|_| written == 0)
    }

    async fn attempt(&mut self, units: &mut [Box<dyn Unit>]) -> Result<(), Setback> {
        match tokio::time::timeout(TRANSACTION, self.transaction(units)).await {
            Ok(result) => result,
            Err(_) => Err(Setback::Closed(self.give_up())),
        }
    }

    /// Forgets a connection whose state is not known.
    pub(crate) fn give_up(&mut self) -> StoreError {
        self.connection = None;
        StoreError::Unavailable("the database does not answer".to_owned())
    }

    async fn transaction(&mut self, units: &mut [Box<dyn Unit>]) -> Result<(), Setback> {
        // Taken out: a cancelled or failed transaction leaves no connection behind.
        let mut tx = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        match in_transaction(&mut tx, units).await {
            Ok(()) => {}
            Err(setback @ Setback::Lost(_)) => return Err(setback),
            Err(setback) => {
                if tx.execute(&sql::ROLLBACK, &[]).await.is_ok() || matches!(setback, Setback::Closed(_)) {
                    self.connection = Some(tx);
                }
                return Err(setback);
            }
        }
        let committed = tx.execute(&sql::COMMIT, &[]).await;
        match committed {
            Ok(_) => self.connection = Some(tx),
            // The commit may have happened: whoever asks again does so knowingly.
            Err(error) if reach(&error) == Reach::Connection => return Err(Setback::Closed(store_error(&error))),
            Err(error) => {
                if tx.execute(&sql::ROLLBACK, &[]).await.is_ok() {
                    self.connection = Some(tx);
                }
                return Err(Setback::of(&error));
            }
        }
        Ok(())
    }

    /// Gives pages back and truncates the WAL; readers may keep it from that, a later sweep tries again.
    pub(crate) async fn tidy(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        let vacuumed = connection.rows(&sql::VACUUM, &[]).await;
        let truncated = truncate(&mut connection).await;
        if !matches!(vacuumed.as_ref().map_err(reach), Err(Reach::Connection)) {
            self.connection = Some(connection);
        }
        vacuumed?;
        truncated
    }

    /// Checkpoints and closes.
    pub(crate) async fn close(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let closing = async {
            truncate(&mut connection).await?;
            connection.close().await
        };
        match tokio::time::timeout(TRANSACTION, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %store_error(&error), "the database was not closed cleanly; nothing is lost")
            }
            Err(_) => tracing::warn!("the database was not closed in time; nothing is lost"),
        }
    }
}

/// Tries a few times: each attempt that meets a reader does part of the work.
async fn truncate(connection: &mut Connection) -> Result<(), sqlx::Error> {
    const ATTEMPTS: usize = 3;
    for _ in 0..ATTEMPTS {
        match connection.row(&sql::TRUNCATE_WAL, &[]).await?.map(|row| row.int(0)).transpose()? {
            Some(busy) if busy != 0 => tracing::debug!("the WAL is in use and was not truncated"),
            _ => break,
        }
    }
    Ok(())
}

fn refuse(units: Vec<Box<dyn Unit>>, error: &StoreError) {
    for mut unit in units {
        unit.refuse(error.clone());
        unit.settle();
    }
}

async fn in_transaction(tx: &mut Connection, units: &mut [Box<dyn Unit>]) -> Result<(), Setback> {
    tx.execute(&sql::BEGIN, &[]).await?;
    // A unit that is alone needs no savepoint: what it leaves behind when it fails is all that there is.
    let alone = units.len() == 1;
    for unit in units {
        if !alone {
            tx.execute(&sql::SAVEPOINT, &[]).await?;
        }
        if let Err(refusal) = unit.run(tx).await {
            match refusal.reach() {
                Reach::Unit if !unit.divisible() => {
                    undo(tx, alone).await?;
                    unit.refuse(refusal.into_error());
                }
                Reach::Unit | Reach::Batch => return Err(Setback::Undone(refusal.into_error())),
                Reach::Locked => return Err(Setback::Closed(refusal.into_error())),
                Reach::Connection => return Err(Setback::Lost(refusal.into_error())),
            }
        }
        if !alone {
            tx.execute(&sql::RELEASE, &[]).await?;
        }
    }
    Ok(())
}

/// What the unit did is undone, and the transaction goes on.
async fn undo(tx: &mut Connection, alone: bool) -> Result<(), sqlx::Error> {
    if !alone {
        tx.execute(&sql::ROLLBACK_UNIT, &[]).await?;
        return Ok(());
    }
    tx.execute(&sql::ROLLBACK, &[]).await?;
    tx.execute(&sql::BEGIN, &[]).await?;
    Ok(())
}
