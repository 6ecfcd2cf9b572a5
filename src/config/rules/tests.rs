//! Examples of the rule grammar, and the faults with their carets.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use super::*;
use crate::config::fault::render;
use crate::model::rule::Expression;
use crate::model::rule::ExpressionScope;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::RemapHow;
use crate::model::rule::TemplatePiece;
use crate::model::rule::Treatment;
use crate::model::value::Value;

const DESIGNED: &str = include_str!("../../../rules/multi-source-sync.toml");

fn faults(text: &str) -> String {
    render(&parse(text).unwrap_err(), text, "r.toml", false)
}

/// Returns a rule with these lines as its only treatment.
fn treating(lines: &str) -> String {
    format!("id = \"a\"\n[relation]\nchild = \"c(r)\"\n[[treat]]\n{lines}")
}

#[test]
fn rule_with_every_part_is_parsed() {
    let rules = parse(DESIGNED).unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!(rule.id.value, "multi-source-sync");
    assert_eq!(rule.limits, Some(Limits { max_rows: Some(10_000), max_share: Some(0.6) }));
    let [remap, placeholder] = &rule.treatments[..] else { panic!("{rule:?}") };
    let Treatment::Remap(remap) = &remap.value else { panic!("{remap:?}") };
    assert!(matches!(&remap.how.value, RemapHow::To(query) if query.starts_with("SELECT id")));
    assert_eq!(remap.record.as_deref(), Some("kb_id_map"));
    let Treatment::Placeholder(placeholder) = &placeholder.value else { panic!("{placeholder:?}") };
    assert_eq!(placeholder.key, PlaceholderKey::New);
    let name = placeholder.values.iter().find(|(column, _)| column.value == "name").unwrap();
    let column = TemplatePiece::Column { scope: ExpressionScope::Via, column: "name".to_owned() };
    assert_eq!(name.1.value, Expression::Template(vec![column, TemplatePiece::Text("_placeholder".to_owned())]));
}

#[test]
fn literal_values_keep_their_types() {
    let rules =
        parse(&treating("action = \"placeholder\"\nvalues = { a = 1, b = 1.5, c = true, d = \"{{x}}\" }")).unwrap();
    let values: Vec<_> = rules[0].treatments[0].value.values().iter().map(|(_, at)| at.value.clone()).collect();
    let literal = Expression::Literal;
    assert_eq!(
        values,
        [
            literal(Value::Integer(1)),
            literal(Value::Real(1.5)),
            literal(Value::Integer(1)),
            literal(Value::text("{x}"))
        ]
    );
}

#[test]
fn file_with_several_rules_is_parsed() {
    let two = "[[rule]]\nid = \"a\"\nrelation.child = \"c(r)\"\n[[rule.treat]]\naction = \"report\"\n\
               [[rule]]\nid = \"a\"\nrelation.child = \"*(s, t)\"\n[[rule.treat]]\naction = \"follow\"\n";
    assert!(faults(two).contains("the id `a` is already used on line 2"), "{}", faults(two));
    let rules = parse(&two.replacen("\"a\"", "\"b\"", 1)).unwrap();
    assert_eq!(rules[1].child.value.as_str(), "*(s,t)");
}

#[test]
fn faults_are_all_reported_at_once() {
    let text = "id = \"Not An Id\"\nlimit = 3\n[relation]\nchild = \"c\"\n[limits]\nmax-share = 5\n\
                [[treat]]\naction = \"delete\"\n[[treat]]\naction = \"remapp\"\n[[treat]]\naction = \"set-null\"\nkey = \"new\"\n";
    let expected = "\
error: `id`: `Not An Id` is not valid: expected lower-case letters, digits and hyphens, such as \"orphaned-comments\"
error: unknown key `limit`
error: `child`: `c` is not valid: `c` is not of the form `table(column, …)`
error: `max-share`: expected a share from 0 to 1, such as 0.05
error: `action`: delete keeps no copy of the rows, which a rule must confirm
error: `action`: there is no action `remapp`
error: unknown key `key`
";
    let rendered = faults(text);
    let messages: String =
        rendered.lines().filter(|line| line.starts_with("error")).map(|line| format!("{line}\n")).collect();
    assert_eq!(messages, expected);
    assert!(rendered.contains("did you mean `remap`?"), "{rendered}");
    assert!(rendered.contains("--> r.toml:8:10"), "{rendered}");
    assert!(rendered.ends_with("7 faults in r.toml\n"), "{rendered}");
}

#[test]
fn file_without_a_rule_is_a_single_fault() {
    for text in ["", "# A draft in which every rule is a comment.\n"] {
        let shown = faults(text);
        assert_eq!(shown.matches("error:").count(), 1, "{shown}");
        assert!(shown.contains("the file has no rule") && shown.contains("fk-doctor rules list"), "{shown}");
    }
}

#[test]
fn remap_needs_exactly_one_target() {
    assert!(faults(&treating("action = \"remap\"")).contains("`to`, `map`, `table` or `normalize` is missing"));
    let both = "action = \"remap\"\nto = \"SELECT 1\"\nnormalize = [\"trim\"]";
    assert!(faults(&treating(both)).contains("`to` already sets the new parent of the rows"));
    assert!(
        faults(&treating("action = \"remap\"\nnormalize = [\"trimm\"]")).contains("expected one of trim, casefold")
    );
    assert!(faults(&treating("action = \"remap\"\ntable = \"m(a, b -> c)\"")).contains("expected a table of keys"));
}

#[test]
fn malformed_template_is_refused() {
    let with = |text: &str| treating(&format!("action = \"placeholder\"\n[treat.values]\nname = \"{text}\"\n"));
    assert!(faults(&with("{via.name")).contains("a { is never closed"));
    assert!(faults(&with("}")).contains("a } has no opening {"));
    assert!(faults(&with("{name}")).contains("`{name}` is not a column of child, via or key"));
    assert!(faults(&with("{parent.x}")).contains("is not a column of child, via or key"));
}

#[test]
fn truncated_text_never_panics() {
    for end in (0..DESIGNED.len()).filter(|end| DESIGNED.is_char_boundary(*end)) {
        let _ = parse(&DESIGNED[..end]);
    }
}
