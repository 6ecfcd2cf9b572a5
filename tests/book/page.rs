//! A page of Markdown: its blocks of code, its links and its headings.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use pulldown_cmark::CodeBlockKind;
use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

pub(crate) struct BookPage {
    pub(crate) path: PathBuf,
    /// The path from the root of the repository, such as `docs/tutorial.md`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<String>,
    pub(crate) anchors: BTreeSet<String>,
}

/// A block of code, or the comment that names an example, as a block in the language `example`.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// The range of the text in the page, of a block that is not indented.
    pub(crate) content: Range<usize>,
}

impl Block {
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

impl BookPage {
    pub(crate) fn read(path: PathBuf) -> BookPage {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let mut page = BookPage { path, name, text, blocks: Vec::new(), links: Vec::new(), anchors: BTreeSet::new() };
        page.parse();
        page
    }

    fn parse(&mut self) {
        let text = self.text.clone();
        let mut heading: Option<String> = None;
        let mut block: Option<Block> = None;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    self.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => self.anchors.extend(heading.take().map(|text| anchor(&text))),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    let language = language.into_string();
                    block = Some(Block { language, text: String::new(), content: 0..0 });
                }
                Event::End(TagEnd::CodeBlock) => self.blocks.extend(block.take()),
                Event::Html(comment) | Event::InlineHtml(comment) => {
                    let example =
                        comment.trim().strip_prefix("<!-- example: ").and_then(|rest| rest.strip_suffix(" -->"));
                    let example = example.map(str::to_owned);
                    self.blocks.extend(example.map(|text| Block {
                        language: "example".to_owned(),
                        text,
                        content: range,
                    }));
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(block) = &mut block {
                        let start = if block.text.is_empty() { range.start } else { block.content.start };
                        block.content = start..range.end;
                        block.text.push_str(&part);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns the anchor of a heading, as GitHub and mdBook make it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>();
    kept.trim().replace(' ', "-")
}
