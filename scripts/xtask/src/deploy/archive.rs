//! The archive's bucket, and the rule in it that lets objects expire.

use anyhow::Result;
use serde_json::{Value, json};

use super::api::{Api, entries, text};
use super::client::code_of;

/// The rule's name. Rules of other names are never touched.
const RULE: &str = "tailrace-archive-days";

/// The beginning of the keys of the archive's objects.
pub(crate) const PREFIX: &str = "v1/";

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The API's code for a bucket that does not exist.
const NO_SUCH_BUCKET: u64 = 10_006;

/// The cost of an archive, for the plan. Prices of 2026-11 (docs/cost-and-scale.md).
pub(crate) const COST: &str = "R2 costs $0.015 a GB-month, $4.50 a million writes and $0.36 a million reads; an account has \
     10 GB-months, 1 million writes and 10 million reads a month free of charge. A log is about 55 bytes there";

/// Returns the rules of the bucket `name`; `None` where there is no such bucket.
///
/// # Errors
/// Fails if the account has no subscription to R2, among others.
pub(crate) fn find_rules(api: &Api, name: &str) -> Result<Option<Vec<Value>>> {
    match api.get(&format!("r2/buckets/{name}/lifecycle")) {
        Ok(answer) => Ok(Some(entries(&answer, "rules").cloned().collect())),
        Err(error) if code_of(&error) == Some(NO_SUCH_BUCKET) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates the bucket `name`.
pub(crate) fn create_bucket(api: &Api, name: &str) -> Result<()> {
    api.send("POST", "r2/buckets", &json!({ "name": name }))
        .map(|_| ())
}

/// Returns the days after which our rule lets objects expire, if it is among `rules` and as we set it.
pub(crate) fn days(rules: &[Value]) -> Option<u64> {
    let rule = rules.iter().find(|rule| text(rule, "id") == RULE)?;
    let is_whole = rule.get("enabled").and_then(Value::as_bool) == Some(true)
        && rule.pointer("/conditions/prefix").and_then(Value::as_str) == Some(PREFIX);
    let condition = rule.pointer("/deleteObjectsTransition/condition")?;
    let seconds = condition.get("maxAge").and_then(Value::as_u64)?;
    (is_whole && text(condition, "type") == "Age").then_some(seconds / DAY_SECONDS)
}

/// Sets our rule in the bucket `name`, whose rules are `rules`: those of other names stay.
pub(crate) fn set_days(api: &Api, name: &str, rules: &[Value], days: u32) -> Result<()> {
    let mut rules: Vec<Value> = rules
        .iter()
        .filter(|rule| text(rule, "id") != RULE)
        .cloned()
        .collect();
    rules.push(json!({
        "id": RULE,
        "enabled": true,
        "conditions": { "prefix": PREFIX },
        "deleteObjectsTransition": {
            "condition": { "type": "Age", "maxAge": u64::from(days) * DAY_SECONDS },
        },
    }));
    let path = format!("r2/buckets/{name}/lifecycle");
    api.send("PUT", &path, &json!({ "rules": rules }))
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, prefix: &str, enabled: bool) -> Value {
        json!({
            "id": id, "enabled": enabled, "conditions": { "prefix": prefix },
            "deleteObjectsTransition": { "condition": { "type": "Age", "maxAge": 2_592_000 } },
        })
    }

    #[test]
    fn a_rule_counts_only_if_it_is_as_it_was_set() {
        assert_eq!(
            days(&[rule("mine", "", true), rule(RULE, "v1/", true)]),
            Some(30)
        );
        assert_eq!(days(&[rule("mine", "v1/", true)]), None);
        assert_eq!(days(&[rule(RULE, "", true)]), None);
        assert_eq!(days(&[rule(RULE, "v1/", false)]), None);
    }
}
