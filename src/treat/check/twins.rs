//! Checks the rules that repoint the children of a table: its expressions, its query and its map.

use std::ops::Range;

use super::missing_columns;
use super::table;
use crate::engine::EngineError;
use crate::engine::Session;
use crate::model::configured::Fault;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::rule::KeptTwin;
use crate::model::rule::Repoint;
use crate::model::rule::Rule;
use crate::model::rule::TwinSource;
use crate::model::schema::Schema;
use crate::sql::Sql;
use crate::sql::repair::Repair;
use crate::treat::TreatError;

pub(super) struct TwinChecker<'c> {
    pub(super) schema: &'c Schema,
    pub(super) sql: &'c dyn Repair,
    pub(super) session: &'c mut dyn Session,
    pub(super) faults: Vec<Fault>,
}

impl TwinChecker<'_> {
    pub(super) fn check(&mut self, rule: &Rule, repoint: &Repoint) -> Result<(), TreatError> {
        let span = rule.parent.as_ref().map_or(&rule.id.span, |parent| &parent.span);
        let Some(parent) = self.table(rule.parent_table(), span) else { return Ok(()) };
        let about = &self.schema.tables[parent];
        let width = identity_columns(about).len();
        if width == 0 {
            let message = format!("rows of {} cannot be identified", about.name);
            let help = Some("the table needs a primary key, or a UNIQUE key without NULL".to_owned());
            self.faults.push(Fault { span: span.clone(), message, help });
            return Ok(());
        }
        let at = &repoint.twins.span;
        match &repoint.twins.value {
            TwinSource::Same { expressions, keep } => {
                let before = self.faults.len();
                for expression in expressions {
                    let query = self.sql.twins(self.schema, parent, &[&expression.value], true);
                    self.compiles(&query, &expression.span)?;
                }
                let is_wide = width > 1 && !self.schema.database.engine.facts().wide_rule_queries;
                if let (KeptTwin::Query(_), true) = (&keep.value, is_wide) {
                    let message = "on this engine a query cannot give a key of several columns".to_owned();
                    let help = Some("use `keep = \"oldest\"`, or a `map`".to_owned());
                    self.faults.push(Fault { span: keep.span.clone(), message, help });
                } else if let (KeptTwin::Query(query), true) = (&keep.value, self.faults.len() == before) {
                    let query = self.sql.kept_twins(self.schema, parent, &[], query);
                    self.compiles(&query, &keep.span)?;
                }
            }
            TwinSource::File(map) => {
                if map.entries.iter().any(|(old, new)| old.len() != width || new.len() != width) {
                    let message =
                        format!("{} must have {} columns: the key of a twin and the kept key", map.file, 2 * width);
                    self.faults.push(Fault { span: at.clone(), message, help: None });
                }
            }
            TwinSource::Table { table, from, into } => {
                if let Some(table) = self.table(table, at) {
                    let names: Vec<String> = from.iter().chain(into).cloned().collect();
                    self.faults.extend(missing_columns(self.schema, table, &names, at));
                }
                if from.len() != width {
                    let message = format!("the key of {} has {width} columns", about.name);
                    self.faults.push(Fault { span: at.clone(), message, help: None });
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, name: &str, span: &Range<usize>) -> Option<TableId> {
        table(self.schema, name, span).map_err(|fault| self.faults.push(fault)).ok()
    }

    /// Reports SQL that does not compile.
    fn compiles(&mut self, query: &Sql, span: &Range<usize>) -> Result<(), TreatError> {
        match self.session.each_row(query, &mut |_| {}) {
            Ok(()) => Ok(()),
            Err(EngineError::Failed { why }) => {
                let help = Some("write it over the columns of the parent, as parent.*".to_owned());
                self.faults.push(Fault { span: span.clone(), message: format!("this does not compile: {why}"), help });
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }
}
