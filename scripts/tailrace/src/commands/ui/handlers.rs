//! One function for each address. Answers that take several statements are lines of JSON, each sent as it is known; a tab
//! that goes away, or asks something newer, ends them, and what was not asked yet is not asked any more.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::app::{About, App, Failed, describe};
use super::counts::Count;
use super::desk::Rank;
use super::question::{Asked, Question, with_term};
use super::rows::Search;
use super::workers::Measurement;
use super::{archived, command, pipeline, waterfall};
use crate::Error;
use crate::commands::trace;
use crate::ids::{self, Resolution};
use crate::query;
use crate::record::read_rows;
use crate::sql::{self, IdColumn, Position};

/// Records of a trace that are read.
const TRACE_ROWS: usize = 5000;

pub(super) async fn about(State(app): State<App>) -> Json<About> {
    Json(About::clone(&app.about))
}

/// The place of the last row that a list has.
#[derive(Deserialize)]
pub(super) struct After {
    before_time: Option<String>,
    before_id: Option<String>,
}

pub(super) async fn logs(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> Result<Response, Failed> {
    let question = asked.read(Timestamp::now())?;
    let before = match (after.before_time, after.before_id) {
        (Some(timestamp), Some(log_id)) => Some(Position { timestamp, log_id }),
        _ => None,
    };
    let window = json!({"from_ms": question.from_ms, "to_ms": question.to_ms, "q": question.text});
    let search = Search::new(question, before);
    Ok(lines(LogSteps(Some(window), search, app)))
}

/// Asks for counts that are made anew.
#[derive(Deserialize)]
pub(super) struct Refresh {
    #[serde(default)]
    refresh: bool,
}

pub(super) async fn counts(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    Query(Refresh { refresh }): Query<Refresh>,
) -> Result<Response, Failed> {
    let question = asked.read(Timestamp::now())?;
    if refresh {
        app.remembered.forget(&question.text);
    }
    let count = Count::new(question, &app.remembered);
    Ok(lines(CountSteps(count, app)))
}

/// Something that is answered step by step.
trait Steps: Send + 'static {
    /// Takes the next step; `None` after the last.
    fn step(&mut self) -> impl Future<Output = Option<Result<Value, Error>>> + Send;
}

struct LogSteps(Option<Value>, Search, App);

impl Steps for LogSteps {
    async fn step(&mut self) -> Option<Result<Value, Error>> {
        match self.0.take() {
            Some(window) => Some(Ok(window)),
            None => self.1.step(&self.2.desk).await,
        }
    }
}

struct CountSteps(Count, App);

impl Steps for CountSteps {
    async fn step(&mut self) -> Option<Result<Value, Error>> {
        self.0.step(&self.1.desk, &self.1.remembered).await
    }
}

struct WorkerSteps(Measurement, App);

impl Steps for WorkerSteps {
    async fn step(&mut self) -> Option<Result<Value, Error>> {
        self.0.step(&self.1.desk).await
    }
}

pub(super) async fn workers(
    State(app): State<App>,
    Query(mut asked): Query<Asked>,
) -> Result<Response, Failed> {
    // Of all records, whatever the search of the logs is.
    asked.q.clear();
    let question = asked.read(Timestamp::now())?;
    Ok(lines(WorkerSteps(Measurement::new(question), app)))
}

pub(super) async fn pipeline(State(app): State<App>) -> Result<Json<Value>, Failed> {
    let (client, place) = (app.client, Arc::clone(&app.place));
    let look = move |_| async move { Ok(pipeline::look(client, &place).await) };
    let (status, _) = app.desk.ask(Rank::Trace, look).await;
    Ok(Json(status?))
}

/// Answers with one line of JSON for each step; an error is the last.
fn lines(steps: impl Steps) -> Response {
    let lines = stream::unfold(Some(steps), |steps| async move {
        let mut steps = steps?;
        let (value, rest) = match steps.step().await? {
            Ok(value) => (value, Some(steps)),
            Err(error) => (describe(&error), None),
        };
        Some((Ok::<_, Infallible>(format!("{value}\n")), rest))
    });
    let media_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (media_type, Body::from_stream(lines)).into_response()
}

/// The place of one record.
#[derive(Deserialize)]
pub(super) struct One {
    timestamp: String,
    id: String,
}

pub(super) async fn record(
    State(app): State<App>,
    Query(one): Query<One>,
) -> Result<Response, Failed> {
    let statement = sql::record(&one.timestamp, &one.id);
    let (rows, _) = app
        .desk
        .ask(Rank::Rows, move |database| async move {
            database.query(&statement).await
        })
        .await;
    let row = match read_rows(rows?)?.pop() {
        Some(row) => Some(row),
        None => archived::find_record(&app, &one.timestamp, &one.id).await?,
    };
    Ok(match row {
        Some(row) => Json(row).into_response(),
        None => gone("this record is not stored any more"),
    })
}

fn gone(what: &str) -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({"error": what, "hint": null})),
    )
        .into_response()
}

/// A trace as it is drawn, and what is to be said of the archive.
#[derive(Serialize)]
struct Drawn {
    #[serde(flatten)]
    waterfall: waterfall::Waterfall,
    archive: archived::ArchiveNote,
}

/// An id as a person has it.
#[derive(Deserialize)]
pub(super) struct Id {
    id: String,
}

pub(super) async fn trace(
    State(app): State<App>,
    Query(Id { id }): Query<Id>,
) -> Result<Response, Failed> {
    let id = id.trim().to_owned();
    let asked = id.clone();
    let own = app.clone();
    let (answer, _) = app
        .desk
        .ask(Rank::Trace, move |database| async move {
            let mut found = trace::find(database, &asked, TRACE_ROWS).await?;
            if found.rows.is_empty() {
                let columns = [IdColumn::Correlation, IdColumn::Request];
                match ids::resolve(database, &asked, &columns).await? {
                    Resolution::One(one) => {
                        found = trace::find(database, &one.id, TRACE_ROWS).await?;
                    }
                    Resolution::Several(candidates) => return Ok(Err(candidates)),
                    Resolution::Unknown => {}
                }
            }
            let note = archived::add_to_trace(&own, database, &mut found, TRACE_ROWS).await;
            Ok(Ok((found, note)))
        })
        .await;
    Ok(match answer? {
        Ok((found, _)) if found.rows.is_empty() => (
            StatusCode::NOT_FOUND,
            Json(json!({
                "error": format!("nothing has the correlation or request id \"{id}\""),
                "hint": "logs arrive some seconds after the request, and are kept for 7 days unless RETENTION_DAYS says \
                         otherwise; an id may be cut to its first 4 characters; `tailrace trace ID --since --until` looks for older \
                         records in the archive",
            })),
        )
            .into_response(),
        Ok((found, archive)) => Json(Drawn {
            waterfall: waterfall::lay_out(&found, TRACE_ROWS),
            archive,
        })
        .into_response(),
        Err(candidates) => {
            let candidates: Vec<_> = candidates
                .into_iter()
                .map(|one| json!({"id": one.id, "timestamp": one.timestamp, "worker": one.worker}))
                .collect();
            Json(json!({"candidates": candidates})).into_response()
        }
    })
}

/// A value that somebody chose.
#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    q: String,
    field: String,
    value: String,
    #[serde(default)]
    not: bool,
}

pub(super) async fn term(Query(chosen): Query<Chosen>) -> Result<Json<Value>, Failed> {
    let q = with_term(&chosen.q, &chosen.field, &chosen.value, chosen.not);
    let asked = Asked {
        q,
        ..Asked::default()
    };
    asked.read(Timestamp::now())?;
    Ok(Json(json!({"q": asked.q})))
}

/// The thing that a command is to show: a trace where there is an id, else a search.
#[derive(Deserialize)]
pub(super) struct Shown {
    id: Option<String>,
}

pub(super) async fn command(
    State(app): State<App>,
    Query(shown): Query<Shown>,
    Query(asked): Query<Asked>,
) -> Json<Value> {
    let options = &app.about.options;
    let command = match shown.id {
        Some(id) => command::trace(options, &id),
        None => command::logs(options, &asked),
    };
    Json(json!({"command": command}))
}

/// Follows in a WebSocket: of other open streams, a browser has six at most to one server, all windows together, and its
/// questions would wait for one of them to end.
pub(super) async fn live(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failed> {
    let Question { query, .. } = asked.read(Timestamp::now())?;
    Ok(upgrade.on_upgrade(move |socket| send_rows(socket, query, app)))
}

/// Sends a tab the rows that `query` means, until the tab goes.
async fn send_rows(mut socket: WebSocket, query: query::Query, app: App) {
    let mut looks = app.looks.join(&app.desk);
    loop {
        let found = tokio::select! {
            found = looks.recv() => found,
            // A tab says nothing but that it goes.
            _ = socket.recv() => return,
        };
        let text = match found {
            Ok(found) => found.to_json(&query),
            // The tab asks for its rows anew.
            Err(RecvError::Lagged(_)) => r#"{"behind":true}"#.to_owned(),
            Err(RecvError::Closed) => return,
        };
        if socket.send(text.into()).await.is_err() {
            return;
        }
    }
}
