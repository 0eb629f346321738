//! [`Fallback`] over the KV binding `FALLBACK`.

use worker::Env;
use worker::kv::{KvError, KvStore};
use worker_runtime::CallError;
use worker_runtime::edge::refused;

use crate::ports::{Fallback, KeyPage};

/// The namespace, or the reason why there is none.
pub(crate) struct Kv(Result<KvStore, CallError>);

impl Kv {
    pub(crate) fn new(env: &Env) -> Self {
        let store = env.kv("FALLBACK");
        Self(store.map_err(|_| CallError::MissingBinding("FALLBACK")))
    }

    fn store(&self) -> Result<&KvStore, CallError> {
        self.0.as_ref().map_err(CallError::clone)
    }
}

fn to_call_error(error: KvError) -> CallError {
    match error {
        KvError::JavaScript(thrown) => refused(&thrown),
        other => CallError::Refused(other.to_string()),
    }
}

impl Fallback for Kv {
    async fn put(&self, key: &str, value: &str, ttl_seconds: u64) -> Result<(), CallError> {
        let put = self.store()?.put(key, value).map_err(to_call_error)?;
        let put = put.expiration_ttl(ttl_seconds).execute().await;
        put.map_err(to_call_error)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, CallError> {
        let values = self.store()?.get_bulk(keys).text().await;
        let mut values = values.map_err(to_call_error)?;
        Ok(keys
            .iter()
            .map(|key| values.remove(key).flatten())
            .collect())
    }

    async fn delete(&self, key: &str) -> Result<(), CallError> {
        self.store()?.delete(key).await.map_err(to_call_error)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, CallError> {
        let mut list = self.store()?.list().prefix(prefix.to_owned());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor.to_owned());
        }
        let page = list.execute().await.map_err(to_call_error)?;
        let more = !page.list_complete;
        Ok(KeyPage {
            keys: page.keys.into_iter().map(|key| key.name).collect(),
            cursor: page.cursor.filter(|_| more),
        })
    }
}
