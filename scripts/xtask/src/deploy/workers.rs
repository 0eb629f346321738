//! Uploads a Worker, unless the one that runs is the same: each version is tagged with its fingerprint.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::plan::Outcome;
use super::render::{self, Rendered};
use super::wrangler::Wrangler;

/// Brings the Worker up to date. Its triggers (crons, queue consumers) are set in any case: they are no part of a
/// version, and an earlier deployment may have stopped between the two.
///
/// A Worker of the same name that was not deployed from here is somebody else's: it is only replaced with `overwrite`.
pub(crate) fn deploy(wrangler: &Wrangler, worker: &Rendered, overwrite: bool) -> Result<Outcome> {
    let config = worker.path.to_string_lossy();
    match running(wrangler, &worker.name)? {
        Running::Tagged(tag) if tag == worker.fingerprint => {
            wrangler.run(&["triggers", "deploy", "--config", &config])?;
            return Ok(Outcome::Unchanged);
        }
        Running::Untagged if !overwrite && is_foreign(wrangler, &worker.name)? => bail!(
            "there is a Worker {} already, and none of its latest versions was deployed from here: choose other names with \
             --env NAME, leave the samples out with --pipeline-only, or replace it with --overwrite",
            worker.name
        ),
        Running::Nothing | Running::Tagged(_) | Running::Untagged => {}
    }
    let answer = wrangler.run(&[
        "deploy",
        "--config",
        &config,
        "--tag",
        &worker.fingerprint,
        "--message",
        "cargo xtask deploy",
    ])?;
    Ok(Outcome::Updated(address(&answer)))
}

/// Has wrangler bundle and check the Worker; returns what it says about size and bindings.
pub(crate) fn check(wrangler: &Wrangler, worker: &Rendered) -> Result<String> {
    let config = worker.path.to_string_lossy();
    let answer = wrangler.run(&["deploy", "--dry-run", "--config", &config])?;
    Ok(answer.trim().to_owned())
}

/// Returns whether the Worker has the secret; no, where that cannot be found out.
pub(crate) fn has_secret(wrangler: &Wrangler, worker: &str, secret: &str) -> bool {
    let listed = wrangler
        .run(&["secret", "list", "--name", worker])
        .unwrap_or_default();
    listed.contains(&format!("\"{secret}\""))
}

/// What serves a Worker's traffic.
enum Running {
    /// There is no such Worker.
    Nothing,
    /// One version, deployed from here with this fingerprint.
    Tagged(String),
    /// Anything else: a version from elsewhere, one that a new secret made, or several.
    Untagged,
}

fn running(wrangler: &Wrangler, name: &str) -> Result<Running> {
    let answer = wrangler.output(&["deployments", "status", "--json", "--name", name])?;
    if !answer.succeeded {
        if answer.is_missing() {
            return Ok(Running::Nothing);
        }
        bail!("Worker {name} cannot be read: {}", answer.complaint());
    }
    let deployment: Value = serde_json::from_str(answer.stdout.trim())
        .with_context(|| format!("the deployment of {name}"))?;
    let versions = deployment.get("versions").and_then(Value::as_array);
    let Some([version]) = versions.map(Vec::as_slice) else {
        return Ok(Running::Untagged);
    };
    let id = version
        .get("version_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = wrangler.run(&["versions", "view", id, "--json", "--name", name])?;
    let version: Value =
        serde_json::from_str(text.trim()).with_context(|| format!("version {id} of {name}"))?;
    Ok(own_tag(&version).map_or(Running::Untagged, |tag| Running::Tagged(tag.to_owned())))
}

/// Returns whether no recent version of the Worker `name` was deployed from here. (The running one may have no tag and still be
/// ours: setting a secret makes a version too.)
fn is_foreign(wrangler: &Wrangler, name: &str) -> Result<bool> {
    let text = wrangler.run(&["versions", "list", "--json", "--name", name])?;
    let versions: Vec<Value> =
        serde_json::from_str(text.trim()).with_context(|| format!("the versions of {name}"))?;
    Ok(!versions.iter().any(|version| own_tag(version).is_some()))
}

/// The fingerprint that a version was deployed with, from here.
fn own_tag(version: &Value) -> Option<&str> {
    version
        .get("annotations")?
        .get("workers/tag")?
        .as_str()
        .filter(|tag| tag.starts_with(render::FINGERPRINT_PREFIX))
}

/// The address that wrangler prints for a Worker that has one.
fn address(answer: &str) -> Option<String> {
    let host = answer
        .split_whitespace()
        .find(|word| word.ends_with(".workers.dev"))?;
    Some(format!("https://{}", host.trim_start_matches("https://")))
}
