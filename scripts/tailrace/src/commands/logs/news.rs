//! `--follow`: new rows and new objects of the archive, printed as they arrive.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::follow::Follower;
use super::follow::archived::ArchiveFollower;
use super::print::Printer;
use crate::archive::{Archive, Permission};
use crate::query::Query;
use crate::record::Row;
use crate::{Error, output};

/// Times as long as a deep look's slice took that D1 is left to others before the next.
const REST_FACTOR: u32 = 3;

/// The records that are new.
#[derive(Debug)]
pub struct News<'a> {
    archive: &'a Archive<'a>,
    rows: Follower,
    /// `None` where the archive is left out.
    objects: Option<ArchiveFollower<'a>>,
}

impl<'a> News<'a> {
    /// Begins to follow: what is stored from now on counts as new. Show the records there are only after this, and then call
    /// [`News::mark_shown`], so that what arrives in between is not missed.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn start(
        archive: &'a Archive<'a>,
        query: Query,
        late_seconds: u32,
    ) -> Result<Self, Error> {
        let objects = if archive.permission() == Permission::Nothing {
            None
        } else {
            Some(ArchiveFollower::start(archive, query.clone(), late_seconds).await?)
        };
        Ok(Self {
            archive,
            rows: Follower::start(archive.database(), query, late_seconds).await?,
            objects,
        })
    }

    /// Remembers what was shown meanwhile.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn mark_shown(&mut self, rows: &[Row]) -> Result<(), Error> {
        if let Some(objects) = &mut self.objects {
            objects.mark_shown(rows);
        }
        self.rows.mark_shown(self.archive.database(), rows).await
    }

    /// Prints what arrives: until Ctrl-C, until nothing came for `silence`, or until something fails for good.
    ///
    /// # Errors
    /// Fails for good.
    pub async fn go_on(
        &mut self,
        interval: Duration,
        silence: Option<Duration>,
        printer: &mut Printer,
        out: &mut dyn Write,
    ) -> Result<ExitCode, Error> {
        // Nothing is printed halfway: where this is left, it was waiting.
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
            ended = self.print_all(interval, silence, printer, out) => {
                ended.map(|()| ExitCode::SUCCESS)
            }
        }
    }

    async fn print_all(
        &mut self,
        interval: Duration,
        silence: Option<Duration>,
        printer: &mut Printer,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let database = self.archive.database();
        let started = Instant::now();
        let mut heard = started;
        loop {
            let mut next = Instant::now() + interval;
            if let Some(silence) = silence {
                next = next.min(heard + silence);
            }
            tokio::time::sleep_until(next).await;
            let next = Instant::now() + interval;
            if show(self.rows.poll(database).await, printer, out)? {
                heard = Instant::now();
            }
            if let Some(objects) = &mut self.objects
                && show(objects.look().await, printer, out)?
            {
                heard = Instant::now();
            }
            if silence.is_some_and(|silence| heard.elapsed() >= silence) {
                return Ok(());
            }
            // What arrives later than the latest rows has the time until they are looked at again.
            loop {
                let began = Instant::now();
                let Some(rows) = self.rows.deepen(database, started.elapsed()).await else {
                    break;
                };
                if show(rows, printer, out)? {
                    heard = Instant::now();
                }
                // D1 runs one statement at a time, and log-writer waits in the same line.
                let rest = began.elapsed() * REST_FACTOR;
                tokio::time::sleep(rest).await;
                if Instant::now() >= next {
                    break;
                }
            }
        }
    }
}

/// Prints what a look found, and says where it failed in a way that may pass. Returns whether there was anything.
fn show(
    found: Result<Vec<Row>, Error>,
    printer: &mut Printer,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    match found {
        Ok(rows) => {
            super::print_rows(&rows, printer, out)?;
            Ok(!rows.is_empty())
        }
        // Nothing is lost by going on: the next look begins where the last successful one did.
        Err(error @ (Error::Network { .. } | Error::Api { .. } | Error::NoLogin { .. })) => {
            output::note(&format!("{error}; still following"));
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
