//! The page, compiled in: markup, styles, scripts and icons, all written here.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file of the page.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        Asset {
            path: concat!("/", $name),
            media_type: $media_type,
            bytes: include_bytes!(concat!("assets/", $name)),
        }
    };
}

const ASSETS: &[Asset] = &[
    asset!("icon.svg", "image/svg+xml"),
    asset!("base.css", STYLE),
    asset!("list.css", STYLE),
    asset!("logs.css", STYLE),
    asset!("trace.css", STYLE),
    asset!("views.css", STYLE),
    asset!("main.js", SCRIPT),
    asset!("address.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("archive.js", SCRIPT),
    asset!("context.js", SCRIPT),
    asset!("copymenu.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("facets.js", SCRIPT),
    asset!("following.js", SCRIPT),
    asset!("histogram.js", SCRIPT),
    asset!("keys.js", SCRIPT),
    asset!("list.js", SCRIPT),
    asset!("live.js", SCRIPT),
    asset!("logs.js", SCRIPT),
    asset!("picker.js", SCRIPT),
    asset!("pipeline.js", SCRIPT),
    asset!("record.js", SCRIPT),
    asset!("results.js", SCRIPT),
    asset!("text.js", SCRIPT),
    asset!("trace.js", SCRIPT),
    asset!("waterfall.js", SCRIPT),
    asset!("workers.js", SCRIPT),
];

const PAGE: Asset = asset!("index.html", "text/html; charset=utf-8");

/// Returns the page itself.
pub(super) fn page() -> Response {
    answer(&PAGE)
}

/// Returns the file at `path`, where there is one.
pub(super) fn find(path: &str) -> Option<Response> {
    ASSETS.iter().find(|asset| asset.path == path).map(answer)
}

fn answer(asset: &'static Asset) -> Response {
    ([(header::CONTENT_TYPE, asset.media_type)], asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_every_file_of_it_too() {
        let all = || ASSETS.iter().chain([&PAGE]);
        let size: usize = all().map(|asset| asset.bytes.len()).sum();
        assert!(size <= 150_000, "{size} bytes");
        for asset in all() {
            let lines = memchr::memchr_iter(b'\n', asset.bytes).count();
            assert!(lines <= 400, "{}: {lines} lines", asset.path);
        }
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/ui/assets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let served = ASSETS
                .iter()
                .chain([&PAGE])
                .any(|asset| asset.path == format!("/{name}"));
            assert!(served, "{name}");
        }
    }
}
