//! `tailrace ui`: serves a page of logs and traces on this machine, and opens it.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::{GlobalArgs, Ui};
use crate::client::d1::Database;
use crate::place::Place;
use crate::ui::{self, About, App, Guard};
use crate::{Error, output};

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
    let address = ui::read_address(&args.listen)?;
    let client = super::connect(place).await?;
    let about = About::new(
        super::installation(place, client.account().as_ref()),
        global,
    );
    // Statements go on when the tab that asked has gone, so what they use lives as long as the process.
    let client = Box::leak(Box::new(client.one_statement_at_once()));
    let database = Box::leak(Box::new(Database::find(client, &place.database()).await?));
    let listener = ui::bind(address).await?;
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
        ended = ui::serve(listener, app, guard) => ended.map(|()| ExitCode::SUCCESS),
    }
}

/// Opens the browser; where that fails, says so, and the address on standard output is what is left.
fn open_browser(url: &str) -> Option<tempfile::NamedTempFile> {
    match ui::open_browser(url) {
        Ok(file) => Some(file),
        Err(error) => {
            output::note(&format!(
                "{error}; open the address above in a browser of this machine"
            ));
            None
        }
    }
}
