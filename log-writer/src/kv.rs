//! [`Fallback`] over the KV binding `FALLBACK`.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use crate::bindings::{Namespace, binding, object, property, words};
use crate::ports::{Fallback, Keys, Refused};

/// The namespace, or why there is none.
pub(crate) struct Kv(Result<Namespace, String>);

impl Kv {
    pub(crate) fn new(env: &JsValue) -> Self {
        Self(binding(env, "FALLBACK"))
    }

    fn namespace(&self) -> Result<&Namespace, Refused> {
        self.0.as_ref().map_err(|missing| Refused(missing.clone()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn refused(thrown: JsValue) -> Refused {
    Refused(words(&thrown))
}

impl Fallback for Kv {
    async fn put(&self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), Refused> {
        #[expect(clippy::cast_precision_loss, reason = "a year of seconds is exact")]
        let options = object(&[("expirationTtl", JsValue::from_f64(ttl_seconds as f64))]);
        let done = self.namespace()?.put(key, value, options).await;
        done.map(|_| ()).map_err(refused)
    }

    async fn get(&self, key: &str) -> Result<Option<String>, Refused> {
        let value = self.namespace()?.get(key).await.map_err(refused)?;
        Ok(value.as_string())
    }

    async fn delete(&self, key: &str) -> Result<(), Refused> {
        let done = self.namespace()?.delete(key).await;
        done.map(|_| ()).map_err(refused)
    }

    async fn list(&self, prefix: &str, limit: u32) -> Result<Keys, Refused> {
        let options = object(&[
            ("prefix", JsValue::from_str(prefix)),
            ("limit", JsValue::from(limit)),
        ]);
        let page = self.namespace()?.list(options).await.map_err(refused)?;
        let keys = property(&page, "keys")
            .and_then(|keys| keys.dyn_into::<Array>().ok())
            .unwrap_or_default();
        Ok(Keys {
            keys: keys
                .iter()
                .filter_map(|key| property(&key, "name")?.as_string())
                .collect(),
            more: property(&page, "list_complete") == Some(JsValue::FALSE),
        })
    }
}
