//! A load on a server: rows go into temporary tables like the real ones, which stand beside them. Those judge values,
//! constraints and what is twice in the load; the real tables are asked for keys that are there already, and for parents.

use super::Counted;
use super::Load;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::sql::frozen::Sql;
use crate::sql::frozen::Twin;

/// Rows in one statement, and its parameters, at most.
const MOST_ROWS: usize = 256;
const MOST_PARAMETERS: usize = 30_000;

/// How an engine says what such a load needs.
pub(in crate::sql::frozen) trait Tongue: Sync {
    fn quoted(&self, name: &str) -> String;

    fn temporary(&self, name: &str) -> String;

    /// A table like the real one with one more column, for places; and a table of noted places.
    fn make(&self, schema: &Schema, table: &Table, name: &str) -> Vec<String>;

    fn make_noted(&self, name: &str) -> String;

    /// What stands for such a table where a statement names it a second time, if that cannot be the table itself.
    fn twin(&self, _table: &Table, _name: &str) -> Option<Twin> {
        None
    }

    fn counted(&self, schema: &Schema, table: &Table) -> Sql;

    fn count_on(&self, name: &str, sequence: &str, column: &Counted<'_>) -> Vec<String>;

    fn source(&self, schema: &Schema, table: &Table, alias: &str) -> String;

    /// `child` refers to `parent`.
    fn equal(&self, schema: &Schema, relation: &Relation) -> String;

    fn orphans(&self, schema: &Schema, relation: &Relation, from: &str, parent: Option<&str>) -> Sql;

    /// Inserts what a query gives, unless it is there.
    fn note(&self, noted: &str, query: &str) -> String;

    /// The row called `child` must have a parent.
    fn must_have_parent(&self, schema: &Schema, relation: &Relation, parent: Option<&str>) -> String;

    /// A value for a column, as a parameter.
    fn given(&self, column: &Column, value: &Value, parameters: &mut Vec<Value>) -> String;

    /// Both are the same under the column's own rules.
    fn same(&self, column: &Column, left: &str, right: &str) -> String;

    /// A column's value as an answer shows it, is this.
    fn is_shown(&self, table: &Table, name: &str, value: &Value, parameters: &mut Vec<Value>) -> String;

    /// A column's value in an answer.
    fn shown(&self, column: &Column, value: &str) -> String;

    /// The beginning and end of an INSERT of no columns.
    fn no_columns(&self) -> &'static str;
}

pub(in crate::sql::frozen) struct Beside {
    pub(in crate::sql::frozen) tongue: &'static dyn Tongue,
    /// Those that rows are for.
    pub(in crate::sql::frozen) tables: Vec<TableId>,
}

impl Beside {
    fn name(&self, table: TableId) -> String {
        self.tongue.temporary(&format!("fk_doctor$load_{table}"))
    }

    fn noted_name(&self) -> String {
        self.tongue.temporary("fk_doctor$noted")
    }

    /// Finds parents in the real table and in the load.
    fn parent(&self, schema: &Schema, relation: &Relation) -> Option<String> {
        let parent = relation.parent.table?;
        let equal = self.tongue.equal(schema, relation);
        let real =
            format!("SELECT 1 FROM {} WHERE {equal}", self.tongue.source(schema, &schema.tables[parent], "parent"));
        if !self.tables.contains(&parent) {
            return Some(real);
        }
        let loaded = self.twin(schema, relation).map_or_else(|| self.name(parent), |twin| twin.name);
        Some(format!("{real} UNION ALL SELECT 1 FROM {loaded} AS parent WHERE {equal}"))
    }

    /// Of a relation's child that is its parent, too.
    fn twin(&self, schema: &Schema, relation: &Relation) -> Option<Twin> {
        let child = relation.child;
        let is_both = relation.parent.table == Some(child);
        self.tongue.twin(&schema.tables[child], &self.name(child)).filter(|_| is_both)
    }

    fn with_twin(&self, schema: &Schema, relation: &Relation, sql: Sql) -> Sql {
        sql.with_twins(self.twin(schema, relation).into_iter().collect())
    }
}

impl Load for Beside {
    fn most_rows(&self, columns: usize) -> usize {
        (MOST_PARAMETERS / (columns + 1)).clamp(1, MOST_ROWS)
    }

    fn prepare(&self, schema: &Schema, tables: &[TableId]) -> Vec<Sql> {
        let made = tables.iter().flat_map(|&table| self.tongue.make(schema, &schema.tables[table], &self.name(table)));
        made.chain([self.tongue.make_noted(&self.noted_name())]).map(|text| Sql::new(text, Vec::new())).collect()
    }

    fn counted(&self, schema: &Schema, table: TableId) -> Option<Sql> {
        Some(self.tongue.counted(schema, &schema.tables[table]))
    }

    fn next_number(&self, schema: &Schema, table: TableId, column: usize) -> Option<Sql> {
        let about = &schema.tables[table];
        let name = self.tongue.quoted(&about.columns[column].name);
        let known = self.tongue.source(schema, about, "known");
        Some(Sql::new(format!("SELECT coalesce(max(known.{name}), 0) + 1 FROM {known}"), Vec::new()))
    }

    fn count_on(&self, table: TableId, column: &Counted<'_>) -> Vec<Sql> {
        let sequence = self.tongue.temporary(&format!("fk_doctor$count_{table}_{}", column.column));
        let counts = self.tongue.count_on(&self.name(table), &sequence, column);
        counts.into_iter().map(|text| Sql::new(text, Vec::new())).collect()
    }

    fn insert(&self, schema: &Schema, table: TableId, columns: &[usize], rows: &[(i64, Vec<Value>)]) -> Vec<Sql> {
        let about = &schema.tables[table];
        let names: Vec<String> =
            columns.iter().map(|&column| self.tongue.quoted(&about.columns[column].name) + ", ").collect();
        let mut parameters = Vec::new();
        let rows: Vec<String> = rows
            .iter()
            .map(|(place, values)| {
                let values: Vec<String> = columns
                    .iter()
                    .zip(values)
                    .map(|(&column, value)| self.tongue.given(&about.columns[column], value, &mut parameters) + ", ")
                    .collect();
                format!("({}{place})", values.concat())
            })
            .collect();
        let text =
            format!("INSERT INTO {}({}fk_doctor$place) VALUES {}", self.name(table), names.concat(), rows.join(", "));
        vec![Sql::new(text, parameters)]
    }

    fn collisions(&self, schema: &Schema, table: TableId, places: &[i64]) -> Option<Sql> {
        let about = &schema.tables[table];
        let (first, last) = (places.iter().min()?, places.iter().max()?);
        let whole = about.indexes.iter().enumerate().filter(|(_, index)| index.unique && !index.partial);
        let known = whole.filter_map(|(number, index)| {
            let same = |column: Option<usize>| {
                let column = &about.columns[column?];
                let name = self.tongue.quoted(&column.name);
                Some(self.tongue.same(column, &format!("child.{name}"), &format!("known.{name}")))
            };
            let same: Vec<String> = index.columns.iter().map(|part| same(part.column)).collect::<Option<_>>()?;
            let known = self.tongue.source(schema, about, "known");
            Some(format!(" WHEN EXISTS (SELECT 1 FROM {known} WHERE {}) THEN {number}", same.join(" AND ")))
        });
        let known: String = known.collect();
        let question = format!(
            "SELECT DISTINCT met.i FROM (SELECT CASE{known} END AS i FROM {} AS child \
             WHERE child.fk_doctor$place BETWEEN {first} AND {last}) AS met WHERE met.i IS NOT NULL ORDER BY 1",
            self.name(table),
        );
        (!known.is_empty()).then(|| Sql::new(question, Vec::new()))
    }

    fn orphans(&self, schema: &Schema, relation: RelationId) -> Sql {
        let about = &schema.relations[relation];
        let from = format!("{} AS child", self.name(about.child));
        let orphans = self.tongue.orphans(schema, about, &from, self.parent(schema, about).as_deref());
        self.with_twin(schema, about, orphans)
    }

    fn note_orphans(&self, schema: &Schema, relation: RelationId) -> Sql {
        let about = &schema.relations[relation];
        let lacks = self.tongue.must_have_parent(schema, about, self.parent(schema, about).as_deref());
        let query = format!("SELECT child.fk_doctor$place FROM {} AS child WHERE {lacks}", self.name(about.child));
        self.with_twin(schema, about, Sql::new(self.tongue.note(&self.noted_name(), &query), Vec::new()))
    }

    fn noted(&self) -> Sql {
        Sql::new(format!("SELECT count(*) FROM {}", self.noted_name()), Vec::new())
    }

    fn place_of(&self, schema: &Schema, table: TableId, row: &RowName) -> Sql {
        let about = &schema.tables[table];
        let mut parameters = Vec::new();
        let named: Vec<String> =
            row.iter().map(|(name, value)| self.tongue.is_shown(about, name, value, &mut parameters)).collect();
        let text = format!(
            "SELECT child.fk_doctor$place FROM {} AS child WHERE {} LIMIT 1",
            self.name(table),
            named.join(" AND ")
        );
        Sql::new(text, parameters)
    }

    fn holder(&self, schema: &Schema, table: TableId, columns: &[usize], values: &[Value]) -> Sql {
        let about = &schema.tables[table];
        let mut parameters = Vec::new();
        let same: Vec<String> = columns
            .iter()
            .zip(values)
            .map(|(&column, value)| {
                let column = &about.columns[column];
                let given = self.tongue.given(column, value, &mut parameters);
                self.tongue.same(column, &format!("child.{}", self.tongue.quoted(&column.name)), &given)
            })
            .collect();
        let text = format!(
            "SELECT child.fk_doctor$place FROM {} AS child WHERE {} LIMIT 1",
            self.name(table),
            same.join(" AND ")
        );
        Sql::new(text, parameters)
    }

    fn staged(&self, schema: &Schema, table: TableId, columns: &[usize]) -> Sql {
        let about = &schema.tables[table];
        let shown = |&column: &usize| {
            let column = &about.columns[column];
            self.tongue.shown(column, &format!("staged.{}", self.tongue.quoted(&column.name)))
        };
        let shown: Vec<String> = columns.iter().map(shown).collect();
        let values = std::iter::once(self.tongue.no_columns().to_owned()).chain(shown).collect::<Vec<_>>().join(", ");
        Sql::new(format!("SELECT {values} FROM {}", self.tongue.source(schema, about, "staged")), Vec::new())
    }
}
