//! Checks rules against a database before anything is planned. Reports all tables and columns that do not exist and all SQL
//! that does not compile, each with its position in the rule.

use super::TreatError;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::catalog::Table;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::ids::RuleId;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row::RowName;
use crate::model::rule::Expression;
use crate::model::rule::Nullable;
use crate::model::rule::Prevention;
use crate::model::rule::RemapHow;
use crate::model::rule::Rules;
use crate::model::rule::Treatment;
use crate::model::rule::Via;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::text::nearest;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::repair::Evaluation;
use crate::sql::repair::Repair;
use crate::sql::repair::RequestedValue;
use crate::sql::repair::can_hold;
use crate::treat::assign::Assigned;

/// Checks every rule against the relations that it treats.
pub fn check(
    schema: &Schema,
    rules: &Rules,
    assigned: &Assigned,
    sql: &dyn Repair,
    session: &mut dyn Session,
) -> Result<Vec<(RuleId, Fault)>, TreatError> {
    let mut faults: Vec<(RuleId, Fault)> = Vec::new();
    for (relation, rule) in
        schema.relations.iter().zip(assigned).filter_map(|(relation, rule)| Some((relation, (*rule)?)))
    {
        let has_placeholder =
            rules[rule].treatments.iter().any(|treatment| matches!(treatment.value, Treatment::Placeholder(_)));
        let mut checker = Checker { schema, relation, has_placeholder, sql, session, faults: Vec::new() };
        for treatment in &rules[rule].treatments {
            checker.treatment(treatment)?;
        }
        faults.extend(checker.faults.into_iter().map(|fault| (rule, fault)));
    }
    for (rule, about) in rules.entries() {
        if let Some(repoint) = about.repoints() {
            let mut checker = twins::TwinChecker { schema, sql, session, faults: Vec::new() };
            checker.check(about, repoint)?;
            faults.extend(checker.faults.into_iter().map(|fault| (rule, fault)));
        }
    }
    faults.sort_by_key(|(rule, fault)| (*rule, fault.span.start, fault.span.end));
    faults.dedup();
    Ok(faults)
}

mod twins;

struct Checker<'c> {
    schema: &'c Schema,
    relation: &'c Relation,
    has_placeholder: bool,
    sql: &'c dyn Repair,
    session: &'c mut dyn Session,
    faults: Vec<Fault>,
}

impl<'c> Checker<'c> {
    fn fault(&mut self, span: &std::ops::Range<usize>, message: String, help: Option<String>) {
        self.faults.push(Fault { span: span.clone(), message, help });
    }

    fn treatment(&mut self, treatment: &Spanned<Treatment>) -> Result<(), TreatError> {
        let width = self.relation.child_columns.len();
        let via = treatment.value.via();
        if let Some(via) = via
            && !self.via(via, width)
        {
            return Ok(());
        }
        let via = via.map(|via| &via.value);
        match &treatment.value {
            Treatment::Remap(remap) => self.remap(via, &remap.how, width)?,
            Treatment::Placeholder(placeholder) => self.values(via, &placeholder.values)?,
            Treatment::Sentinel(sentinel) => {
                if sentinel.key.value.len() != width {
                    self.fault(
                        &sentinel.key.span,
                        format!(
                            "the key has {} values, and {} has {width} columns",
                            sentinel.key.value.len(),
                            self.relation.id
                        ),
                        None,
                    );
                }
                self.sentinel_key(&sentinel.key);
                self.values(None, &sentinel.values)?;
            }
            Treatment::SetNull { columns: Some(columns) } => {
                for column in columns {
                    if !self
                        .schema
                        .child_column_names(self.relation)
                        .any(|name| self.schema.names.same(name, &column.value))
                    {
                        let help = format!(
                            "its columns are {}",
                            self.schema.child_column_names(self.relation).collect::<Vec<_>>().join(", ")
                        );
                        self.fault(&column.span, format!("{} is not a column of the key", column.value), Some(help));
                    }
                }
            }
            Treatment::Relax(Nullable::Columns(columns)) => {
                for column in columns {
                    self.nullable(column);
                }
            }
            Treatment::Prevent(Prevention { remove: false }) if !self.has_placeholder => {
                let message =
                    "`prevent` needs a `placeholder` treatment in the same rule, and the rule has none".to_owned();
                let help = Some("put a `[[treat]]` with action = \"placeholder\" before it".to_owned());
                self.fault(&treatment.span, message, help);
            }
            _ => {}
        }
        Ok(())
    }

    /// Reports a key that the parent's columns cannot hold. No parent with such a key can exist.
    fn sentinel_key(&mut self, key: &Spanned<Vec<Value>>) {
        let schema = self.schema;
        let Some(parent) = schema.parent(self.relation) else { return };
        for (value, &column) in key.value.iter().zip(&self.relation.parent.columns) {
            if !can_hold(schema.database.engine, parent, column, value) {
                let name = side(&parent.name, [parent.columns[column].name.as_str()]);
                let message = format!("the key {} cannot be a value of {name}", text::value(value));
                let help = Some("write a number, because the column holds numbers".to_owned());
                self.fault(&key.span, message, help);
            }
        }
    }

    fn nullable(&mut self, column: &Spanned<String>) {
        let child = self.schema.child(self.relation);
        let same = |name: &str| self.schema.names.same(name, &column.value);
        match child.columns.iter().position(|known| same(&known.name)) {
            None => {
                let near = nearest(&column.value, child.columns.iter().map(|known| known.name.as_str()));
                let help = near.map(|near| format!("did you mean {near}?"));
                self.fault(&column.span, format!("{} has no column {}", child.name, column.value), help);
            }
            Some(index) if child.primary_key.contains(&index) => {
                let message =
                    format!("{} is in the primary key of {}, so it cannot become nullable", column.value, child.name);
                self.fault(&column.span, message, Some("remove it from the list".to_owned()));
            }
            Some(_) => {}
        }
    }

    fn via(&mut self, via: &Spanned<Via>, width: usize) -> bool {
        let Some(table) = self.table(&via.value.table, &via.span) else { return false };
        let found = self.all_columns(table, &via.value.columns, &via.span);
        if found && via.value.columns.len() != width {
            let message = format!(
                "`via` names {} columns, and the key of {} has {width}",
                via.value.columns.len(),
                self.relation.id
            );
            self.fault(&via.span, message, None);
            return false;
        }
        found
    }

    fn remap(&mut self, via: Option<&Via>, how: &Spanned<RemapHow>, width: usize) -> Result<(), TreatError> {
        match &how.value {
            RemapHow::To(query) => {
                let faults = self.faults.len();
                // Checks the single columns first, because their faults have the clearest messages.
                for wanted in RequestedValue::key(query, width).into_iter().rev() {
                    if self.faults.len() == faults {
                        self.compiles(via, wanted, &how.span)?;
                    }
                }
                Ok(())
            }
            RemapHow::Table { table, from, into } => {
                if let Some(table) = self.table(table, &how.span) {
                    let names: Vec<String> = from.iter().chain(into).cloned().collect();
                    self.all_columns(table, &names, &how.span);
                }
                if from.len() != width {
                    self.fault(&how.span, format!("the key of {} has {width} columns", self.relation.id), None);
                }
                Ok(())
            }
            RemapHow::File(map) => {
                if map.entries.keys().any(|key| key.len() != width) {
                    let message = format!("{} must have {} columns: the old key and the new one", map.file, 2 * width);
                    self.fault(&how.span, message, None);
                }
                Ok(())
            }
            RemapHow::Normalize(_) => {
                if width > 1 {
                    self.fault(&how.span, "`normalize` works only for keys of one column".to_owned(), None);
                }
                Ok(())
            }
        }
    }

    fn values(
        &mut self,
        via: Option<&Via>,
        values: &[(Spanned<String>, Spanned<Expression>)],
    ) -> Result<(), TreatError> {
        let parent = self.relation.parent.table;
        for (column, expression) in values {
            if let Some(parent) = parent {
                self.all_columns(parent, std::slice::from_ref(&column.value), &column.span);
            }
            self.compiles(via, RequestedValue::Expression(&expression.value), &expression.span)?;
        }
        Ok(())
    }

    /// Reports an expression that does not compile. For this, it evaluates the expression for one key of NULLs.
    fn compiles(
        &mut self,
        via: Option<&Via>,
        wanted: RequestedValue<'_>,
        span: &std::ops::Range<usize>,
    ) -> Result<(), TreatError> {
        let schema = self.schema;
        let via = via.and_then(|via| {
            let table = &schema.tables[schema.table(&via.table)?];
            let position =
                |name: &String| table.columns.iter().position(|column| schema.names.same(&column.name, name));
            Some((table, via.columns.iter().filter_map(position).collect::<Vec<usize>>()))
        });
        let key: Key = vec![Value::Null; self.relation.child_columns.len()];
        let names = identity_columns(schema.child(self.relation));
        let row: RowName = names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
        let evaluation = Evaluation {
            via: via.as_ref().map(|(table, columns)| (*table, columns.as_slice())),
            keys: &[(&key, &row)],
            wanted: &[wanted],
        };
        let query = self.sql.evaluate(schema, self.relation, &evaluation);
        match self.session.each_row(&query, &mut |_| {}) {
            Ok(()) => Ok(()),
            Err(EngineError::Failed { why }) => {
                let scopes = if via.is_some() { "child.*, via.* and key.*" } else { "child.* and key.*" };
                self.fault(span, format!("this does not compile: {why}"), Some(format!("write it over {scopes}")));
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    fn table(&mut self, name: &str, span: &std::ops::Range<usize>) -> Option<TableId> {
        table(self.schema, name, span).map_err(|fault| self.faults.push(fault)).ok()
    }

    fn all_columns(&mut self, table: TableId, names: &[String], span: &std::ops::Range<usize>) -> bool {
        let missing = missing_columns(self.schema, table, names, span);
        let found = missing.is_empty();
        self.faults.extend(missing);
        found
    }
}

/// Returns the table of this name, or the fault that there is none.
fn table(schema: &Schema, name: &str, span: &std::ops::Range<usize>) -> Result<TableId, Fault> {
    schema.table(name).ok_or_else(|| {
        let names: Vec<String> = schema.tables.iter().map(|table| table.name.to_string()).collect();
        let near = nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean {near}?"));
        Fault { span: span.clone(), message: format!("there is no table {name}"), help: near }
    })
}

/// Returns a fault for each of these columns that a table lacks.
fn missing_columns(schema: &Schema, table: TableId, names: &[String], span: &std::ops::Range<usize>) -> Vec<Fault> {
    let table: &Table = &schema.tables[table];
    let exists = |name: &&String| table.columns.iter().any(|column| schema.names.same(&column.name, name));
    let fault = |name: &String| {
        let near = nearest(name, table.columns.iter().map(|column| column.name.as_str()));
        let columns = table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let help = near.map_or_else(|| format!("its columns are {columns}"), |near| format!("did you mean {near}?"));
        Fault { span: span.clone(), message: format!("{} has no column {name}", table.name), help: Some(help) }
    };
    names.iter().filter(|name| !exists(name)).map(fault).collect()
}
