//! Uploads a Worker, unless the one that runs is the same: each carries its fingerprint, in a variable and as a tag.

use anyhow::{Result, bail};
use serde_json::Value;

use super::api::{Api, entries, text};
use super::plan::Outcome;
use super::render::{self, FINGERPRINT_VAR, Rendered};
use super::wrangler::Wrangler;

/// Brings the Worker up to date. Its triggers (crons, queue consumers) are set in any case: they are no part of a
/// version, and an earlier deployment may have stopped between the two.
pub(crate) fn deploy(wrangler: &Wrangler, worker: &Rendered, running: &Running) -> Result<Outcome> {
    let config = worker.path.to_string_lossy();
    if running.fingerprint() == Some(&worker.fingerprint) {
        wrangler.run(&["triggers", "deploy", "--config", &config])?;
        return Ok(Outcome::Unchanged);
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
pub(crate) fn has_secret(api: &Api, worker: &str, secret: &str) -> bool {
    let listed = api.get(&format!("workers/scripts/{worker}/secrets"));
    let listed = listed.unwrap_or_default();
    let mut secrets = listed.as_array().into_iter().flatten();
    secrets.any(|it| text(it, "name") == secret)
}

/// The versions that serve a Worker's traffic.
#[derive(Debug)]
pub(crate) enum Running {
    /// There is no such Worker.
    Nothing,
    /// One version, as Cloudflare's API shows it.
    Version(Value),
    /// Several versions at once.
    Several,
}

impl Running {
    /// Returns the fingerprint of what runs, if it was deployed from here.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Version(version) => own_fingerprint(version),
            Self::Nothing | Self::Several => None,
        }
    }

    /// Returns the one version that runs.
    pub(crate) fn version(&self) -> Option<&Value> {
        match self {
            Self::Version(version) => Some(version),
            Self::Nothing | Self::Several => None,
        }
    }
}

/// Makes sure that a Worker that runs was deployed from here: another one is somebody else's.
///
/// # Errors
/// Fails if it was not.
pub(crate) fn check_owner(api: &Api, name: &str, running: &Running) -> Result<()> {
    let is_known = matches!(running, Running::Nothing) || running.fingerprint().is_some();
    if !is_known && is_foreign(api, name)? {
        bail!(
            "there is a Worker {name} already, and it was not deployed from here\n\
             hint: choose other names with --env NAME, leave the samples out with --pipeline-only, or replace it with \
             --overwrite"
        );
    }
    Ok(())
}

/// Finds out what runs as the Worker `name`.
pub(crate) fn find(api: &Api, name: &str) -> Result<Running> {
    let answer = api.find(&format!("workers/scripts/{name}/deployments"))?;
    let answer = answer.unwrap_or_default();
    // The first is the one that serves.
    let Some(deployment) = entries(&answer, "deployments").next() else {
        return Ok(Running::Nothing);
    };
    let mut versions = entries(deployment, "versions");
    let (Some(version), None) = (versions.next(), versions.next()) else {
        return Ok(Running::Several);
    };
    let id = text(version, "version_id");
    let version = api.get(&format!("workers/scripts/{name}/versions/{id}"))?;
    Ok(Running::Version(version))
}

/// Returns whether no recent version of the Worker `name` was deployed from here. (Versions from before there was
/// [`FINGERPRINT_VAR`] have a tag alone, and a new secret makes a version without one.)
fn is_foreign(api: &Api, name: &str) -> Result<bool> {
    let answer = api.get(&format!("workers/scripts/{name}/versions?deployable=true"))?;
    Ok(!entries(&answer, "items").any(|version| own_fingerprint(version).is_some()))
}

/// Returns the fingerprint that a version was deployed with, from here.
fn own_fingerprint(version: &Value) -> Option<&str> {
    let tag = || version.get("annotations")?.get("workers/tag")?.as_str();
    let variable = bindings(version)
        .find(|binding| text(binding, "name") == FINGERPRINT_VAR)
        .and_then(|binding| binding.get("text")?.as_str());
    variable
        .or_else(tag)
        .filter(|text| text.starts_with(render::FINGERPRINT_PREFIX))
}

/// Returns the bindings of a version.
pub(crate) fn bindings(version: &Value) -> impl Iterator<Item = &Value> {
    entries(version.get("resources").unwrap_or(&Value::Null), "bindings")
}

/// Returns the address that wrangler prints for a Worker that has one.
fn address(answer: &str) -> Option<String> {
    let host = answer
        .split_whitespace()
        .find(|word| word.ends_with(".workers.dev"))?;
    Some(format!("https://{}", host.trim_start_matches("https://")))
}
