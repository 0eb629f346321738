//! JSON that is looked into without being rewritten: members keep the order in which they were logged, and numbers their
//! digits, however many.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// Returns the members of an object, in their order; nothing of anything else.
#[must_use]
pub fn members(json: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    let members: Option<Members> = serde_json::from_str(json.get()).ok();
    members.map(|members| members.0)
}

/// Returns the elements of an array; nothing of anything else.
#[must_use]
pub fn elements(json: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json.get()).ok()
}

/// Returns the text of a string; nothing of anything else.
#[must_use]
pub fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// Returns the member of a name; the last one where there are several, as everybody else reads it.
#[must_use]
pub fn member<'a>(json: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let mut found = members(json)?.into_iter().rev();
    found.find_map(|(own, value)| (own == name).then_some(value))
}

/// Returns the member at a path with dots; a name may hold dots itself.
#[must_use]
pub fn at_path<'a>(json: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    if path.is_empty() {
        return Some(json);
    }
    if let Some(found) = member(json, path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    at_path(member(json, first)?, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn order_and_digits_are_kept() {
        let json = raw(r#"{"z":12345678901234567890123,"a":1.10,"z":0.1e1,"d.e":{"f":true}}"#);
        let members = members(&json).unwrap();
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "z", "d.e"]);
        assert_eq!(members[0].1.get(), "12345678901234567890123");
        for (path, expected) in [("z", "0.1e1"), ("a", "1.10"), ("d.e", r#"{"f":true}"#)] {
            assert_eq!(at_path(&json, path).unwrap().get(), expected, "{path}");
        }
        assert!(at_path(&json, "a.b").is_none());
        assert!(elements(&json).is_none() && text(&json).is_none());
    }
}
