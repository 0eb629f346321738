//! Splitting must not depend on how the input arrives, and a fault must cost itself alone.

use proptest::prelude::*;

use super::*;

fn split(chunks: &[&[u8]]) -> Vec<(Position, Piece)> {
    let mut splitter = Splitter::new();
    let mut pieces = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        pieces.extend(std::iter::from_fn(|| splitter.next()));
    }
    splitter.end();
    pieces.extend(std::iter::from_fn(|| splitter.next()));
    pieces
}

/// The pieces in short: objects and lines as they are, `!` for a fault, each with its line.
fn brief(text: &str) -> Vec<String> {
    split(&[text.as_bytes()])
        .into_iter()
        .map(|(Position { line, .. }, piece)| match piece {
            Piece::Object(text) | Piece::Other(text) => {
                format!("{line} {}", String::from_utf8_lossy(&text))
            }
            Piece::Broken(_) => format!("{line} !"),
        })
        .collect()
}

#[test]
fn every_form_of_input_gives_its_objects() {
    for (text, expected) in [
        ("", vec![]),
        ("[]", vec![]),
        (" \r\n{\"a\":1}", vec!["2 {\"a\":1}"]),
        (
            "{\"a\":1}{\"b\":[{}]}\n{\n  \"c\": {}\n}",
            vec!["1 {\"a\":1}", "1 {\"b\":[{}]}", "2 {\n  \"c\": {}\n}"],
        ),
        (
            "[{\"a\":\"]}\\\"\"}\n,{\"b\":-1.5e3}]",
            vec!["1 {\"a\":\"]}\\\"\"}", "2 {\"b\":-1.5e3}"],
        ),
        (
            "[[{\"a\":1}],[{\"b\":2},{\"c\":3}]] {}",
            vec!["1 {\"a\":1}", "1 {\"b\":2}", "1 {\"c\":3}", "1 {}"],
        ),
        (
            "{\"type\":\"tail\",\"traces\":[{\"a\":1},{\"b\":2}],\"more\":{\"c\":[1]}}{}",
            vec!["1 {\"a\":1}", "1 {\"b\":2}", "1 {}"],
        ),
        (
            "{\"events\":[{\"a\":1}],\"traces\":[{\"b\":2}]}",
            vec!["1 {\"a\":1}", "1 {\"b\":2}"],
        ),
        ("[[\n 1,2],{}]", vec!["2 1", "2 2", "2 {}"]),
        // A trace event is never a wrapper, whatever it holds.
        (
            "{\"outcome\":\"ok\",\"events\":[{\"a\":1}]}",
            vec!["1 {\"outcome\":\"ok\",\"events\":[{\"a\":1}]}"],
        ),
        (
            "hello\n[wrangler:warn] careful\n{\"a\":1}\nbye",
            vec![
                "1 hello",
                "2 [wrangler:warn] careful",
                "3 {\"a\":1}",
                "4 bye",
            ],
        ),
        (
            "[\"a,]\", {\"b\":1}, null]",
            vec!["1 \"a,]\"", "1 {\"b\":1}", "1 null"],
        ),
    ] {
        assert_eq!(brief(text), expected, "{text}");
    }
}

#[test]
fn a_broken_object_costs_itself_alone() {
    for (text, expected) in [
        // Lines that end too early, inside a string, after a colon, after a comma, and one with a bracket too many.
        (
            "{\"a\":1}\n{\"b\":\"x\n{\"c\":3}",
            vec!["1 {\"a\":1}", "2 !", "3 {\"c\":3}"],
        ),
        ("{\"a\":{\"b\":1\n{\"c\":3}", vec!["1 !", "2 {\"c\":3}"]),
        (
            "{\"a\":\n{\"b\":1}\n{\"c\":3}",
            vec!["1 !", "2 {\"b\":1}", "3 {\"c\":3}"],
        ),
        ("{\"a\":1,\n{\"c\":3}", vec!["1 !", "2 {\"c\":3}"]),
        ("{{\"a\":1}\n{\"c\":3}", vec!["1 !", "2 {\"c\":3}"]),
        ("{\"a\" 1}\n{\"c\":3}", vec!["1 !", "2 {\"c\":3}"]),
        ("{'a': [1, \"}\"]} {\"c\":3}", vec!["1 !", "1 {\"c\":3}"]),
        // In an array, on one line and indented.
        ("[{\"a\" 1},{\"c\":3}]", vec!["1 !", "1 {\"c\":3}"]),
        ("[{\"a\":{\"b\" 1}},{\"c\":3}]", vec!["1 !", "1 {\"c\":3}"]),
        (
            "[\n  {\n    \"a\": \"x\n  },\n  {\n    \"c\": [\n      {}\n    ]\n  }\n]",
            vec!["2 !", "5 {\n    \"c\": [\n      {}\n    ]\n  }"],
        ),
        // A wrapper that is not closed.
        (
            "{\"events\":[{\"a\":1}]\n{\"c\":3}",
            vec!["1 {\"a\":1}", "1 !", "2 {\"c\":3}"],
        ),
        // The input ends.
        ("{\"a\":1}\n{\"b\":", vec!["1 {\"a\":1}", "2 !"]),
        ("[{\"a\":1},", vec!["1 {\"a\":1}", "1 !"]),
        ("{\"events\":[{\"a\":1}]", vec!["1 {\"a\":1}", "1 !"]),
    ] {
        assert_eq!(brief(text), expected, "{text}");
    }
}

#[test]
fn an_endless_object_is_left_out_in_bounded_memory() {
    let mut splitter = Splitter::new();
    splitter.feed(b"{\"a\":\"");
    let mut pieces = Vec::new();
    for _ in 0..40 {
        splitter.feed(&vec![b'x'; 1 << 20]);
        pieces.extend(std::iter::from_fn(|| splitter.next()));
        assert!(splitter.buffer.len() < LARGEST_VALUE_BYTES + (3 << 20));
    }
    splitter.feed(b"\"}\n{\"b\":1}");
    splitter.end();
    pieces.extend(std::iter::from_fn(|| splitter.next()));
    let [(_, Piece::Broken(reason)), (_, Piece::Object(text))] = pieces.as_slice() else {
        panic!("{} pieces", pieces.len());
    };
    assert!(reason.contains("16 MiB"), "{reason}");
    assert_eq!(text, b"{\"b\":1}");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i32>().prop_map(Into::into),
        "[a-z\"\\\\\\[\\]{},:\n]{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-z\"]{0,3}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    /// Whatever the text is, cutting it elsewhere changes nothing.
    #[test]
    fn chunks_do_not_matter(
        text in "([{}\\[\\],:\"\\\\\n a1]|\\{\"a\":|\\{\"events\":\\[|\n\\{){0,40}",
        size in 1_usize..7,
    ) {
        let whole = split(&[text.as_bytes()]);
        let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
        prop_assert_eq!(whole, split(&chunks));
    }

    /// Objects come out as they went in, indented or not, one after the other or in an array.
    #[test]
    fn valid_objects_come_out_whole(
        values in prop::collection::vec(json(), 0..5),
        is_array in any::<bool>(),
        is_indented in any::<bool>(),
    ) {
        let objects: Vec<_> = values.into_iter().map(|value| serde_json::json!({ "v": value })).collect();
        let write = |value: &serde_json::Value| if is_indented {
            serde_json::to_string_pretty(value).unwrap()
        } else {
            value.to_string()
        };
        let text = if is_array {
            write(&objects.clone().into())
        } else {
            objects.iter().map(write).collect::<Vec<_>>().join("\n")
        };
        let found: Vec<serde_json::Value> = split(&[text.as_bytes()])
            .into_iter()
            .map(|(_, piece)| match piece {
                Piece::Object(text) => serde_json::from_slice(&text).unwrap(),
                other => panic!("{other:?} in {text}"),
            })
            .collect();
        prop_assert_eq!(found, objects);
    }

    /// One line that is cut off costs at most itself.
    #[test]
    fn a_cut_line_costs_itself_alone(
        values in prop::collection::vec(json(), 3),
        cut in 1_usize..200,
    ) {
        let lines: Vec<String> = values.iter().map(|value| serde_json::json!({ "v": value }).to_string()).collect();
        let middle = &lines[1].as_bytes()[..cut.min(lines[1].len() - 1)];
        let text = [lines[0].as_bytes(), middle, lines[2].as_bytes()].join(&b'\n');
        let pieces = split(&[&text]);
        let objects: Vec<_> = pieces.iter().filter_map(|(_, piece)| match piece {
            Piece::Object(text) => Some(text.as_slice()),
            _ => None,
        }).collect();
        prop_assert_eq!(objects, [lines[0].as_bytes(), lines[2].as_bytes()]);
        prop_assert!(pieces.len() == 3, "{:?}", pieces);
    }
}
