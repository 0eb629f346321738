//! Divides what is deleted from what is kept on purpose and what is not ours.

use crate::deploy::plan::{Plan, Step};
use crate::deploy::survey::Survey;

/// The parts that stay although they are recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The database.
    pub(super) logs: bool,
    /// The archive's bucket.
    pub(super) archive: bool,
}

/// The parts that are deleted, and those that are not.
#[derive(Debug)]
pub(super) struct Choice {
    /// In an order in which nothing that is still there names what is gone.
    pub(super) deleted: Vec<Step>,
    kept: Vec<String>,
    unrecorded: Vec<String>,
}

impl Choice {
    /// Divides what the account holds of a plan.
    pub(super) fn new(plan: Plan, survey: &Survey, keep: Kept) -> Self {
        let mut choice = Self {
            deleted: Vec::new(),
            kept: Vec::new(),
            unrecorded: Vec::new(),
        };
        for step in plan.steps.into_iter().rev() {
            let name = step.to_string();
            if !step.is_recorded() {
                continue;
            }
            if !survey.record.holds(&name) {
                if survey.has(&step) {
                    choice.unrecorded.push(name);
                }
                continue;
            }
            match step {
                Step::Database { .. } if keep.logs => choice.kept.push(format!("{name} (--logs)")),
                Step::Bucket { .. } if keep.archive => {
                    choice.kept.push(format!("{name} (--archive)"));
                }
                _ => choice.deleted.push(step),
            }
        }
        choice
    }

    /// Returns the lists for a person.
    pub(super) fn describe(&self) -> String {
        let list = |title: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!("{title}:\n  {}\n", names.join("\n  ")),
        };
        let deleted: Vec<String> = self.deleted.iter().map(ToString::to_string).collect();
        let loses_record = self.kept.iter().any(|name| name.starts_with("R2 bucket"))
            && self
                .deleted
                .iter()
                .any(|step| matches!(step, Step::Database { .. }));
        list("to be deleted", &deleted)
            + &list("kept, unless the option is given", &self.kept)
            + &list("left alone: no deployment has created it", &self.unrecorded)
            + if loses_record {
                "The record of what deployments created goes with the database: delete the bucket with `wrangler r2 bucket \
                 delete` afterwards, or give --archive now.\n"
            } else {
                ""
            }
    }
}
