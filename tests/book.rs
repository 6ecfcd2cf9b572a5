//! README.md and the pages of the book in `docs/`: their commands run, their output is real, their rules and settings are
//! valid, and their links lead somewhere.
//!
//! A page names its example in a comment, `<!-- example: shop -->`. Its blocks then run in order, in a folder with the
//! files of `docs/examples/shop`; `fixtures/NAME` is the database of a case. `BLESS=1` writes the real output into the pages.
//!
//! | block | what the test does |
//! |---|---|
//! | `console` | runs each command after `$`; its output must be equal |
//! | `sh` | runs each command of fk-doctor. A command that needs a server is parsed. A comment names its exit code |
//! | `shell` | nothing: these commands need other programs, and the page says when they were run by hand |
//! | `toml` | reads it as a rule or a configuration. A first line `# FILE` writes it into the folder |
//! | `sql` | a first line `-- FILE` writes it into the folder |
//! | `json`, `yaml` | parses it |
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![cfg(unix)]

mod page;
mod sandbox;

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use page::BookPage;
use sandbox::Sandbox;
use sandbox::masked;

/// The address of the repository, as in Cargo.toml.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns README.md, CHANGELOG.md and the other pages of the root, and all pages below `docs/`.
fn pages() -> Vec<BookPage> {
    let mut files = markdown_files(&root().join("docs"));
    let of_root = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(of_root.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    files.sort();
    files.into_iter().map(BookPage::read).collect()
}

/// Returns the pages for users. `readme.rs` checks CONTRIBUTING.md, whose commands are those of developers.
fn pages_with_commands() -> Vec<BookPage> {
    pages().into_iter().filter(|page| page.name != "CONTRIBUTING.md").collect()
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files
}

#[test]
fn commands_of_every_page_run_as_shown() {
    let filter = std::env::var("CASE").unwrap_or_default();
    let bless = std::env::var_os("BLESS").is_some();
    let mut commands = 0;
    let mut faults = Vec::new();
    for page in pages_with_commands().into_iter().filter(|page| page.name.contains(&filter)) {
        let mut sandbox = Sandbox::of(&page);
        let mut outputs = Vec::new();
        for block in &page.blocks {
            match sandbox.run(block) {
                Ok(real) => outputs.extend(real.map(|real| (block, real))),
                Err(fault) => faults.push(format!("{}, block `{}`: {fault}", page.name, block.first_line())),
            }
        }
        commands += sandbox.commands;
        let differing: Vec<&String> =
            outputs.iter().filter(|(block, real)| masked(real) != masked(&block.text)).map(|(_, real)| real).collect();
        if bless && !differing.is_empty() {
            let mut text = page.text.clone();
            // From the end, so that the ranges of earlier blocks stay valid.
            for (block, real) in outputs.iter().rev() {
                text.replace_range(block.content.clone(), real);
            }
            std::fs::write(&page.path, text).unwrap();
        } else {
            let fault = |real| format!("{}: a block differs; the real output is\n{real}", page.name);
            faults.extend(differing.into_iter().map(fault));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(!filter.is_empty() || commands > 60, "only {commands} commands were run");
}

/// A page with commands has an example to run them in.
#[test]
fn every_page_with_commands_has_an_example() {
    for page in pages_with_commands() {
        let needs = page.blocks.iter().any(|block| ["sh", "console"].contains(&block.language.as_str()));
        assert!(!needs || Sandbox::has_example(&page), "{} has commands and no example", page.name);
    }
}

#[test]
fn table_of_contents_lists_every_page_of_the_book() {
    let docs = root().join("docs");
    let contents = BookPage::read(docs.join("SUMMARY.md"));
    let mut listed: Vec<String> = contents.links.clone();
    listed.sort();
    let mut files: Vec<String> = markdown_files(&docs)
        .iter()
        .map(|file| file.strip_prefix(&docs).unwrap().display().to_string())
        .filter(|file| file != "SUMMARY.md")
        .collect();
    files.sort();
    assert_eq!(listed, files);
}

#[test]
fn links_of_every_page_lead_somewhere() {
    let pages = pages();
    let mut faults = Vec::new();
    for page in &pages {
        for link in &page.links {
            if let Err(fault) = check_link(page, link, &pages) {
                faults.push(format!("{}: {link}: {fault}", page.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn check_link(page: &BookPage, link: &str, pages: &[BookPage]) -> Result<(), String> {
    if let Some(path) = link.strip_prefix(&format!("{REPOSITORY}/blob/main/")) {
        let path = path.split('#').next().unwrap_or_default();
        return if root().join(path).exists() { Ok(()) } else { Err("the repository has no such file".to_owned()) };
    }
    if link.starts_with("https://") || link.starts_with("mailto:") {
        return Ok(());
    }
    if link.contains("://") {
        return Err("expected https".to_owned());
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
    let target = target.canonicalize().map_err(|error| error.to_string())?;
    let docs = root().join("docs").canonicalize().unwrap();
    if page.path.starts_with(root().join("docs")) && !target.starts_with(docs) {
        return Err(format!("a page of the book can only link into docs/ or to {REPOSITORY}/blob/main/…"));
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let target = pages.iter().find(|page| page.path.canonicalize().unwrap() == target);
    let target = target.ok_or("only pages have anchors")?;
    if target.anchors.contains(anchor) { Ok(()) } else { Err(format!("{} has no such heading", target.name)) }
}

/// The addresses of the project are placeholders. One constant in Cargo.toml has them all.
#[test]
fn every_address_of_the_repository_is_that_of_the_manifest() {
    let names: BTreeSet<String> = pages()
        .iter()
        .flat_map(|page| page.links.clone())
        .filter(|link| link.contains("/fk-doctor") && link.starts_with("https://github.com/"))
        .map(|link| link.split('/').take(5).collect::<Vec<_>>().join("/"))
        .collect();
    assert!(names.iter().all(|name| name == REPOSITORY), "{names:?} are not {REPOSITORY}");
}

#[test]
fn headings_become_anchors_as_on_github() {
    for (heading, anchor) in [
        ("What a scan touches", "what-a-scan-touches"),
        ("`--batch 20ms`: where others write", "--batch-20ms-where-others-write"),
        ("Rails (rake)", "rails-rake"),
    ] {
        assert_eq!(page::anchor(heading), anchor);
    }
}
