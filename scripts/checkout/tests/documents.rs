//! The project's own pages: their links lead somewhere, and they use words that a stranger knows.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use checkout::Workspace;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Words of those who built this, which say nothing to those who read it: a baseline is a baseline, a target is a target.
const INSIDE_WORDS: [&str; 9] = [
    "the story",
    "story's",
    "was asked for",
    "were asked for",
    "the issue",
    "chosen by the user",
    "the user chose",
    "project's user",
    "their bar",
];

fn root() -> PathBuf {
    Workspace::find().unwrap().root().to_owned()
}

/// Adds every Markdown page below `folder`, without those of installed packages.
fn collect_pages(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = !matches!(name.as_str(), "target" | "build" | "node_modules" | ".git")
            && !name.starts_with(".tailrace")
            && name != ".tools";
        if path.is_dir() && is_ours {
            collect_pages(&path, pages);
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
}

fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    collect_pages(&root(), &mut pages);
    assert!(pages.len() > 10, "{:?}", pages.keys());
    pages
}

/// The links of a page, and the names by which others can link to its headings.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let name = anchor(&heading.take().unwrap_or_default());
                    let mut unique = name.clone();
                    let mut count = 0;
                    while !page.anchors.insert(unique) {
                        count += 1;
                        unique = format!("{name}-{count}");
                    }
                }
                _ => {}
            }
        }
        page
    }
}

/// Returns the name that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase();
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Returns `path` without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    let pages: BTreeMap<PathBuf, Page> = pages()
        .into_iter()
        .map(|(path, text)| (path, Page::read(&text)))
        .collect();
    let mut broken = Vec::new();
    let mut count = 0;
    for (path, page) in &pages {
        for link in &page.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                tidy(&path.parent().unwrap().join(file))
            };
            let leads_somewhere = target.exists()
                && target.starts_with(root())
                && (fragment.is_empty()
                    || pages
                        .get(&target)
                        .is_some_and(|page| page.anchors.contains(fragment)));
            if !leads_somewhere {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 30, "only {count} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn pages_have_no_inside_words() {
    let root = root();
    let mut found = Vec::new();
    for (path, text) in pages() {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.to_lowercase();
            for word in INSIDE_WORDS {
                if line.contains(word) {
                    found.push(format!("{name}:{number}: {word}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn headings_are_named_as_github_names_them() {
    let page = Page::read("# D1 is down, or slow\n\n## `--env` and more\n\n# Same\n\n# Same\n");
    let expected = ["--env-and-more", "d1-is-down-or-slow", "same", "same-1"];
    assert!(page.anchors.iter().eq(&expected), "{:?}", page.anchors);
    let link = Page::read("[x](docs/a.md#b) and `[y](z)`");
    assert_eq!(link.links[..], ["docs/a.md#b"]);
}
