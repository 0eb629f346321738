//! Measures Tailrace in the real local runtime, side by side with what it is compared to (`baselines/`), and works out
//! what a load needs. `cargo xtask bench` and `cargo xtask capacity` are its command lines; it knows no arguments and
//! prints nothing itself but progress.
//!
//! In reading order:
//! - [`plan`]: how much of everything is done;
//! - [`run`](mod@run): all measurements, one after another;
//! - [`normalize`], [`startup`], [`sizes`]: the tail Worker alone, in a bare workerd;
//! - [`d1`]: ways of writing D1, at three sizes of the table;
//! - [`end_to_end`]: from a request to the last row, four designs in turn;
//! - [`volume`]: the bytes, rows and objects of a log, of [`requests`]; [`counted`] has them by name;
//! - [`maintenance`]: rotation and the operator's tool on many rows;
//! - [`week`]: the operator's tool and its page on ten million rows of a week;
//! - [`report`], [`targets`], [`verdict`], [`render`], [`number`]: the tables, what they must show, and their forms;
//! - [`samples`], [`cpu`], [`workerd`], [`local`], [`rows`]: what the measurements share;
//! - [`constants`]: what the arithmetic begins with, as a run measured it;
//! - [`capacity`]: from these constants and the platform's limits and prices to what a load needs.

pub mod capacity;
pub mod constants;
pub mod counted;
pub mod cpu;
pub mod d1;
pub mod end_to_end;
pub mod local;
pub mod maintenance;
pub mod normalize;
pub mod number;
pub mod plan;
pub mod render;
pub mod report;
pub mod requests;
pub mod rows;
pub mod run;
pub mod samples;
pub mod sizes;
pub mod startup;
pub mod targets;
pub mod verdict;
pub mod volume;
pub mod week;
pub mod workerd;

pub use plan::Plan;
pub use report::Report;
pub use run::run;
