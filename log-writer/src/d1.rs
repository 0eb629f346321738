//! [`Store`] over the D1 binding `DB`.

use std::cell::Cell;

use js_sys::{Array, Object};
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::{Database, binding, property, whole_number, words};
use crate::ports::{Outcome, Statement, Store, StoreError};
use crate::statement::{asks_for_3_51, before_3_51};

/// The database, or why there is none.
pub(crate) struct D1(Result<Database, String>);

impl D1 {
    pub(crate) fn new(env: &JsValue) -> Self {
        Self(binding(env, "DB"))
    }
}

thread_local! {
    /// This isolate has learnt, from an error that `classify` calls transient, that D1's SQLite is too old for the newer
    /// statements.
    static BEFORE_3_51: Cell<bool> = const { Cell::new(false) };
}

impl Store for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, StoreError> {
        let database = self.0.as_ref().map_err(StoreError::new)?;
        let failed = |thrown: JsValue| {
            let text = words(&thrown);
            if asks_for_3_51(&text) {
                BEFORE_3_51.set(true);
            }
            StoreError::new(text)
        };
        let prepared = Array::new();
        for Statement { sql, parameters } in statements {
            let values = parameters
                .iter()
                .map(|text| JsValue::from_str(text))
                .collect();
            let sql = if BEFORE_3_51.get() {
                before_3_51(sql)
            } else {
                sql
            };
            let statement = database.prepare(sql).map_err(failed)?;
            prepared.push(&statement.bind(values).map_err(failed)?);
        }
        let results = database.batch(prepared).await.map_err(failed)?;
        let results: Array = results
            .dyn_into()
            .map_err(|_| StoreError::new("a batch's result is no array"))?;
        Ok(results.iter().map(|result| outcome(&result)).collect())
    }
}

fn outcome(result: &JsValue) -> Outcome {
    let meta = property(result, "meta").unwrap_or(JsValue::UNDEFINED);
    let row = property(result, "results")
        .and_then(|rows| {
            rows.dyn_into::<Array>()
                .ok()?
                .get(0)
                .dyn_into::<Object>()
                .ok()
        })
        .map(|row| {
            Object::values(&row)
                .iter()
                .filter_map(|value| value.as_string())
                .collect()
        });
    Outcome {
        row: row.unwrap_or_default(),
        changes: whole_number(&meta, "changes"),
        rows_written: whole_number(&meta, "rows_written"),
        size_bytes: whole_number(&meta, "size_after"),
    }
}
