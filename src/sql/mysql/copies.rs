//! Statements that name a temporary table more than once, for a server that opens it only once in a statement. From the
//! second time on, the statement names a copy of the table instead.

use crate::model::catalog::Engine;
use crate::sql::query::Sql;
use crate::sql::query::TableCopy;
use crate::sql::read::tokens::tokens_of;

/// Returns the statement with copies, so that it names each of fk-doctor's temporary tables once.
pub(in crate::sql) fn with_table_copies(sql: Sql, is_ours: impl Fn(&str) -> bool) -> Sql {
    let mut text = String::new();
    let mut end = 0;
    let mut named: Vec<String> = Vec::new();
    let mut copies = Vec::new();
    for token in tokens_of(Engine::Mysql, sql.text()).into_iter().filter(|token| !token.quoted && is_ours(&token.text))
    {
        let earlier = named.iter().filter(|name| **name == token.text).count();
        if earlier > 0 {
            let copy = copy(&token.text, earlier + 1);
            text.push_str(&sql.text()[end..token.span.start]);
            text.push_str(&copy.name);
            end = token.span.end;
            copies.push(copy);
        }
        named.push(token.text);
    }
    text.push_str(&sql.text()[end..]);
    sql.with_text(text).with_copies(copies)
}

fn copy(of: &str, number: usize) -> TableCopy {
    let name = format!("{of}_{number}");
    let renewal = vec![
        format!("DROP TEMPORARY TABLE IF EXISTS {name}"),
        format!("CREATE TEMPORARY TABLE {name} LIKE {of}"),
        format!("INSERT INTO {name} SELECT * FROM {of}"),
    ];
    TableCopy { name, of: of.to_owned(), renewal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query::plain;

    #[test]
    fn table_named_again_is_replaced_by_a_copy() {
        let text = "INSERT INTO t_1 SELECT 't_1' FROM t_1 AS a, t_2, t_12, t_1 AS b";
        let sql = with_table_copies(plain(text.to_owned()), |name| name.starts_with("t_"));
        assert_eq!(sql.text(), "INSERT INTO t_1 SELECT 't_1' FROM t_1_2 AS a, t_2, t_12, t_1_3 AS b");
        assert_eq!(sql.copies(), [copy("t_1", 2), copy("t_1", 3)]);
    }
}
