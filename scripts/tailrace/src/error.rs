//! Errors in words for whoever ran the command; each error knows the next step and the exit code.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::process::ExitCode;

use thiserror::Error;

/// Exit code: everything asked for was done.
pub const DONE: u8 = 0;
/// Exit code: something failed, or (replay) something was left behind, or (trace) the id is unknown.
pub const FAILED: u8 = 1;
/// Exit code: the command line or an input file cannot be used.
pub const USAGE: u8 = 2;
/// Exit code: (status) a part could not be looked at, and nothing seen is red.
pub const UNSEEN: u8 = 3;

/// The purpose of a call for an object, as in "could not {what}".
pub const READ_OBJECT: &str = "read an object of the archive";

/// The reason why a command stopped. Never carries a token or a stored payload.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line or an input cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The environment names another installation than the context that the command line names.
    #[error("--context {context} means the {kind} \"{meant}\", but {variable} is \"{found}\"")]
    Contradiction {
        /// The context.
        context: String,
        /// The name of what differs: `account` or `environment`.
        kind: &'static str,
        /// That of the context.
        meant: String,
        /// The variable that stands above the context.
        variable: &'static str,
        /// Its value.
        found: String,
    },
    /// The query cannot be read.
    #[error("{message}")]
    Query {
        /// The fault and its place.
        message: String,
        /// The text to write instead.
        hint: String,
    },
    /// The plan of a statement reads all of the table, and nobody has said yes to it.
    #[error(
        "this statement may read every row of tail_logs ({steps}), and log-writer waits meanwhile"
    )]
    Scan {
        /// The steps of the plan that do.
        steps: String,
        /// The way to say yes.
        consent: &'static str,
    },
    /// Much of the archive would be read, and nobody can be asked.
    #[error("{amount} of the archive would be read")]
    MuchToRead {
        /// The objects and their bytes.
        amount: String,
    },
    /// The environment has no token, and there is no wrangler to ask.
    #[error("no API token")]
    NoToken,
    /// The token cannot be one.
    #[error("the API token holds a character that no token has")]
    BadToken,
    /// wrangler was asked for its login and gave none.
    #[error("no login from {wrangler}: {reason}")]
    NoLogin {
        /// The program that was asked.
        wrangler: String,
        /// Its words.
        reason: String,
    },
    /// The account is not named and the token sees none, or several.
    #[error("{} accounts can be seen with this token, and none is chosen", .seen.len())]
    AccountUnclear {
        /// `name (id)` of each account.
        seen: Vec<String>,
    },
    /// Cloudflare does not accept the token for this.
    #[error("Cloudflare refused to {what} ({status}: {message})")]
    Refused {
        /// The attempt, as in "to {what}".
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// Cloudflare's words.
        message: String,
    },
    /// No answer.
    #[error("no answer from {host} while trying to {what}: {reason}")]
    Network {
        /// Whom we asked.
        host: String,
        /// The attempt, as in "to {what}".
        what: &'static str,
        /// The transport's words.
        reason: String,
        /// Tells the local runtime from Cloudflare.
        local: bool,
    },
    /// Something that should be there is not.
    #[error("no {kind} named \"{name}\"")]
    Missing {
        /// `D1 database`, `queue` or `KV namespace`.
        kind: &'static str,
        /// The name looked for.
        name: String,
        /// The names there are.
        available: Vec<String>,
        /// The option that names another.
        option: &'static str,
    },
    /// The dead-letter queue cannot be pulled from.
    #[error("the queue \"{queue}\" has no HTTP pull consumer")]
    NoPullConsumer {
        /// The queue's name.
        queue: String,
    },
    /// Somebody paused the deliveries of the queue.
    #[error("the deliveries of the queue \"{queue}\" are paused")]
    QueuePaused {
        /// The queue's name.
        queue: String,
    },
    /// Any other refusal by the API.
    #[error("could not {what} ({status}: {message})")]
    Api {
        /// The attempt, as in "could not {what}".
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// Cloudflare's words.
        message: String,
        /// Tells the local runtime from Cloudflare.
        local: bool,
    },
    /// An answer that is not what the API documents.
    #[error("an answer was not understood while trying to {what}: {reason}")]
    Unreadable {
        /// The attempt, as in "to {what}".
        what: &'static str,
        /// The place where reading stopped.
        reason: String,
    },
    /// The page must not be served to other machines.
    #[error("--listen: {address} is not an address of this machine alone")]
    NotLoopback {
        /// The address asked for.
        address: String,
    },
    /// A file of settings cannot be used.
    #[error("{file}: {reason}")]
    Settings {
        /// The file, behind the option that names it, if any does.
        file: String,
        /// The fault and its place.
        reason: String,
    },
    /// A file or stream of this machine.
    #[error("{what}: {source}")]
    Io {
        /// Which, and what was tried.
        what: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl Error {
    /// The next step to take.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::Query { hint, .. } => hint.clone(),
            Self::Contradiction { variable, .. } => {
                format!("unset {variable}, which stands above a context, or leave --context out")
            }
            Self::Scan { consent, .. } => format!("narrow it with timestamp >= '…', or {consent}"),
            Self::MuchToRead { .. } => "add --yes to read them, ask for less with --since and --until, or leave the archive out \
                with --no-archive"
                .to_owned(),
            Self::NoToken => "set CLOUDFLARE_API_TOKEN (docs/operations.md says with which permissions), or log in with \
                `wrangler login`, in a checkout or with wrangler on PATH; for a running `cargo xtask dev` add --local"
                .to_owned(),
            Self::BadToken => {
                "copy CLOUDFLARE_API_TOKEN anew, without line ends, spaces or quotes".to_owned()
            }
            Self::NoLogin { wrangler, .. } => format!(
                "run `{wrangler} login`, or set CLOUDFLARE_API_TOKEN; for a running `cargo xtask dev` add --local"
            ),
            Self::AccountUnclear { seen } if seen.is_empty() => {
                "set CLOUDFLARE_ACCOUNT_ID, and check that the token covers that account".to_owned()
            }
            Self::AccountUnclear { seen } => {
                format!("set CLOUDFLARE_ACCOUNT_ID to one of: {}", seen.join(", "))
            }
            Self::Refused { what, .. } if *what == READ_OBJECT => "give the token the permission Workers R2 Storage: Read, or \
                leave the archive out with --no-archive"
                .to_owned(),
            Self::Refused { .. } => "check that CLOUDFLARE_API_TOKEN is valid, that CLOUDFLARE_ACCOUNT_ID is the account \
                it belongs to, and that it has the permissions that this command needs (docs/operations.md lists them)"
                .to_owned(),
            Self::Network { .. } if self.is_untrusted() => {
                "if a proxy on the way reads along, let SSL_CERT_FILE name a file with its certificates (PEM)".to_owned()
            }
            Self::Network { local: true, .. } => {
                "start the system with `cargo xtask dev`, or name its port: --local PORT".to_owned()
            }
            Self::Network { .. } => {
                "check the network, proxies and https://www.cloudflarestatus.com, then run the command again".to_owned()
            }
            Self::Missing {
                available, option, ..
            } => {
                let mut text = String::new();
                if !available.is_empty() {
                    let _ = write!(text, "there are: {}; ", available.join(", "));
                }
                let _ = write!(
                    text,
                    "name another with {option} (or --env), check CLOUDFLARE_ACCOUNT_ID, or deploy first: cargo xtask deploy"
                );
                text
            }
            Self::NotLoopback { .. } => "listen on 127.0.0.1, and reach it from another machine through a tunnel: \
                ssh -L 8799:127.0.0.1:8799 HOST"
                .to_owned(),
            Self::NoPullConsumer { queue } => format!(
                "run `cargo xtask deploy`, or `npx wrangler queues consumer http add {queue} --message-retries 100`"
            ),
            Self::QueuePaused { queue } => {
                format!("resume them: `npx wrangler queues resume-delivery {queue}`")
            }
            Self::Api { message, .. } if message.contains("no such table: tail_logs") => {
                "the database has no tables yet: run `cargo xtask deploy` (or `cargo xtask dev` for --local), which \
                 applies the migrations"
                    .to_owned()
            }
            Self::Api { message, .. } if message.contains("constraint") => {
                "a record violates the schema and can never be stored: look at it with --dry-run --export FILE".to_owned()
            }
            Self::Api { message, .. } if is_bad_statement(message) => {
                "mend the statement; `tailrace sql \"SELECT * FROM tail_logs LIMIT 1\"` shows the columns there are".to_owned()
            }
            Self::Api { local: true, .. } => {
                "read what `cargo xtask dev` printed; `cargo xtask dev --fresh` starts anew".to_owned()
            }
            Self::Api { message, .. } if message.contains("daily") => {
                "limits of a day begin anew at 00:00 UTC; Workers Paid has none".to_owned()
            }
            _ if self.is_too_slow() || self.is_too_large() => {
                "ask for less: a shorter --since, a smaller --limit, or one --worker".to_owned()
            }
            Self::Api { status: 429 | 500.., .. } => {
                "Cloudflare is busy or failing; wait a little and run the command again".to_owned()
            }
            Self::Api { status: 404, .. } => "look at what there is: `tailrace status`, or https://dash.cloudflare.com; what was \
                deleted comes back with `cargo xtask deploy`"
                .to_owned(),
            Self::Usage(_) => "the command's --help has every option, and examples".to_owned(),
            Self::Settings { .. } => {
                "mend that file, or name another; docs/tailrace.md says what it may hold".to_owned()
            }
            Self::Unreadable { .. } | Self::Api { .. } => {
                "run the command again; where it stays, this tool may be older than what answers: update the checkout"
                    .to_owned()
            }
            Self::Io { source, .. } => mend_io(source.kind()).to_owned(),
        }
    }

    /// Returns whether the API does not know the credential, or knows it no longer.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused {
                status, message, ..
            } => *status == 401 || message.contains("[9109]") || message.contains("[10000]"),
            _ => false,
        }
    }

    /// Returns whether an id in the call's address may be wrong.
    #[must_use]
    pub fn is_misplaced(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 403 | 404,
                ..
            } | Self::Api {
                status: 403 | 404,
                ..
            }
        )
    }

    /// Returns whether the host showed a certificate that is not trusted.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        matches!(self, Self::Network { reason, .. } if reason.contains("invalid peer certificate"))
    }

    /// Returns whether D1 gave up on a statement that read too much, so that asking for a part may work. The words are
    /// those of D1's list of errors; to send such a statement again only costs D1 the same time again.
    #[must_use]
    pub fn is_too_slow(&self) -> bool {
        match self {
            Self::Api { message, .. } => ["exceeded timeout", "exceeded its CPU time limit"]
                .iter()
                .any(|text| message.contains(text)),
            Self::Network { reason, .. } => reason.contains("timed out"),
            _ => false,
        }
    }

    /// Returns whether an answer of D1 was too large, so that fewer rows may fit. D1's exact words for a result over its
    /// limit are not documented, so every likely wording counts.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        let Self::Api { message, .. } = self else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        [
            "exceeded its memory limit",
            "too large",
            "result size",
            "query result",
        ]
        .iter()
        .any(|text| message.contains(text))
    }

    /// The exit code: [`USAGE`] for what the user can mend in the command, else [`FAILED`].
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_)
            | Self::Settings { .. }
            | Self::Contradiction { .. }
            | Self::Query { .. }
            | Self::Scan { .. }
            | Self::MuchToRead { .. }
            | Self::NotLoopback { .. } => USAGE,
            _ => FAILED,
        })
    }

    /// An [`Error::Io`].
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Returns whether D1 refused a statement for what it says.
fn is_bad_statement(message: &str) -> bool {
    ["SQLITE_ERROR", "no such", "syntax error"]
        .iter()
        .any(|text| message.contains(text))
}

/// Returns the way to mend what the system refused.
fn mend_io(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room there, and run the command again"
        }
        ErrorKind::PermissionDenied => "allow it, or name another place",
        ErrorKind::InvalidData => "give it as UTF-8 text",
        _ => "mend what the system names, and run the command again",
    }
}
