//! The page of `tailrace ui`, and the server behind it. Rust reads queries, cuts slices, counts and lays traces out; the
//! scripts under `ui/assets` draw.
//!
//! In reading order:
//! - `serve`: addresses, routes, and answers as they come;
//! - `Guard`: who may ask, and the headers of every answer;
//! - `open`: the browser, opened through a file that only the user can read;
//! - `assets`: what is compiled in;
//! - `desk`: D1 in turns: one statement at a time, however many tabs;
//! - `question`: a query and a window of time, as the page asks;
//! - `rows`: rows, newest first, page by page or slice by slice;
//! - `counts`: the histogram and the facets, slice by slice, and `tally`, what was counted before;
//! - `live`: new rows: one look at D1 for all tabs;
//! - `waterfall`: a trace on one time axis;
//! - `workers`: Workers over a window, as `tailrace stats` measures them;
//! - `pipeline`: the state of the pipeline, as `tailrace status` has it;
//! - `command`: a search as a command of this tool;
//! - `handlers`: one function for each address.

mod assets;
mod command;
mod counts;
mod desk;
mod guard;
mod handlers;
mod live;
mod open;
mod pipeline;
mod question;
mod rows;
mod server;
mod tally;
mod waterfall;
mod workers;

pub use guard::Guard;
pub use handlers::{About, App};
pub use open::open_browser;
pub use server::{bind, read_address, serve};
