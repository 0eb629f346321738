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
    if running(wrangler, &worker.name).as_deref() == Some(&worker.fingerprint) {
        wrangler.run(&["triggers", "deploy", "--config", &config])?;
        return Ok(Outcome::Unchanged);
    }
    if !overwrite && is_foreign(wrangler, &worker.name)? {
        bail!(
            "there is a Worker {} already, and none of its latest versions was deployed from here: choose other names with \
             --env NAME, leave the samples out with --pipeline-only, or replace it with --overwrite",
            worker.name
        );
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

/// Whether the Worker has the secret; no, where that cannot be found out.
pub(crate) fn has_secret(wrangler: &Wrangler, worker: &str, secret: &str) -> bool {
    let listed = wrangler
        .run(&["secret", "list", "--name", worker])
        .unwrap_or_default();
    listed.contains(&format!("\"{secret}\""))
}

/// Whether there is a Worker `name` of which no recent version has a fingerprint. (The latest may have none: setting a
/// secret makes a version too.)
fn is_foreign(wrangler: &Wrangler, name: &str) -> Result<bool> {
    let answer = wrangler.output(&["versions", "list", "--json", "--name", name])?;
    if !answer.succeeded {
        if answer.is_missing() {
            return Ok(false);
        }
        bail!("Worker {name} cannot be read: {}", answer.complaint());
    }
    let versions: Vec<Value> = serde_json::from_str(answer.stdout.trim())
        .with_context(|| format!("the versions of {name}"))?;
    let ours = |version: &Value| {
        tag(version).is_some_and(|tag| tag.starts_with(render::FINGERPRINT_PREFIX))
    };
    Ok(!versions.iter().any(ours))
}

/// The tag that a version was deployed with.
fn tag(version: &Value) -> Option<&str> {
    version.get("annotations")?.get("workers/tag")?.as_str()
}

/// The fingerprint of the version that serves all of the Worker's traffic. `None` where there is none, or it was not
/// deployed from here, or it cannot be found out: then the Worker is uploaded, which is always right.
fn running(wrangler: &Wrangler, name: &str) -> Option<String> {
    let json = |arguments: &[&str]| -> Option<Value> {
        serde_json::from_str(wrangler.run(arguments).ok()?.trim()).ok()
    };
    let deployment = json(&["deployments", "status", "--json", "--name", name])?;
    let [version] = deployment.get("versions")?.as_array()?.as_slice() else {
        return None;
    };
    let id = version.get("version_id")?.as_str()?;
    tag(&json(&["versions", "view", id, "--json", "--name", name])?).map(str::to_owned)
}

/// The address that wrangler prints for a Worker that has one.
fn address(answer: &str) -> Option<String> {
    let host = answer
        .split_whitespace()
        .find(|word| word.ends_with(".workers.dev"))?;
    Some(format!("https://{}", host.trim_start_matches("https://")))
}
