//! R2: objects of the archive's bucket.

use super::{Call, Client, encode};
use crate::Error;
use crate::error::READ_OBJECT;

/// A bucket.
#[derive(Debug)]
pub struct Bucket<'a> {
    client: &'a Client,
    name: String,
}

impl<'a> Bucket<'a> {
    /// Names a bucket; nobody is asked whether it is there.
    #[must_use]
    pub fn new(client: &'a Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }

    /// Returns the object of `key` as it lies in the bucket; `None` where it is gone.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        // The API takes a key with its slashes, as wrangler writes it; the local runtime's takes one segment.
        let key = if self.client.is_local() {
            encode(key)
        } else {
            let segments: Vec<_> = key.split('/').map(encode).collect();
            segments.join("/")
        };
        let path = format!("/r2/buckets/{}/objects/{key}", encode(&self.name));
        self.client.value(&Call::get(READ_OBJECT, path)).await
    }
}
