//! Calls Cloudflare's API, with the credentials in the environment, else with wrangler's login. The pinned Node makes the
//! calls, so that xtask need not be compiled with TLS: one process for all of them, which keeps its connections.

use std::cell::RefCell;
use std::fmt;

use anyhow::{Context, Result, bail};
use checkout::Workspace;
use checkout::process::Responder;
use serde_json::{Value, json};

use super::hints;
use super::wrangler::Wrangler;
use crate::step::detail;

const SCRIPT: &str = include_str!("api.mjs");

const NOT_LOGGED_IN: &str = "not logged in to Cloudflare\n\
     hint: set CLOUDFLARE_API_TOKEN (docs/operations.md says with which permissions), or log in with \
     `(cd wrangler && npx wrangler login)`";

/// A caller of the API.
pub(crate) struct Client {
    node: RefCell<Responder>,
    has_login: bool,
}

/// An answer of the API that is not a success.
#[derive(Debug)]
pub(crate) struct ApiError {
    call: String,
    status: u64,
    code: Option<u64>,
    message: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map(|code| format!(" [code: {code}]"));
        let text = format!("{}{}", self.message, code.unwrap_or_default());
        let (call, status, hint) = (&self.call, self.status, hints::find(&text));
        write!(
            f,
            "Cloudflare's API refuses {call} with {status}: {text}{hint}"
        )
    }
}

impl std::error::Error for ApiError {}

/// Returns whether the API says that something does not exist.
pub(crate) fn is_missing(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ApiError>();
    error.is_some_and(|error| error.status == 404)
}

/// Returns the API's code for an error; `None` where the error is another one.
pub(crate) fn code_of(error: &anyhow::Error) -> Option<u64> {
    error.downcast_ref::<ApiError>()?.code
}

impl Client {
    /// Takes the token from the environment, else from wrangler's login.
    ///
    /// # Errors
    /// Fails if there is neither.
    pub(crate) fn new(workspace: &Workspace) -> Result<Self> {
        let mut token = variable("CLOUDFLARE_API_TOKEN");
        let has_login = token.is_none() && variable("CLOUDFLARE_API_KEY").is_none();
        if has_login {
            token = Some(read_login(workspace)?);
        }
        let mut command = workspace.command("node")?;
        command
            .args(["--input-type=module", "--eval", SCRIPT])
            .env("NODE_USE_ENV_PROXY", "1")
            .envs(token.map(|token| ("TAILRACE_API_TOKEN", token)));
        let node = RefCell::new(Responder::spawn(&mut command)?);
        Ok(Self { node, has_login })
    }

    /// Returns whether wrangler's login is used, which can see each of its accounts. A token in the environment need not be
    /// allowed to list them.
    pub(crate) fn has_login(&self) -> bool {
        self.has_login
    }

    /// Returns the result of a call: `path` from the root of the API, which errors and the terminal show as `shown`.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        shown: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let call = format!("{method} {shown}");
        detail(&call);
        let request = json!({ "method": method, "path": path, "body": body });
        let answer = self.node.borrow_mut().ask(&request.to_string());
        let answer: Value = answer
            .and_then(|line| Ok(serde_json::from_str(&line)?))
            .with_context(|| format!("the answer to {call}"))?;
        if let Some(problem) = answer.get("problem").and_then(Value::as_str) {
            bail!(
                "{call} is not answered: {problem}{}",
                hints::find("fetch failed")
            );
        }
        let status = answer.get("status").and_then(Value::as_u64);
        let status = status.unwrap_or_default();
        let text = answer.get("text").and_then(Value::as_str);
        let body: Value = serde_json::from_str(text.unwrap_or_default()).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(body.get("result").cloned().unwrap_or_default());
        }
        let error = body.get("errors").and_then(|errors| errors.get(0));
        let part = |key| error.and_then(|error| error.get(key));
        let message = part("message").and_then(Value::as_str);
        bail!(ApiError {
            call,
            status,
            code: part("code").and_then(Value::as_u64),
            message: message.unwrap_or("it gives no reason").to_owned(),
        })
    }
}

/// Returns the token of wrangler's login.
fn read_login(workspace: &Workspace) -> Result<String> {
    let answer = Wrangler::new(workspace, None).output(&["auth", "token", "--json"])?;
    if !answer.succeeded {
        let complaint = answer.complaint();
        if complaint.contains("Not logged in") {
            bail!("{NOT_LOGGED_IN}");
        }
        bail!("wrangler cannot tell who is logged in: {complaint}");
    }
    let value: Value = serde_json::from_str(answer.stdout.trim()).context("wrangler's token")?;
    let token = value.get("token").and_then(Value::as_str);
    Ok(token.context(NOT_LOGGED_IN)?.to_owned())
}

/// Returns a variable of the environment that is not blank.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}
