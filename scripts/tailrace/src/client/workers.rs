//! Workers: what is deployed, with which settings, and which of them are tailed. (Cloudflare: Workers REST API.)

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Call, Client, encode, null_is_default};
use crate::Error;

/// The deployment that serves a Worker's requests now.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Deployment {
    /// The versions, each with its share of the requests in percent; one, unless a deployment is gradual.
    pub versions: Vec<Version>,
    /// The time of the deployment.
    pub created_on: Option<String>,
    /// The message of whoever deployed it.
    pub message: Option<String>,
}

/// A version of a Worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Its share of the requests, in percent.
    pub percentage: u64,
}

#[derive(Default, Deserialize)]
struct Deployments {
    #[serde(default, deserialize_with = "null_is_default")]
    deployments: Vec<ListedDeployment>,
}

#[derive(Deserialize)]
struct ListedDeployment {
    #[serde(default)]
    created_on: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: BTreeMap<String, serde_json::Value>,
    #[serde(default, deserialize_with = "null_is_default")]
    versions: Vec<ListedVersion>,
}

#[derive(Deserialize)]
struct ListedVersion {
    #[serde(default, deserialize_with = "null_is_default")]
    version_id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    percentage: f64,
}

#[derive(Deserialize)]
struct Script {
    #[serde(default, deserialize_with = "null_is_default")]
    id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    tail_consumers: Vec<TailConsumer>,
}

#[derive(Deserialize)]
struct TailConsumer {
    #[serde(default, deserialize_with = "null_is_default")]
    service: String,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default, deserialize_with = "null_is_default")]
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    #[serde(default, deserialize_with = "null_is_default")]
    name: String,
    #[serde(default, rename = "type", deserialize_with = "null_is_default")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

impl Client {
    /// Returns what serves the Worker of `name` now; `None` where there is no such Worker, or nothing of it is deployed.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn deployment(&self, name: &str) -> Result<Option<Deployment>, Error> {
        let path = format!("/workers/scripts/{}/deployments", encode(name));
        let call = Call::get("read the Worker's deployments", path);
        let found = unless_missing(self.answer::<Deployments>(&call).await)?;
        // The first one is the one that serves.
        let newest = found.and_then(|answer| answer.result?.deployments.into_iter().next());
        Ok(newest.map(|newest| Deployment {
            versions: newest
                .versions
                .into_iter()
                .map(|version| Version {
                    id: version.version_id,
                    percentage: super::whole(version.percentage),
                })
                .collect(),
            created_on: newest.created_on,
            message: newest
                .annotations
                .get("workers/message")
                .and_then(|message| message.as_str())
                .map(str::to_owned),
        }))
    }

    /// Returns the settings of the Worker of `name` that are plain text, by name; none where there is no such Worker.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn worker_settings(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let path = format!("/workers/scripts/{}/settings", encode(name));
        let call = Call::get("read the Worker's settings", path);
        let found = unless_missing(self.answer::<Settings>(&call).await)?;
        let settings = found.and_then(|answer| answer.result).unwrap_or_default();
        Ok(settings
            .bindings
            .into_iter()
            .filter(|binding| binding.kind == "plain_text")
            .filter_map(|binding| Some((binding.name, binding.text?)))
            .collect())
    }

    /// Returns the names of the Workers whose tail consumer is `consumer`, in order.
    ///
    /// # Errors
    /// As the API has them.
    pub async fn tailed_workers(&self, consumer: &str) -> Result<Vec<String>, Error> {
        let call = Call::get("list the Workers", "/workers/scripts");
        let scripts = self.list::<Script>(&call).await?.result;
        let names = |script: &Script| {
            script
                .tail_consumers
                .iter()
                .any(|one| one.service == consumer)
        };
        let mut tailed: Vec<_> = scripts
            .into_iter()
            .filter(names)
            .map(|script| script.id)
            .collect();
        tailed.sort_unstable();
        Ok(tailed)
    }
}

/// Takes the answer that there is no such thing for `None`.
fn unless_missing<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::Api { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
