//! `tailrace replay`: dead letters back into the pipeline.
//!
//! Nothing is lost: a message is acknowledged, and a key deleted, only after everything in it was published. Nothing is
//! doubled: what is published twice (an answer that got lost, a lease that ran out, a run that was killed) has the same
//! `log_id` and timestamp, and D1 keeps the first.
//!
//! In reading order: [`crate::letter`] (what a dead letter holds), `table` (every reason, state and action), `publish`
//! (where letters go), `ledger` (the table of a run), `queue` and `kv` (the two places letters are taken from),
//! `summary` (what became of them), `export` (the file), `stop` (Ctrl-C).

mod export;
mod kv;
mod ledger;
mod publish;
mod queue;
mod stop;
mod summary;
mod table;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::cli::{Replay, Source};
use crate::client::Client;
use crate::client::kv::Namespace;
use crate::client::queues::Queue;
use crate::place::Place;
use crate::{Error, error, output};

use export::Export;
use ledger::Ledger;
use publish::Target;
use stop::Stop;

/// The parts that both sources need.
struct Job<'a> {
    args: &'a Replay,
    client: &'a Client,
    place: &'a Place,
    /// The place that records go to; `None` for a dry run.
    target: Option<Target<'a>>,
    fallback: OnceCell<Namespace<'a>>,
    stop: Stop,
    /// The time when the run began.
    now: Timestamp,
}

/// Runs the command.
///
/// # Errors
/// As [`Error`] has them. A failure on the way is part of the summary, which is written before.
pub async fn run(args: &Replay, place: &Place, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let local = place.local.is_some();
    let from = args
        .from
        .unwrap_or(if local { Source::Kv } else { Source::Queue });
    if local && from == Source::Queue {
        let text = "--from queue: the local runtime lets nobody pull from a queue; its dead letters are in KV (--from kv)";
        return Err(Error::Usage(text.to_owned()));
    }
    let export = args.export.as_deref().map(Export::create).transpose()?;
    let client = super::connect(place).await?;
    let target = if args.dry_run {
        None
    } else if local {
        let database = super::open(&client, place).await?;
        Some(Target::Database(database))
    } else {
        let queue = Queue::find(&client, &place.queue(), "--queue").await?;
        Some(Target::Queue(queue))
    };
    let job = Job {
        args,
        client: &client,
        place,
        target,
        fallback: OnceCell::new(),
        stop: Stop::default(),
        now: Timestamp::now(),
    };
    job.stop.listen();
    let mut ledger = Ledger::new(&job, export);
    let ended = match from {
        Source::Queue => queue::run(&job, &mut ledger).await,
        Source::Kv => kv::run(&job, &mut ledger).await,
    };
    output::unwatch();
    ended?;
    let (summary, failure) = ledger.close().await?;
    let target = job.target.as_ref().map_or("", Target::name);
    let lines = summary.to_lines(target, job.now);
    // What was done is done, and said before whatever stopped the run.
    if args.export.as_deref() == Some(Path::new("-")) {
        for text in &lines {
            output::note(text);
        }
    } else if args.format.is_json(place.output) {
        let json = output::json::encode(&summary).map_err(Error::io("standard output"))?;
        write_lines(out, &[json])?;
    } else {
        write_lines(out, &lines)?;
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if let (true, Some(id)) = (summary.saw_nothing(), &args.message) {
        let lease = args.lease;
        output::note_with_hint(
            &format!("there is no dead letter \"{id}\""),
            &format!(
                "--dry-run --export - shows the ids; it may be leased: look again in {lease} s"
            ),
        );
        return Ok(ExitCode::from(error::FAILED));
    }
    if summary.saw_nothing() && summary.left.is_empty() {
        output::note(match from {
            Source::Queue => {
                "the dead-letter queue is empty; what even the queues refused lies in KV: --from kv"
            }
            Source::Kv => "the KV fallback holds no dead letters and no envelopes",
        });
    }
    if job.stop.is_asked() {
        output::note("stopped before the end; run it again to go on");
    }
    let is_clean = summary.is_complete() && !job.stop.is_asked();
    let code = if is_clean { error::DONE } else { error::FAILED };
    Ok(ExitCode::from(code))
}

/// Writes the summary. A run ends with its own exit code where nobody reads that: scripts build on it.
fn write_lines(out: &mut dyn Write, lines: &[String]) -> Result<(), Error> {
    let written = lines.iter().try_for_each(|text| writeln!(out, "{text}"));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::io("standard output")),
    }
}

impl<'a> Job<'a> {
    /// Returns how many calls are made together.
    fn at_once(&self) -> usize {
        usize::from(self.args.concurrency)
    }

    /// Returns the namespace of the fallback.
    async fn fallback(&self) -> Result<&Namespace<'a>, Error> {
        let find = async || Namespace::find(self.client, &self.place.fallback()).await;
        self.fallback.get_or_try_init(find).await
    }
}
