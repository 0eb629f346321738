//! [`Store`] over the D1 binding `DB`. `worker::D1Database` panics where a statement cannot be prepared, and cannot read
//! the `meta` of a database over 4 GiB (its `size_after` has 32 bits on Wasm); `worker_sys` does neither.

use std::cell::Cell;

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;
use worker::worker_sys::{D1Database, D1Result};
use worker_runtime::CallError;
use worker_runtime::edge::{error_text, refused};

use crate::ports::{Statement, StatementResult, Store};
use crate::statement::{asks_for_3_51, before_3_51};

/// The database, or the reason why there is none.
pub(crate) struct D1(Result<D1Database, CallError>);

impl D1 {
    pub(crate) fn new(env: &Env) -> Self {
        let database = env.d1("DB").map_err(|_| CallError::MissingBinding("DB"));
        Self(database.map(|database| JsValue::from(database).unchecked_into()))
    }
}

thread_local! {
    /// This isolate has learnt, from an error that counts as transient, that D1's SQLite is too old for the newer
    /// statements.
    static BEFORE_3_51: Cell<bool> = const { Cell::new(false) };
}

impl Store for D1 {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<StatementResult>, CallError> {
        let database = self.0.as_ref().map_err(CallError::clone)?;
        run(database, statements).await.map_err(|thrown| {
            if asks_for_3_51(&error_text(&thrown)) {
                BEFORE_3_51.set(true);
            }
            refused(&thrown)
        })
    }
}

async fn run(
    database: &D1Database,
    statements: &[Statement],
) -> Result<Vec<StatementResult>, JsValue> {
    let prepared = Array::new();
    for Statement { sql, parameters } in statements {
        let sql = if BEFORE_3_51.get() {
            before_3_51(sql)
        } else {
            sql
        };
        let values = parameters
            .iter()
            .map(|text| JsValue::from_str(text))
            .collect();
        prepared.push(&database.prepare(sql)?.bind(values)?.into());
    }
    let results = JsFuture::from(database.batch(prepared)?).await?;
    let results: Array = results.dyn_into()?;
    Ok(results
        .iter()
        .map(|result| to_result(&result.unchecked_into()))
        .collect())
}

/// Reads what is there: a property that is missing or odd counts as unknown.
fn to_result(result: &D1Result) -> StatementResult {
    let meta = result.meta().unwrap_or_default();
    let number = |name: &str| Reflect::get(&meta, &name.into()).ok()?.as_f64();
    let rows = result.results().ok().flatten();
    let row = rows.and_then(|rows| rows.get(0).dyn_into::<Object>().ok());
    StatementResult {
        row: row
            .map(|row| {
                let values = Object::values(&row);
                values.iter().filter_map(|it| it.as_string()).collect()
            })
            .unwrap_or_default(),
        changes: to_whole(number("changes")),
        rows_written: to_whole(number("rows_written")),
        size_bytes: to_whole(number("size_after")),
        duration_us: to_whole(number("duration").map(|ms| ms * 1000.0)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and these numbers are whole and not negative"
)]
fn to_whole(number: Option<f64>) -> u64 {
    number.unwrap_or(0.0) as u64
}
