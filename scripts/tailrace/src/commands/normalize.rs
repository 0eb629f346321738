//! `tailrace normalize FILE|-`: what tail-ingest would store for trace events, by its own code; nothing is sent.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Read as _, Write};
use std::path::Path;
use std::process::ExitCode;

use chrono::Utc;
use tail_ingest::{Settings, normalize_json};

use crate::cli::Normalize;
use crate::{Error, output};

/// The file name that stands for standard input.
const STDIN: &str = "-";

/// Runs the command.
///
/// # Errors
/// [`Error::Usage`] where the file cannot be read or is no JSON.
pub fn run(args: &Normalize, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let name = if args.file == Path::new(STDIN) {
        "standard input".to_owned()
    } else {
        args.file.display().to_string()
    };
    let input = read(&args.file).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    // The Worker's own variables, so that a setting can be tried before it is deployed.
    let (settings, malformed) = Settings::read(|name| std::env::var(name).ok());
    for setting in malformed {
        output::note(&setting.to_string());
    }
    // Ids are random but for their time.
    let seed = RandomState::new().build_hasher().finish();
    let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
    let (records, counts) = normalize_json(&input, &settings, seed, now_ms)
        .map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    for record in &records {
        if args.pretty {
            serde_json::to_writer_pretty(&mut *out, record)
                .map_err(|error| Error::io("standard output")(error.into()))?;
            super::line(out, "")?;
        } else {
            super::json_line(out, record)?;
        }
    }
    if counts.items == 0 {
        output::note(&format!("there are no events in {name}"));
    } else if records.is_empty() {
        output::note(&format!(
            "nothing would be stored: {} in {name}, all left out by the settings in the environment or of the pipeline's \
             own Workers",
            output::counted(counts.items as u64, "event", "events")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new(STDIN) {
        let mut input = Vec::new();
        std::io::stdin().lock().read_to_end(&mut input)?;
        Ok(input)
    } else {
        std::fs::read(path)
    }
}
