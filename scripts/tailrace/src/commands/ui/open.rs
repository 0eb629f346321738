//! The browser, opened through a file that only the user can read: command lines are seen by every user of a machine, and
//! the address holds the secret.

use std::io::Write as _;

use tempfile::NamedTempFile;

use crate::Error;

/// Opens `url` in the user's browser. The file is needed until the browser has read it, and goes when it is dropped.
///
/// # Errors
/// Fails if the file cannot be written, or there is no browser.
pub(super) fn open_browser(url: &str) -> Result<NamedTempFile, Error> {
    let file = write_page(url).map_err(Error::io("write the page that opens the browser"))?;
    open::that_detached(file.path()).map_err(Error::io("no browser could be opened"))?;
    Ok(file)
}

/// Writes a page that leads to `url`, which holds nothing that HTML would read otherwise. `tempfile` makes it for its user
/// alone.
fn write_page(url: &str) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("tailrace-")
        .suffix(".html")
        .tempfile()?;
    writeln!(
        file,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tailrace</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={url}\"><p><a href=\"{url}\">Open the logs</a>"
    )?;
    file.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = write_page("http://127.0.0.1:8799/?key=abc-DEF_1").unwrap();
        let mode = file.as_file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("url=http://127.0.0.1:8799/?key=abc-DEF_1"));
    }
}
