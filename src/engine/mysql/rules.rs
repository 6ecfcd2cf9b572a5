//! Reads the ON DELETE and ON UPDATE actions of a foreign key from the text of the table's definition, because
//! `information_schema` hides them from users who may only read.

use crate::model::catalog::Action;

/// Returns the actions on delete and on update of a constraint, as `SHOW CREATE TABLE` writes them. An omitted action
/// is `default`, the action that the server lists for privileged users.
pub(super) fn in_definition(definition: &str, constraint: &str, default: Action) -> Option<(Action, Action)> {
    let start = format!("\n  CONSTRAINT `{}` FOREIGN KEY ", constraint.replace('`', "``"));
    let clause = &definition[definition.find(&start)? + start.len()..];
    let end = [",\n  CONSTRAINT `", "\n) ENGINE="].iter().filter_map(|end| clause.find(end)).min()?;
    // The actions follow the last column's name, so none of them is part of a name.
    let rules = &clause[clause[..end].rfind('`')? + 1..end];
    let rule = |event: &str| {
        rules.split_once(event).map_or(default, |(_, rest)| named(rest.split(" ON ").next().unwrap_or("").trim()))
    };
    Some((rule(" ON DELETE "), rule(" ON UPDATE ")))
}

pub(super) fn named(rule: &str) -> Action {
    match rule {
        "CASCADE" => Action::Cascade,
        "SET NULL" => Action::SetNull,
        "SET DEFAULT" => Action::SetDefault,
        "RESTRICT" => Action::Restrict,
        _ => Action::NoAction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_after_the_last_name() {
        let definition = "CREATE TABLE `c` (\n  `r` int(11) DEFAULT NULL,\n  KEY `r` (`r`),\n  \
            CONSTRAINT `a``b` FOREIGN KEY (`r`) REFERENCES `p` (`x ON DELETE CASCADE`) ON DELETE SET NULL ON UPDATE CASCADE,\n  \
            CONSTRAINT `plain` FOREIGN KEY (`r`) REFERENCES `p` (`id`)\n) ENGINE=InnoDB";
        assert_eq!(in_definition(definition, "a`b", Action::NoAction), Some((Action::SetNull, Action::Cascade)));
        for default in [Action::NoAction, Action::Restrict] {
            assert_eq!(in_definition(definition, "plain", default), Some((default, default)));
        }
        assert_eq!(in_definition(definition, "other", Action::NoAction), None);
    }
}
