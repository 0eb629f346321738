//! KV: finding the fallback namespace by title, and its keys and values.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Answer, Call, Client, encode};
use crate::Error;

/// Namespaces of one page. (Cloudflare API: at most 1,000.)
const PAGE_NAMESPACES: usize = 100;

/// A namespace.
#[derive(Debug)]
pub struct Namespace<'a> {
    client: &'a Client,
    id: String,
    /// The server's clock when the namespace was found.
    pub found_at: Timestamp,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    title: String,
}

#[derive(Deserialize)]
struct Key {
    name: String,
}

impl<'a> Namespace<'a> {
    /// The namespace of `title`. Locally it goes by the name of its binding, `FALLBACK`.
    ///
    /// # Errors
    /// [`Error::Missing`] with the titles there are.
    pub async fn find(client: &'a Client, title: &str) -> Result<Self, Error> {
        let mut seen = Vec::new();
        for page in 1_u64.. {
            let number = page.to_string();
            let mut call = Call::get("find the KV namespace", "/storage/kv/namespaces");
            if !client.is_local() {
                call = call.query("per_page", "100").query("page", &number);
            }
            let Answer { result, info, date } = client.list::<Listed>(&call).await?;
            let listed_now = result.len();
            for listed in result {
                let meant = listed.title == title
                    || (client.is_local()
                        && [&listed.title, &listed.id]
                            .iter()
                            .any(|name| *name == "FALLBACK"));
                if meant {
                    return Ok(Self {
                        client,
                        id: listed.id,
                        found_at: date.unwrap_or_else(Timestamp::now),
                    });
                }
                seen.push(listed.title);
            }
            // Neither count is promised; without both, only a full page has another one behind it.
            let more = match (info.total_pages, info.total_count) {
                (Some(pages), _) => page < pages,
                (None, Some(count)) => listed_now > 0 && (seen.len() as u64) < count,
                (None, None) => listed_now >= PAGE_NAMESPACES,
            };
            if client.is_local() || !more {
                break;
            }
        }
        Err(Error::Missing {
            kind: "KV namespace",
            name: title.to_owned(),
            available: seen,
            option: "--fallback",
        })
    }

    fn path(&self, rest: &str) -> String {
        format!("/storage/kv/namespaces/{}/{rest}", encode(&self.id))
    }

    /// Returns the keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn list_keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut call =
                Call::get("list the fallback's keys", self.path("keys")).query("prefix", prefix);
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let page = self.client.list::<Key>(&call).await?;
            keys.extend(page.result.into_iter().map(|key| key.name));
            match page.info.cursor {
                Some(next) if !next.is_empty() => cursor = Some(next),
                _ => return Ok(keys),
            }
        }
    }

    /// Returns the first keys, at most 1,000, in order, and whether there are more.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn first_keys(&self) -> Result<(Vec<String>, bool), Error> {
        let call = Call::get("list the fallback's keys", self.path("keys"));
        let page = self.client.list::<Key>(&call).await?;
        let more = page.info.cursor.is_some_and(|cursor| !cursor.is_empty());
        Ok((page.result.into_iter().map(|key| key.name).collect(), more))
    }

    /// The value of `key`; `None` where it is gone.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(&format!("values/{}", encode(key)));
        self.client
            .value(&Call::get("read a value of the fallback", path))
            .await
    }

    /// Deletes `key`, whether it is there or not.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(&format!("values/{}", encode(key)));
        self.client
            .value(&Call::delete("delete a key of the fallback", path))
            .await
            .map(|_| ())
    }
}
