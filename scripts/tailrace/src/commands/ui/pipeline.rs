//! The state of the pipeline, as `tailrace status` has it, with the sections of the runbook.

use serde_json::{Value, json};

use crate::cli::{PartName, StatusLimits};
use crate::client::Client;
use crate::commands::status::print::describe;
use crate::commands::status::{self, report::State};
use crate::place::Place;
use crate::time::Zone;

/// The runbook, compiled in: the page is of use where there is no checkout.
const RUNBOOK: &str = include_str!("../../../../../docs/runbook.md");

/// Looks at every part.
pub(super) async fn look(client: &Client, place: &Place) -> Value {
    let limits = StatusLimits::default().or(&place.limits);
    let report = status::check(client, place, &PartName::ALL, &limits).await;
    let parts: Vec<_> = report
        .parts
        .iter()
        .map(|part| {
            let red: Vec<_> = part
                .red
                .iter()
                .map(|finding| {
                    json!({
                        "text": finding.text,
                        "runbook": finding.runbook,
                        "section": finding.runbook.split_once('#').and_then(|(_, name)| section(name)),
                    })
                })
                .collect();
            let has_letters = part.part == PartName::DeadLetters && part.state == State::Red;
            json!({
                "part": part.part.as_str(),
                // The page only reads.
                "replay": has_letters,
                "state": part.state,
                "text": part.seen.as_ref().map(|facts| describe(facts, &Zone::Utc)),
                "unknown": part.unknown,
                "red": red,
            })
        })
        .collect();
    json!({"at": report.at, "state": report.state, "parts": parts})
}

/// Returns a section of the runbook by the name that links to it.
fn section(name: &str) -> Option<&'static str> {
    let begin = RUNBOOK
        .match_indices("\n## ")
        .map(|(place, _)| place + 1)
        .find(|place| {
            let heading = RUNBOOK
                .get(place + 3..)
                .and_then(|rest| rest.lines().next());
            heading.is_some_and(|heading| anchor(heading) == name)
        })?;
    let rest = RUNBOOK.get(begin..)?;
    let end = rest
        .get(3..)?
        .find("\n## ")
        .map_or(rest.len(), |end| end + 3);
    rest.get(..end).map(str::trim)
}

/// Returns the name under which a heading is linked to.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| {
            if c == ' ' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_the_runbook_is_found_by_its_link() {
        let text = section("d1-is-down-or-slow").unwrap();
        assert!(text.starts_with("## D1 is down, or slow"), "{text}");
        assert_eq!(text.matches("\n## ").count(), 0);
        assert!(section("no-such-section").is_none());
    }
}
