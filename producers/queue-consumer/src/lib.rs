//! Sample producer: a Worker that takes the events of `triggers-api` from their queue and starts a Workflow for each.
//!
//! One invocation handles many events, each of another request: every line is logged under its own event's
//! correlation id, which the Workflow gets too.
//!
//! In reading order:
//! - [`event`]: the queue message, decoded, and the Workflow's parameters;
//! - [`consume`]: one message from body to verdict, over the [`consume::Workflows`] that the runtime or a test provides;
//! - `edge`: the runtime's side of it (in a Worker only).

pub mod consume;
#[cfg(target_arch = "wasm32")]
mod edge;
pub mod event;
