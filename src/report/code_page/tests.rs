//! Pages and the list at every width.

use super::*;
use crate::report::sample;

#[test]
fn page_is_laid_out_at_every_width() {
    for width in [40, 80, 120] {
        let text = page(Topic::Code(Code::ParentKeyNotUnique), &TerminalStyle::plain(width));
        sample::assert_snapshot(&format!("code-page-{width}.txt"), &text);
    }
}

#[test]
fn list_is_never_wider_than_prose() {
    for width in [40, 80, 120] {
        let text = list(&TerminalStyle::plain(width));
        assert!(text.lines().all(|line| line.chars().count() <= width.min(WIDEST)), "{text}");
        assert!(Topic::all().into_iter().all(|topic| text.contains(topic.name())));
    }
}

#[test]
fn narrow_page_keeps_lines_of_code_whole() {
    let text = page(Topic::Cause(Cause::SoftDeleted), &TerminalStyle::plain(40));
    assert!(text.contains("\nExample\n  [[relation]]\n  child = \"comments(post_id)\"\n"), "{text}");
    assert!(text.contains("\n  soft-deleted = \"parent.deleted_at IS NOT NULL\"\n"), "{text}");
}

#[test]
fn code_is_as_wide_as_the_terminal_where_it_can_be() {
    for (cause, expected) in [
        (Cause::Whitespace, "\n    relation = { child = \"flights(*)\", parent = \"airports(AirportCode)\" }\n"),
        (Cause::SoftDeleted, "\nExample         [[relation]]\n                child = \"comments(post_id)\"\n"),
    ] {
        let text = page(Topic::Cause(cause), &TerminalStyle::plain(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
