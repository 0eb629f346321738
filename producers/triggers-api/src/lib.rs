//! Sample producer: a Worker that takes events over HTTP and queues them for `queue-consumer`.
//!
//! It is there to be tailed: every path logs at least one structured line under the request's correlation id, and a
//! route each shows an uncaught exception and plain console lines. `../README.md` describes the routes.
//!
//! In reading order:
//! - [`route`]: method and path to a route;
//! - [`auth`]: the bearer token;
//! - [`event`]: the JSON event that callers send, and the message it becomes;
//! - [`answer`]: what callers get, errors included;
//! - [`handler`]: one request from beginning to end, over the [`handler::Host`] that the runtime or a test provides;
//! - `edge`: the runtime's side of it (in a Worker only).

pub mod answer;
pub mod auth;
#[cfg(target_arch = "wasm32")]
pub mod edge;
pub mod event;
pub mod handler;
pub mod route;
