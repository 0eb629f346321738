//! log-writer: the queue consumer. Messages of the queue `tail-logs` in, rows of D1 out; what D1 does not take becomes a
//! dead letter, on the queue `tail-logs-dlq` or in KV; crons bring back what fell into KV and delete what expired.
//!
//! It does not make records (`tail-ingest`), define them (`log-record`) or read them (`tailrace`), and nothing may tail
//! it: that would be an endless loop.
//!
//! In reading order:
//! - [`consume`]: a batch of messages to their verdicts;
//! - [`settle`]: what becomes of a message: decoded, written, or buried;
//! - [`write`](mod@write): records into D1, with retries, bisection and room made in a full database;
//! - [`bury`]: dead letters, to the queue or to KV;
//! - [`drain`]: what fell into KV, brought back;
//! - [`rotate`]: what expired, deleted; [`prune`]: single steps of that, also taken where D1 is full;
//! - [`statement`]: the SQL;
//! - [`classify`]: what a D1 error means; [`retry`]: when to try again; [`budget`]: when to stop;
//! - [`settings`], [`tally`] (log lines), [`time`], [`ports`] (the traits behind which the platform lies).
//!
//! The edge, only in a Worker: `edge` (entry points), `start` (what comes before them), `d1`, `dlq`, `kv`, `clock` (the
//! ports), `bindings` (JavaScript's side of them).

pub mod budget;
pub mod bury;
pub mod classify;
pub mod consume;
pub mod drain;
pub mod ports;
pub mod prune;
pub mod retry;
pub mod rotate;
pub mod settings;
pub mod settle;
pub mod statement;
pub mod tally;
pub mod time;
pub mod write;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod d1;
#[cfg(target_arch = "wasm32")]
mod dlq;
#[cfg(target_arch = "wasm32")]
pub mod edge;
#[cfg(target_arch = "wasm32")]
mod kv;
#[cfg(target_arch = "wasm32")]
pub mod start;
