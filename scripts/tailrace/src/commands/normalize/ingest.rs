//! The one place that names tail-ingest's own code.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use jiff::Timestamp;
use log_record::LogRecord;
use pipeline_settings::{Worker, table};
use tail_ingest::{Counts, Settings, normalize_json};

/// Returns the names of tail-ingest's settings.
pub(super) fn setting_names() -> Vec<&'static str> {
    table::of_worker(Worker::TailIngest)
        .map(|setting| setting.name)
        .collect()
}

/// Returns the records that tail-ingest would store for one trace event.
///
/// # Errors
/// The reason why the event cannot be read.
pub(super) fn records(
    event: &[u8],
    settings: &Settings,
) -> Result<(Vec<LogRecord>, Counts), String> {
    // Ids are random but for their time.
    let seed = RandomState::new().build_hasher().finish();
    let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    normalize_json(event, settings, seed, now_ms).map_err(|error| error.to_string())
}
