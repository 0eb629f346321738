//! D1: finding the database by name, and asking it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Client, encode, null_is_default};
use crate::Error;
use crate::sql::Statement;

/// Rows of one answer. A record is at most 124 kB, so the largest answer is 31 MB; D1 gives at most 50 MB.
pub const PAGE_ROWS: usize = 250;

/// A database.
#[derive(Debug)]
pub struct Database<'a> {
    client: &'a Client,
    name: String,
    id: Mutex<String>,
    /// Tells that the id was remembered from another run, and not yet seen to be right.
    remembered: bool,
    /// Rows of one answer, as far as D1 has allowed.
    page_rows: AtomicUsize,
    /// The longest that a statement took since [`Database::take_slowest`] was called, in microseconds.
    slowest: AtomicU64,
    /// The database's bytes after the last statement; 0 until D1 has said.
    size: AtomicU64,
}

#[derive(Deserialize)]
struct Listed {
    uuid: String,
    name: String,
}

/// The answer to a statement.
#[derive(Debug, Default)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each a list of cells.
    pub rows: Vec<Vec<Value>>,
}

/// The answer of `…/raw` to one statement.
#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "null_is_default")]
    results: Results,
    #[serde(default, deserialize_with = "null_is_default")]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Results {
    #[serde(default, deserialize_with = "null_is_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    rows: Vec<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct Meta {
    /// Milliseconds that D1 worked on the statement.
    #[serde(default)]
    duration: Option<f64>,
    /// Bytes of the database after the statement.
    #[serde(default)]
    size_after: Option<f64>,
}

impl<'a> Database<'a> {
    /// Finds the database of `name`. Locally databases go by the name of their binding, `DB`; where there is only one, it
    /// is meant whatever it is called.
    ///
    /// # Errors
    /// [`Error::Missing`] with the names there are.
    pub async fn find(client: &'a Client, name: &str) -> Result<Self, Error> {
        let database = |id: String, remembered| Self {
            client,
            name: name.to_owned(),
            id: Mutex::new(id),
            remembered,
            page_rows: AtomicUsize::new(PAGE_ROWS),
            slowest: AtomicU64::new(0),
            size: AtomicU64::new(0),
        };
        match client
            .session
            .as_ref()
            .and_then(|session| session.database(name))
        {
            Some(id) => Ok(database(id, true)),
            None => Ok(database(find_id(client, name).await?, false)),
        }
    }

    /// Returns the database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the account; `None` for the local runtime.
    #[must_use]
    pub fn account(&self) -> Option<crate::cache::Account> {
        self.client.account()
    }

    /// Returns the rows that a statement answers, each a list of cells.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn query(&self, statement: &Statement) -> Result<Vec<Vec<Value>>, Error> {
        Ok(self.query_table(statement).await?.rows)
    }

    /// Returns the rows that a statement answers, with the names of their columns.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn query_table(&self, statement: &Statement) -> Result<Table, Error> {
        let _turn = self.client.transport.pace.turn().await;
        match self.ask(statement).await {
            Err(error) if self.remembered && error.is_misplaced() => {
                let id = find_id(self.client, &self.name).await?;
                let known = std::mem::replace(&mut *self.lock(), id.clone());
                if id == known {
                    return Err(error);
                }
                self.ask(statement).await
            }
            answer => answer,
        }
    }

    /// Returns the rows that `statement` answers where it asks for as many as it is given, and that number: at most
    /// `wanted`, and fewer where D1 refuses an answer so large. `halves` tells which refusals fewer rows may help.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn query_page(
        &self,
        wanted: usize,
        halves: fn(&Error) -> bool,
        statement: impl Fn(usize) -> Statement,
    ) -> Result<(Vec<Vec<Value>>, usize), Error> {
        loop {
            let rows = wanted.min(self.page_rows.load(Ordering::Relaxed)).max(1);
            match self.query(&statement(rows)).await {
                Ok(page) => return Ok((page, rows)),
                Err(error) if rows > 1 && halves(&error) => {
                    self.page_rows.store(rows / 2, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the longest that a statement has taken since this was last called.
    #[must_use]
    pub fn take_slowest(&self) -> Duration {
        Duration::from_micros(self.slowest.swap(0, Ordering::Relaxed))
    }

    /// Returns the database's bytes, as D1 told them with its last answer.
    #[must_use]
    pub fn size_bytes(&self) -> Option<u64> {
        Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0)
    }

    async fn ask(&self, statement: &Statement) -> Result<Table, Error> {
        let id = self.lock().clone();
        let call = Call::post(
            "query D1",
            format!("/d1/database/{}/raw", encode(&id)),
            json!({"sql": statement.sql, "params": statement.params}),
        );
        let began = Instant::now();
        let answer = self.client.list::<Raw>(&call).await?;
        // D1's own figure, where it gives one: the way to it and back is nobody's burden.
        let took = answer
            .result
            .iter()
            .filter_map(|raw| raw.meta.duration)
            .filter_map(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok())
            .reduce(|sum, took| sum + took)
            .unwrap_or_else(|| began.elapsed());
        if let Some(size) = answer
            .result
            .iter()
            .rev()
            .find_map(|raw| raw.meta.size_after)
        {
            self.size.store(super::whole(size), Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
        let mut table = Table::default();
        for raw in answer.result {
            table.columns = raw.results.columns;
            table.rows.extend(raw.results.rows);
        }
        Ok(table)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, String> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks the id of the database of `name` up, and remembers it.
async fn find_id(client: &Client, name: &str) -> Result<String, Error> {
    const WHAT: &str = "find the D1 database";
    let remember = |id: Option<&str>| {
        if let Some(session) = &client.session {
            session.set_database(name, id);
        }
    };
    let listed = if client.is_local() {
        client
            .list::<Listed>(&Call::get(WHAT, "/d1/database"))
            .await?
            .result
    } else {
        let call = Call::get(WHAT, "/d1/database")
            .query("per_page", "1000")
            .query("name", name);
        client.list::<Listed>(&call).await?.result
    };
    let found = listed
        .iter()
        .find(|database| database.name == name)
        .or_else(|| {
            let local = || listed.iter().find(|database| database.name == "DB");
            client
                .is_local()
                .then(|| local().or_else(|| listed.first().filter(|_| listed.len() == 1)))
                .flatten()
        });
    if let Some(found) = found {
        remember(Some(&found.uuid));
        return Ok(found.uuid.clone());
    }
    remember(None);
    let available = if client.is_local() {
        listed
    } else {
        // The list above holds nothing but this name.
        let call = Call::get(WHAT, "/d1/database").query("per_page", "1000");
        client.list::<Listed>(&call).await?.result
    };
    Err(Error::Missing {
        kind: "D1 database",
        name: name.to_owned(),
        available: available
            .into_iter()
            .map(|database| database.name)
            .collect(),
        option: "--database",
    })
}
