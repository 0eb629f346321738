//! `tailrace ui`: serves a page of logs and traces on this machine, and opens it. Rust reads queries, cuts slices, counts and
//! lays traces out; the scripts under `assets` draw.
//!
//! In reading order:
//! - `server`: addresses, routes, and answers as they come;
//! - `guard`: who may ask, and the headers of every answer;
//! - `open`: the browser, opened through a file that only the user can read;
//! - `assets`: what is compiled in;
//! - `desk`: D1 in turns: one statement at a time, however many tabs;
//! - `question`: a query and a window of time, as the page asks;
//! - `rows`: rows, newest first, page by page or slice by slice, and `beginnings`, JSON that was cut for a list;
//! - `counts`: the histogram and the facets, slice by slice, and `tally`, what was counted before;
//! - `live`: new rows: one look at D1 for all tabs;
//! - `waterfall`: a trace on one time axis;
//! - `workers`: Workers over a window, as `tailrace stats` measures them;
//! - `pipeline`: the state of the pipeline, as `tailrace status` has it;
//! - `command`: a search as a command of this tool;
//! - `archived`: the records that are not rows, of a trace or a search;
//! - `app`: what all of these share, and errors as the page shows them;
//! - `handlers`: one function for each address.

mod app;
mod archived;
mod assets;
mod beginnings;
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

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{GlobalArgs, Ui};
use crate::client::d1::Database;
use crate::place::Place;
use crate::{Error, output};

use app::{About, App};
use guard::Guard;

/// Runs the command until Ctrl-C.
///
/// # Errors
/// As [`Error`] has them.
pub async fn run(
    args: &Ui,
    global: &GlobalArgs,
    place: &Place,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let address = server::read_address(&args.listen)?;
    let client = super::connect(place).await?;
    let about = About::new(
        super::installation(place, client.account().as_ref()),
        global,
    );
    // Statements go on when the tab that asked has gone, so what they use lives as long as the process.
    let client = Box::leak(Box::new(client.one_statement_at_once()));
    let database = Box::leak(Box::new(Database::find(client, &place.database()).await?));
    let listener = server::bind(address).await?;
    let address = listener
        .local_addr()
        .map_err(Error::io("read the address of the page"))?;
    let guard = Guard::new()?;
    let url = guard.entry_url(address);
    super::line(out, &url)?;
    out.flush().map_err(Error::io("standard output"))?;
    // The file goes when the command ends.
    let _file = if args.no_browser {
        None
    } else {
        open_browser(&url)
    };
    let app = App::new(client, database, place.clone(), about);
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        ended = server::serve(listener, app, guard) => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// Opens the browser; where that fails, says so, and the address on standard output is what is left.
fn open_browser(url: &str) -> Option<tempfile::NamedTempFile> {
    match open::open_browser(url) {
        Ok(file) => Some(file),
        Err(error) => {
            output::note(&format!(
                "{error}; open the address above in a browser of this machine"
            ));
            None
        }
    }
}
