//! `tailrace replay`: dead letters back into the pipeline.
//!
//! Nothing is lost: a message is acknowledged, and a key deleted, only after everything in it was published. Nothing is
//! doubled: what is published twice (an answer that got lost, a lease that ran out, a run that was killed) has the same
//! `log_id` and timestamp, and D1 keeps the first.
//!
//! In reading order: [`letter`] (what a dead letter holds, and whether to take it), [`pack`] (its records into message
//! bodies), [`target`] (where they go), [`queue`] and [`kv`] (the two places letters are taken from), [`tally`] (what
//! became of them), [`export`] (the file).

pub mod export;
pub mod kv;
pub mod letter;
pub mod pack;
pub mod queue;
pub mod tally;
pub mod target;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use crate::cli::{Place, Replay, Source};
use crate::client::Client;
use crate::client::d1::Database;
use crate::client::kv::Namespace;
use crate::client::queues::Queue;
use crate::{Error, error, output};

use export::Export;
use tally::Tally;
use target::Target;

/// What both sources need.
pub struct Job<'a> {
    /// The options.
    pub args: &'a Replay,
    /// The account, or the local runtime.
    pub client: &'a Client,
    /// Which installation.
    pub place: &'a Place,
    /// Where records go; `None` for a dry run.
    pub target: Option<Target<'a>>,
    /// Where letters are copied to.
    pub export: Option<Export>,
    /// Set by Ctrl-C.
    pub stop: Stop,
    /// When the run began.
    pub now: DateTime<Utc>,
}

/// Whether somebody pressed Ctrl-C.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    wake: Arc<Notify>,
    alone: watch::Sender<u64>,
}

/// Stands for a message that would be lost if the process ended: on its last delivery, and neither published nor put back
/// yet. Dropped when it is.
pub struct Alone(watch::Sender<u64>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Stop {
    /// Whether to begin nothing new.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Counts a message that would be lost if the process ended.
    #[must_use]
    pub fn alone(&self) -> Alone {
        self.alone.send_modify(|count| *count += 1);
        Alone(self.alone.clone())
    }

    /// Listens for Ctrl-C: the first asks to stop; the second stops as soon as nothing is lost by it, the third at once.
    fn listen(&self) {
        let stop = self.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            stop.asked.store(true, Ordering::Relaxed);
            stop.wake.notify_waiters();
            output::note(
                "finishing the batch in hand; Ctrl-C again stops at once, but for dead letters on their last delivery, which \
                 are published or put back first",
            );
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            // What is leased comes back by itself, but for what is on its last delivery.
            let mut alone = stop.alone.subscribe();
            let count = *alone.borrow_and_update();
            if count > 0 {
                output::note(&format!(
                    "{} on the last delivery, and published or put back first; a third Ctrl-C waits for nothing and may lose \
                     what is in there",
                    output::counted(count, "dead letter is", "dead letters are")
                ));
                tokio::select! {
                    _ = alone.wait_for(|count| *count == 0) => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            output::unwatch();
            output::note(
                "stopped; what was in hand stays (in a queue unseen until --lease is over)",
            );
            // As shells count a Ctrl-C.
            std::process::exit(130);
        });
    }

    /// Sleeps, unless or until stopping is asked for.
    pub async fn sleep(&self, duration: std::time::Duration) {
        tokio::select! {
            () = self.wake.notified(), if !self.is_asked() => {}
            () = tokio::time::sleep(duration), if !self.is_asked() => {}
            else => {}
        }
    }
}

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them, where nothing was begun. A failure on the way is part of the summary.
pub async fn run(args: &Replay, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let local = place.local.is_some();
    let from = args
        .from
        .unwrap_or(if local { Source::Kv } else { Source::Queue });
    if local && from == Source::Queue {
        return Err(Error::Usage(
            "--from queue: the local runtime lets nobody pull from a queue; its dead letters are in KV (--from kv)"
                .to_owned(),
        ));
    }
    if args.limit == Some(0) {
        return Err(Error::Usage(
            "--limit: 0 letters are none to replay".to_owned(),
        ));
    }
    let export = args.export.as_deref().map(Export::create).transpose()?;
    let client = super::connect(place).await?;
    let target = if args.dry_run {
        None
    } else if local {
        let database = Database::find(&client, &place.database()).await?;
        Some(Target::Database(database))
    } else {
        Some(Target::Queue(
            Queue::find(&client, &place.queue(), "--queue").await?,
        ))
    };
    let stop = Stop::default();
    stop.listen();
    let mut job = Job {
        args,
        client: &client,
        place,
        target,
        export,
        stop,
        now: Utc::now(),
    };
    let mut tally = Tally::new(args.dry_run);
    let ended = match from {
        Source::Queue => queue::run(&mut job, &mut tally).await,
        Source::Kv => kv::run(&mut job, &mut tally).await,
    };
    output::unwatch();
    ended?;
    tally.stopped = job.stop.is_asked();
    if let Some(export) = &mut job.export
        && tally.failure.is_none()
        && !job.stop.is_asked()
    {
        // There was nothing, and the file says so.
        export.begin()?;
    }
    let to = job.target.as_ref().map_or_else(String::new, Target::name);
    let exported_here = args.export.as_deref() == Some(Path::new("-"));
    for text in tally.summary(&to, job.now) {
        if exported_here {
            output::note(&text);
        } else {
            super::line(out, &text)?;
        }
    }
    // Said after the summary: whatever stopped the run, what was done is done.
    if let Some(failure) = tally.failure.take() {
        return Err(failure);
    }
    if tally.total() == 0 && tally.remaining() == 0 {
        let why = match from {
            Source::Queue => {
                "the dead-letter queue is empty; what even the queues refused lies in KV: --from kv"
            }
            Source::Kv => "the KV fallback holds no dead letters and no envelopes",
        };
        super::note_below(out, why)?;
    }
    if job.stop.is_asked() {
        super::note_below(out, "stopped before the end; run it again to go on")?;
        return Ok(ExitCode::from(error::FAILED));
    }
    let clean = !tally.is_lacking() && (args.dry_run || tally.remaining() == 0);
    Ok(ExitCode::from(if clean {
        error::DONE
    } else {
        error::FAILED
    }))
}

/// The namespace of the fallback.
async fn fallback<'a>(client: &'a Client, place: &Place) -> Result<Namespace<'a>, Error> {
    Namespace::find(client, &place.fallback()).await
}
