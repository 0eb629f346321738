//! `constants.json`, with which the arithmetic begins: what is counted there is what the Workers' code of today takes. And
//! docs/cost-and-scale.md has the figures that follow. `UPDATE_FIXTURES=1 cargo test -p bench --test constants` writes the
//! page's anew; `cargo xtask bench --only volume --constants` writes the counts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice)]

use std::fs;

use bench::capacity::page;
use bench::constants::Constants;
use bench::volume;
use checkout::Workspace;

/// The share by which a count may differ: the file has three digits of it.
const TOLERANCE: f64 = 0.01;

#[test]
fn the_counted_constants_are_those_of_today() {
    let counted = volume::count(&Workspace::find().unwrap()).unwrap();
    let committed = Constants::read().unwrap().counted;
    for ((name, is), (_, was)) in counted
        .named()
        .unwrap()
        .into_iter()
        .zip(committed.named().unwrap())
    {
        assert!(
            (is / was - 1.0).abs() <= TOLERANCE,
            "{name} is {is}, and {was} in constants.json: cargo xtask bench --only volume --constants"
        );
    }
}

#[test]
fn the_page_has_the_figures_of_the_constants() {
    let constants = Constants::read().unwrap();
    let root = Workspace::find().unwrap().root().to_owned();
    let path = root.join("docs/cost-and-scale.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut wanted = page.clone();
    for (name, part) in page::parts(&constants) {
        let begin = format!("<!-- {name} -->\n");
        let start = wanted.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
        let end = wanted[start..]
            .find("<!-- end -->")
            .unwrap_or_else(|| panic!("{name} does not end"))
            + start;
        wanted.replace_range(start..end, &format!("\n{part}\n"));
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(page, wanted, "UPDATE_FIXTURES=1 writes the page");
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let words = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in page::readme(&constants) {
        assert!(
            words.contains(&sentence),
            "README.md should say: {sentence}"
        );
    }
}
