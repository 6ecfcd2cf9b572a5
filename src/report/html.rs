//! The report of a scan as one HTML page, without other files, network or foreign scripts. Its Content-Security-Policy
//! allows only the page's own style and script, by their hashes. Without the script the page shows the same content.
//!
//! Every text passes through [`escaped`]. The page is also well-formed XML, which the tests check.

mod drawing;
mod findings;
mod graph;
mod layered;
mod picture;
mod relations;
mod state;
mod top;
mod trend;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha2::Digest;
use sha2::Sha256;

use crate::model::catalog::DatabaseName;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::examination::Excluded;
use crate::report::markup::escaped;
use crate::report::wording;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A page with the style and the script that all pages share.
pub(super) struct Page<'a> {
    /// The title, escaped.
    pub(super) title: String,
    pub(super) database: &'a DatabaseName,
    pub(super) body: &'a str,
}

pub(super) fn render(examination: &Examination) -> String {
    let name = escaped(&examination.schema.database.name);
    let body = [
        top::header(examination),
        "<main id=\"report\">\n".to_owned(),
        coverage_gaps(examination),
        findings::section(examination),
        picture::section(examination),
        trend::section(&examination.history),
        relations::section(examination),
        baseline(examination),
        excluded(examination),
        "</main>\n".to_owned(),
    ];
    let title = format!("Foreign keys of {name}");
    Page { title, database: &examination.schema.database, body: &body.concat() }.render()
}

impl Page<'_> {
    pub(super) fn render(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n{}\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n\
             <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#report\">Skip to the report</a>\n{}\
             <footer>fk-doctor {} · {} {}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
            *POLICY,
            self.title,
            self.body,
            env!("CARGO_PKG_VERSION"),
            escaped(self.database.engine.name()),
            escaped(&self.database.version),
        )
    }
}

/// The Content-Security-Policy. It is equal in every report of one build.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", base64(&Sha256::digest(text)));
    format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src {}; \
         base-uri 'none'; form-action 'none'\"/>\n",
        hash(STYLE),
        hash(SCRIPT)
    )
});

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| -> String {
        let bits =
            chunk.iter().enumerate().fold(0_u32, |bits, (index, byte)| bits | u32::from(*byte) << (16 - 8 * index));
        let letter = |index: usize| match index <= chunk.len() {
            true => char::from(LETTERS[(bits >> (18 - 6 * index)) as usize & 63]),
            false => '=',
        };
        (0..4).map(letter).collect()
    };
    bytes.chunks(3).map(group).collect()
}

/// Returns a relation's id as HTML. A line break is allowed only before the arrow.
fn relation_id(id: &str) -> String {
    escaped(id).replacen("-&gt;", "<wbr/><span class=\"arrow\">-&gt;</span>", 1)
}

fn baseline(examination: &Examination) -> String {
    let sentences = wording::baseline(examination);
    let items: Vec<String> = sentences.iter().map(|sentence| format!("<li>{}</li>\n", escaped(sentence))).collect();
    section("Baseline", "", &list(items))
}

/// Lists the relations that were not checked completely, those with one reason together, as the terminal's report does.
fn coverage_gaps(examination: &Examination) -> String {
    let mut gaps: BTreeMap<(Reverse<CoverageState>, &str), Vec<&str>> = BTreeMap::new();
    for (about, coverage) in examination.schema.relations.iter().zip(&examination.relations) {
        if let Some(reason) = wording::shortfall(coverage) {
            gaps.entry((Reverse(coverage.state), reason)).or_default().push(&about.id);
        }
    }
    let items = gaps.into_iter().map(|((Reverse(state), reason), ids)| {
        let label = if state == CoverageState::Unchecked { "not checked" } else { "in part" };
        let ids: Vec<String> = ids.into_iter().map(|id| format!("<code>{}</code>", relation_id(id))).collect();
        format!("<li><b>{label}</b> {}<br/>because {}</li>\n", ids.join(", "), escaped(reason))
    });
    section("Not checked", "", &list(items.collect()))
}

/// Lists the tables and relations that were not part of the scan.
fn excluded(examination: &Examination) -> String {
    let item = |left: &Excluded| format!("<li><code>{}</code>: {}</li>\n", escaped(&left.name), escaped(&left.why));
    section("Excluded", "", &list(examination.excluded.iter().map(item).collect()))
}

fn list(items: Vec<String>) -> String {
    if items.is_empty() { String::new() } else { format!("<div class=\"plain\"><ul>\n{}</ul></div>", items.concat()) }
}

/// Returns a section of the page, or an empty text if it has no content.
fn section(title: &str, note: &str, inside: &str) -> String {
    if inside.is_empty() {
        return String::new();
    }
    let note = if note.is_empty() { String::new() } else { format!(" <small>{note}</small>") };
    format!("<section>\n<h2>{title}{note}</h2>\n<div class=\"panel\">\n{inside}\n</div>\n</section>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_encodes_as_the_standard_says() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    /// The policy forbids styles and handlers in attributes, and links to other sites.
    #[test]
    fn page_obeys_its_own_policy() {
        for examination in
            [crate::report::sample::sick(), crate::report::sample::clean(), crate::report::sample::incomplete()]
        {
            let page = render(&examination);
            let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
            let document = roxmltree::Document::parse_with_options(&page, options).unwrap();
            for node in document.descendants().filter(|node| node.is_element()) {
                for attribute in node.attributes() {
                    let name = attribute.name();
                    assert!(name != "style" && name != "src" && !name.starts_with("on"), "{name}");
                    assert!(name != "href" || attribute.value().starts_with('#'), "{}", attribute.value());
                }
            }
            let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
            let links = document.descendants().filter_map(|node| node.attribute("href"));
            assert!(links.into_iter().all(|link| ids.contains(&&link[1..])), "every link leads somewhere");
            assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len());
        }
    }
}
