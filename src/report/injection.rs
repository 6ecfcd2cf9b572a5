//! Uses each of thousands of hostile texts as every name and value of an examination. In every format, the report stays
//! well formed, contains no byte that a terminal obeys, and keeps the structure that it has with harmless names.

use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;

use crate::model::diagnosis::Evidence;
use crate::model::examination::Examination;
use crate::model::examination::Excluded;
use crate::model::file_line::FileLine;
use crate::model::finding::Code;
use crate::model::finding::Known;
use crate::model::finding::Span;
use crate::model::value::Value;
use crate::report::Format;
use crate::report::ScanFormat;
use crate::report::SchemaFormat;
use crate::report::TerminalStyle;
use crate::report::sample;
use crate::report::scan;
use crate::report::schema;

const TEXTS: usize = 2_000;

/// Texts that are special in at least one format.
const SEEDS: [&str; 72] = [
    "",
    " ",
    "a b",
    "\0",
    "\u{1}",
    "\t",
    "\n",
    "\r\n",
    "\u{b}",
    "\u{1b}[31m",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{9d}",
    "\u{a0}",
    "\u{ad}",
    "\u{200b}",
    "\u{200f}",
    "\u{2028}",
    "\u{202e}abc\u{202c}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffe}",
    "\u{e0041}",
    "\u{10ffff}",
    "é",
    "日本",
    "😀",
    "<script>alert(1)</script>",
    "</script>",
    "</style>",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "<?xml?>",
    "&amp;",
    "&#0;",
    "&lt;",
    "\"",
    "'",
    "\"><img src=x onerror=alert(1)>",
    "' onload='x",
    "`",
    "```",
    "~~~",
    "**b**",
    "_i_",
    "[l](http://x)",
    "![i](http://x)",
    "<http://x>",
    "http://x",
    "www.example.org",
    "@someone",
    "#1",
    "- item",
    "1. item",
    "> quote",
    "| cell |",
    "---",
    "\\",
    "$x$",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "::error::x",
    "%0A::error::x",
    "##[error]x",
    "\u{ff1d}1+1",
];

fn texts() -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut texts: Vec<String> = SEEDS.map(str::to_owned).to_vec();
    texts.push("x".repeat(5_000));
    texts.push("<\u{1b}`|".repeat(300));
    while texts.len() < TEXTS {
        let mut text = String::new();
        for _ in 0..random.usize(1..5) {
            match random.u8(0..4) {
                0 => text.push(random.char(..)),
                1 => text.push(char::from(random.u8(0..128))),
                _ => text.push_str(SEEDS[random.usize(..SEEDS.len())]),
            }
        }
        texts.push(text);
    }
    texts
}

/// Returns an examination in which every name, value and sentence is this text.
fn examination_of(text: &str) -> Examination {
    let mut shop = sample::shop();
    shop.database.name = text.to_owned();
    shop.tables = vec![sample::table(text, &[text, "id"]), sample::table("one", &["pk"])].into();
    sample::relate(&mut shop, 0, &[0], text, &[text]);
    sample::relate(&mut shop, 0, &[1], "absent", &[text]);
    sample::defect(&mut shop, 1, Code::ParentTableMissing, text, text);
    let mut made = sample::examined(shop);
    let value = Value::text(text);
    sample::orphans(&mut made, 0, &[(std::slice::from_ref(&value), 2), (&[Value::Blob(text.into())], 1)], 9);
    for coverage in made.relations.iter_mut().skip(1) {
        coverage.reason = Some(text.to_owned());
        coverage.state = crate::model::examination::CoverageState::Unchecked;
    }
    made.excluded.push(Excluded { name: text.to_owned(), why: text.to_owned() });
    made.locations = vec![FileLine { file: text.to_owned(), line: 3 }; 2].into();
    for finding in &mut made.findings {
        // No message is empty.
        finding.message = if text.trim().is_empty() { "m".to_owned() } else { text.to_owned() };
        finding.help = format!("h{text}");
        for diagnosis in &mut finding.diagnosis {
            diagnosis.evidence = Evidence::LostRows { why: text.to_owned() };
            diagnosis.examples = vec![text.to_owned()];
        }
        for sample in &mut finding.samples {
            sample.row = vec![(text.to_owned(), value.clone().into())];
        }
        for missing in &mut finding.top_missing {
            let (first, last) = (value.clone().into(), Value::Null.into());
            missing.span = Some(Box::new(Span { column: text.to_owned(), first, last }));
        }
    }
    made.findings[0].known = Known::Partly { rows: 1, missing_keys: 1 };
    sample::group(&mut made);
    made
}

#[test]
fn hostile_text_keeps_the_structure_of_every_report() {
    let plain = Shape::of(&examination_of("plain"));
    for (index, text) in texts().into_iter().enumerate() {
        let made = examination_of(&text);
        assert_eq!(Shape::of(&made), plain, "{text:?}");
        // The diagrams have tests of their own, so the seeds are enough here.
        if index >= SEEDS.len() {
            continue;
        }
        for &format in SchemaFormat::ALL {
            sample::assert_harmless(&schema(&made.schema, format, "fk-doctor scan app.db", &TerminalStyle::default()));
        }
    }
}

/// The page is the largest report, so fewer texts are tried.
#[test]
fn hostile_text_keeps_the_structure_of_the_page() {
    let page = |text: &str| {
        let page = scan(&examination_of(text), ScanFormat::Html, &TerminalStyle::default());
        sample::assert_harmless(&page);
        elements(&page)
    };
    let plain = page("plain");
    for text in texts().into_iter().take(1_000) {
        assert_eq!(page(&text), plain, "{text:?}");
    }
}

/// The structure of each report without its texts.
#[derive(Debug, PartialEq)]
struct Shape {
    json: String,
    ndjson: Vec<String>,
    sarif: String,
    junit: String,
    csv: Vec<usize>,
    github: Vec<String>,
    markdown: String,
}

impl Shape {
    fn of(made: &Examination) -> Shape {
        let report = |format| {
            let report = scan(made, format, &TerminalStyle::default());
            sample::assert_harmless(&report);
            report
        };
        report(ScanFormat::Table);
        let name = &made.schema.tables.iter().next().unwrap().name.table;
        let json: serde_json::Value = serde_json::from_str(&report(ScanFormat::Json)).unwrap();
        // JSON keeps names exactly.
        assert_eq!(json["relations"][0]["child"]["table"].as_str(), Some(name.as_str()));
        let sarif: serde_json::Value = serde_json::from_str(&report(ScanFormat::Sarif)).unwrap();
        Shape {
            json: keys(&json),
            ndjson: report(ScanFormat::Ndjson).lines().map(|line| keys(&serde_json::from_str(line).unwrap())).collect(),
            sarif: keys(&sarif),
            junit: elements(&report(ScanFormat::Junit)),
            csv: cells(&report(ScanFormat::Csv)),
            github: commands(&report(ScanFormat::Github)),
            markdown: blocks(&report(ScanFormat::Markdown)),
        }
    }
}

/// Returns the structure of a document: its objects, arrays and texts. Keys are omitted, because some are column names.
fn keys(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(object) => {
            format!("{{{}}}", object.values().map(keys).collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Array(array) => format!("[{}]", array.iter().map(keys).collect::<Vec<_>>().join(",")),
        serde_json::Value::String(_) => "s".to_owned(),
        other => other.to_string(),
    }
}

fn elements(xml: &str) -> String {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(xml, options).unwrap();
    let named = document.descendants().filter(|node| node.is_element() || node.is_comment() || node.is_pi());
    named
        .map(|node| {
            let attributes: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
            format!("<{} {}>", node.tag_name().name(), attributes.join(" "))
        })
        .collect()
}

fn cells(csv: &str) -> Vec<usize> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records = reader.records().map(|record| record.unwrap());
    records
        .map(|record| {
            for cell in &record {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']), "{cell:?}");
            }
            record.len()
        })
        .collect()
}

/// Returns how a workflow runner reads each line: a command with its properties, or text.
fn commands(lines: &str) -> Vec<String> {
    let command = |line: &str| {
        assert!(!line.contains("##["), "{line}");
        if !line.trim_start().starts_with("::") {
            return "text".to_owned();
        }
        let (head, _) = line[2..].split_once("::").unwrap();
        let (verb, properties) = head.split_once(' ').unwrap();
        let names: Vec<&str> = properties.split(',').map(|property| property.split('=').next().unwrap()).collect();
        format!("{verb} {}", names.join(","))
    };
    lines.lines().map(command).collect()
}

fn blocks(markdown: &str) -> String {
    let mut shape = String::new();
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(tag) => {
                assert!(!matches!(tag, Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock), "{markdown}");
                shape.push_str(&format!("<{}>", format!("{tag:?}").split(['(', ' ']).next().unwrap()));
            }
            Event::Code(_) => shape.push('c'),
            Event::Html(_) | Event::InlineHtml(_) => panic!("markup: {markdown}"),
            Event::End(_) => shape.push('/'),
            Event::Rule => shape.push('r'),
            _ => {}
        }
    }
    shape
}
