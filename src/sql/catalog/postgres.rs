//! The statements about PostgreSQL's definitions, sequences and privileges.

use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::row::RowName;
use crate::model::state;
use crate::model::value::Value;
use crate::sql::catalog::CatalogStatements;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::grammar::postgres::REHEARSAL;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;

impl CatalogStatements for Postgres {
    /// A default that draws from a sequence is left out, because evaluating it would advance the sequence.
    fn column_defaults(&self, table: &Table) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(self.table_name(None, table)));
        query.finish(format!(
            "SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d \
             JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
             WHERE d.adrelid = {name}::text::regclass AND a.attgenerated = '' AND a.attidentity = '' \
             AND pg_get_expr(d.adbin, d.adrelid) NOT LIKE '%nextval(%' ORDER BY a.attnum"
        ))
    }

    fn definitions(&self) -> Sql {
        plain(include_str!("../postgres/definitions.sql").to_owned())
    }

    fn last_sequence_value(&self, table: &Table, column: &str) -> Option<Sql> {
        let mut query = self.query();
        let sequence = is_sequence_of(&mut query, &self.table_name(None, table), column);
        Some(query.finish(format!(
            "SELECT CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') \
             THEN pg_sequence_last_value(s.seqrelid::regclass) END FROM pg_sequence AS s WHERE {sequence}"
        )))
    }

    fn advance_sequences(&self, table: &Table, row: &RowName) -> Vec<Sql> {
        let numbers = row.iter().filter_map(|(name, value)| Some((name, value.as_integer()?)));
        let advances = numbers.filter(|(name, _)| identity_columns(table).contains(name)).map(|(name, number)| {
            let mut query = self.query();
            let number = query.parameter(Value::Integer(number));
            let sequence = is_sequence_of(&mut query, &self.table_name(None, table), name);
            query.finish(format!(
                "SELECT setval(s.seqrelid::regclass, {number}::int8) FROM pg_sequence AS s WHERE {sequence} \
                 AND s.seqincrement > 0 AND {number}::int8 BETWEEN s.seqmin AND s.seqmax \
                 AND {number}::int8 > coalesce(pg_sequence_last_value(s.seqrelid::regclass), {number}::int8 - 1)"
            ))
        });
        advances.collect()
    }

    fn lock_tables(&self, tables: &[&Table]) -> Option<Sql> {
        let mut names: Vec<String> = tables.iter().map(|table| self.own_rows(None, table)).collect();
        names.sort();
        names.dedup();
        (!names.is_empty()).then(|| plain(format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", "))))
    }

    fn create_rehearsal_table(&self, table: &Table, defaults: &[(String, String)]) -> Vec<Sql> {
        let name = REHEARSAL.table_name(None, table);
        let mut created = vec![plain(format!(
            "CREATE TEMPORARY TABLE {name} (LIKE {} INCLUDING ALL EXCLUDING DEFAULTS EXCLUDING STATISTICS EXCLUDING COMMENTS)",
            POSTGRES.table_name(None, table)
        ))];
        created.extend(defaults.iter().map(|(column, text)| {
            plain(format!("ALTER TABLE {name} ALTER COLUMN {} SET DEFAULT {text}", quoted(column)))
        }));
        created
    }

    fn state_table_privileges(&self) -> Sql {
        let mut query = self.query();
        let name = query.parameter(Value::text(state::TABLE));
        query.finish(format!(
            "SELECT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))::int4::int8, \
             (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'))::int4::int8 \
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'public' AND c.relname = {name}::text"
        ))
    }

    fn may_create_state_table(&self) -> Option<Sql> {
        let mut query = self.query();
        let name = query.parameter(Value::text(state::TABLE));
        Some(query.finish(format!(
            "SELECT 1::int8 FROM pg_namespace AS n WHERE nspname = 'public' AND has_schema_privilege(oid, 'CREATE') \
             AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = {name}::text)"
        )))
    }

    /// The privilege is checked first, because a failed DROP TABLE would abort the whole transaction.
    fn may_drop_table(&self, table: &NewTable, _: &str) -> Option<Sql> {
        let mut query = self.query();
        let name = query.parameter(Value::text(self.table_name(None, &table.as_table())));
        Some(query.finish(format!(
            "SELECT 1::int8 FROM pg_class AS c WHERE c.oid = to_regclass({name}::text) AND pg_has_role(c.relowner, 'USAGE')"
        )))
    }

    fn lock_until_dropped(&self, table: &NewTable) -> Option<Sql> {
        let name = self.table_name(None, &table.as_table());
        Some(plain(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")))
    }

    fn script_header(&self) -> String {
        "-- Made by fk-doctor. Run it with: psql --single-transaction --set ON_ERROR_STOP=1 --file THIS_FILE\n\
         SET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL standard_conforming_strings = on;\n"
            .to_owned()
    }

    fn script_footer(&self) -> String {
        String::new()
    }
}

/// Returns the condition that the sequence `s` is the one that the column draws from.
fn is_sequence_of(query: &mut Query, table: &str, column: &str) -> String {
    let table = query.parameter(Value::text(table));
    let column = query.parameter(Value::text(column));
    format!("s.seqrelid = pg_get_serial_sequence({table}::text, {column}::text)::regclass")
}
