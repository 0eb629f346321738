//! The state of the server, and errors as the page shows them.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::counts::Remembered;
use super::desk::Desk;
use super::live::Looks;
use crate::Error;
use crate::cli::GlobalArgs;
use crate::client::Client;
use crate::client::d1::Database;
use crate::place::Place;

/// The installation that the page shows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    /// Account, environment and database, or the local system.
    installation: String,
    /// The options that name the same installation on a command line.
    #[serde(skip)]
    pub(super) options: Vec<String>,
}

impl About {
    /// Describes an installation that `global` names.
    #[must_use]
    pub(super) fn new(installation: String, global: &GlobalArgs) -> Self {
        let mut options = Vec::new();
        if let Some(port) = global.local {
            options.extend(["--local".to_owned(), port.to_string()]);
        }
        let config = global
            .config
            .as_ref()
            .map(|path| path.display().to_string());
        for (name, value) in [
            ("--env", &global.env),
            ("--context", &global.context),
            ("--database", &global.database),
            ("--config", &config),
        ] {
            if let Some(value) = value {
                options.extend([name.to_owned(), value.clone()]);
            }
        }
        Self {
            installation,
            options,
        }
    }
}

/// The state of the server.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) desk: Arc<Desk>,
    pub(super) remembered: Arc<Remembered>,
    pub(super) looks: Arc<Looks>,
    pub(super) about: Arc<About>,
    pub(super) client: &'static Client,
    pub(super) place: Arc<Place>,
}

impl App {
    /// Serves what `database` holds, and the state of the installation that `client` reaches.
    #[must_use]
    pub(super) fn new(
        client: &'static Client,
        database: &'static Database<'static>,
        place: Place,
        about: About,
    ) -> Self {
        Self {
            desk: Arc::new(Desk::new(database)),
            remembered: Arc::default(),
            looks: Arc::default(),
            about: Arc::new(about),
            client,
            place: Arc::new(place),
        }
    }
}

/// An error as the page shows it.
pub(super) struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0 {
            Error::Usage(_) | Error::Query { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        };
        (status, Json(describe(&self.0))).into_response()
    }
}

/// Returns an error as the page shows it.
pub(super) fn describe(error: &Error) -> Value {
    json!({"error": error.to_string(), "hint": error.next_step()})
}
