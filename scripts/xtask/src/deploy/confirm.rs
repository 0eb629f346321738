//! Asks the person at the terminal before anything in an account is changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context, Result, bail};

use crate::step::Refusal;

/// Makes sure that somebody can be asked, or need not be.
///
/// # Errors
/// Fails if there is no terminal, and `is_agreed` is false.
pub(crate) fn require_terminal(is_agreed: bool) -> Result<()> {
    if is_agreed || io::stdin().is_terminal() {
        return Ok(());
    }
    bail!(Refusal(
        "there is no terminal to ask at, so nothing was changed\n\
         hint: look at the plan with --dry-run, then give --yes"
            .to_owned()
    ))
}

/// Asks `question` and waits for `y`; with `is_agreed`, only shows it.
///
/// # Errors
/// Fails if the answer is anything else.
pub(crate) fn ask(question: &str, is_agreed: bool) -> Result<()> {
    if is_agreed {
        eprintln!("{question} yes, by --yes");
        return Ok(());
    }
    let answer = read_answer(&format!("{question} [y/N] "))?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    bail!("not confirmed: nothing was changed")
}

/// Shows `question` and returns the line that is typed.
pub(crate) fn read_answer(question: &str) -> Result<String> {
    eprint!("{question}");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("the terminal cannot be read")?;
    Ok(line.trim().to_owned())
}
