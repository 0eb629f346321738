//! log-writer: the queue consumer. Messages of the queue `tail-logs` in, rows of D1 and objects of R2 out; what D1 does not
//! take becomes a dead letter, on the queue `tail-logs-dlq` or in KV; a cron brings back what fell into KV and deletes what
//! expired.
//!
//! It does not make records (`tail-ingest`), define them (`log-record`) or read them (`tailrace`), and nothing may tail
//! it: that would be an endless loop.
//!
//! In reading order, from the handler inwards:
//! - `edge`: the Workers runtime, in a Worker only: the handlers `queue` and `scheduled`, its bindings as [`ports`];
//! - [`batch`]: a batch of messages to their verdicts;
//! - [`slice`](mod@slice): the messages of a batch, 2 MB at a time, to their results;
//! - [`write`](mod@write): records into D1, with retries, bisection, and room made in a full database;
//! - [`archive`]: the same records into R2, and their objects into the catalog; the choice of rows;
//! - `dead_letter`: dead letters, to the queue or to KV;
//! - [`cron`]: a run of the cron: [`drain`], what fell into KV brought back; [`rotation`], what expired deleted;
//!   [`catalog`], the archive's catalog without what expired; `prune`, single steps of that, also taken where D1 is full;
//! - [`invocation`]: what one invocation may ask of the platform, and the limits of each call;
//! - [`d1_error`]: the meaning of a D1 error;
//! - [`statement`]: the SQL;
//! - [`settings`], [`stats`] (log lines), [`message`], [`ports`] (the traits behind which the platform lies).
//!
//! What both Workers need is in `worker-runtime`: settings reader, deadlines, retry delays, timestamps, log lines.

pub mod archive;
pub mod batch;
pub mod catalog;
pub mod cron;
pub mod d1_error;
pub(crate) mod dead_letter;
pub mod drain;
#[cfg(target_arch = "wasm32")]
pub mod edge;
pub mod invocation;
pub mod message;
pub mod ports;
pub(crate) mod prune;
pub mod rotation;
pub mod settings;
pub mod slice;
pub mod statement;
pub mod stats;
pub mod write;
