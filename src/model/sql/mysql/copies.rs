//! Statements that name a temporary table more than once, for a server that opens it once: from the second time on, a copy
//! is named in its place, which is made right before.

use crate::model::catalog::Engine;
use crate::model::sql::Sql;
use crate::model::tokens::tokens_of;

/// The statement so that it names each temporary table of ours once.
pub(super) fn apart(sql: Sql, is_ours: impl Fn(&str) -> bool) -> Sql {
    let mut text = String::new();
    let mut end = 0;
    let mut named: Vec<String> = Vec::new();
    let mut before = sql.before.clone();
    for token in tokens_of(Engine::Mysql, &sql.text).into_iter().filter(|token| !token.quoted && is_ours(&token.text)) {
        let earlier = named.iter().filter(|name| **name == token.text).count();
        if earlier > 0 {
            let copy = format!("{}_{}", token.text, earlier + 1);
            before.push(format!("DROP TEMPORARY TABLE IF EXISTS {copy}"));
            before.push(format!("CREATE TEMPORARY TABLE {copy} AS SELECT * FROM {}", token.text));
            text.push_str(&sql.text[end..token.place.start]);
            text.push_str(&copy);
            end = token.place.end;
        }
        named.push(token.text);
    }
    text.push_str(&sql.text[end..]);
    Sql { text, before, ..sql }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_is_a_copy() {
        let text = "INSERT INTO t_1 SELECT 't_1' FROM t_1 AS a, t_2, t_12, t_1 AS b";
        let sql = apart(Sql::new(text.to_owned(), Vec::new()), |name| name.starts_with("t_"));
        assert_eq!(sql.text(), "INSERT INTO t_1 SELECT 't_1' FROM t_1_2 AS a, t_2, t_12, t_1_3 AS b");
        assert_eq!(sql.before().len(), 4);
        assert_eq!(sql.before()[3], "CREATE TEMPORARY TABLE t_1_3 AS SELECT * FROM t_1");
    }
}
