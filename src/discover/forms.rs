//! The forms of all columns of a schema, and which of them compare with each other.

use std::collections::HashMap;

use super::column_keys::FormPlan;
use super::column_keys::Part;
use super::form::Conversion;
use super::form::Fold;
use super::form::Form;
use super::form::TEXT;
use super::profile::observed_tables;
use crate::model::catalog::Column;
use crate::model::ids::TableId;
use crate::model::schema::Schema;
use crate::sql::comparison::ColumnComparison;
use crate::sql::comparison::TextComparison;
use crate::sql::discover::Cell;
use crate::sql::discover::CellKey;
use crate::sql::discover::comparison;

/// The forms of the columns that can be a child or a parent.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    of_columns: HashMap<(TableId, usize), Form>,
    /// Columns whose collation belongs to another program.
    unknown: Vec<(TableId, usize)>,
    all: Vec<Form>,
    /// The names of the kinds of values of a server.
    kinds: Vec<String>,
    /// The collations of a server's texts.
    collations: Vec<String>,
}

impl Forms {
    pub fn of(schema: &Schema) -> Forms {
        let mut forms = Forms { kinds: vec!["text".to_owned()], ..Forms::default() };
        for (id, table) in observed_tables(schema) {
            for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.generated) {
                forms.add(schema, (id, index), column);
            }
        }
        forms.all = forms.of_columns.values().copied().collect();
        forms.all.sort_unstable();
        forms.all.dedup();
        forms
    }

    fn add(&mut self, schema: &Schema, address: (TableId, usize), column: &Column) {
        let form = |conversion, fold| Some(Form { conversion, fold });
        let found = match comparison(schema, column) {
            ColumnComparison::Affinity => {
                let form = Form::of(column);
                if form.is_none() {
                    self.unknown.push(address);
                }
                form
            }
            ColumnComparison::ExactNumber => form(Conversion::Exact, Fold::Bytes),
            ColumnComparison::FloatingPoint => form(Conversion::FloatingPoint, Fold::Bytes),
            ColumnComparison::Text(text) => form(Conversion::Spelling(TEXT), self.fold(text)),
            ColumnComparison::Spelling(kind) => {
                form(Conversion::Spelling(position(&mut self.kinds, kind)), Fold::Bytes)
            }
            ColumnComparison::Engine(kind) => form(Conversion::Spelling(position(&mut self.kinds, kind)), Fold::Engine),
            ColumnComparison::EngineOrText(kind) => {
                form(Conversion::TextOfType(position(&mut self.kinds, kind)), Fold::Engine)
            }
            ColumnComparison::File(kind) => form(Conversion::File(kind), Fold::Bytes),
            ColumnComparison::NoKey => None,
        };
        if let Some(form) = found {
            self.of_columns.insert(address, form);
        }
    }

    fn fold(&mut self, text: TextComparison) -> Fold {
        match text {
            TextComparison::Bytes => Fold::Bytes,
            TextComparison::BytesWithoutPadding => Fold::RightTrim,
            TextComparison::Padded => Fold::Padded,
            TextComparison::Collation(name) => Fold::Collation(position(&mut self.collations, name)),
            TextComparison::Engine => Fold::Engine,
        }
    }

    /// Returns the form of a column; `None` if it can be neither a child nor a parent.
    pub fn form(&self, table: TableId, column: usize) -> Option<Form> {
        self.of_columns.get(&(table, column)).copied()
    }

    /// True if fk-doctor does not know the collation of a column.
    pub fn is_unknown(&self, table: TableId, column: usize) -> bool {
        self.unknown.contains(&(table, column))
    }

    /// Returns the plan for a column: its own form, and those of all parents that compare with it.
    pub fn plan(&self, own: Form) -> FormPlan {
        let mut others: Vec<Form> = self.all.iter().filter_map(|form| form.against(own)).collect();
        others.retain(|form| *form != own && form.may_differ_from(own));
        others.sort_unstable();
        others.dedup();
        let collated = std::iter::once(&own).chain(&others).filter(|form| own.has_other_keys_in(**form)).count();
        FormPlan { own, others, is_real: own.conversion == Conversion::Real, collated, part: Part::WHOLE }
    }

    /// Returns the cell with the comparison key of a column, which has its own form, in another; `None` if the value itself
    /// gives the key.
    pub fn key_cell(&self, column: usize, own: Form, form: Form) -> Option<Cell<'_>> {
        if !own.has_other_keys_in(form) {
            return None;
        }
        let key = match (form.conversion, form.fold) {
            (Conversion::File(kind), _) => Some(CellKey::File(kind)),
            (_, Fold::Collation(number)) => {
                self.collations.get(usize::from(number)).map(|name| CellKey::Collation(name))
            }
            _ => None,
        };
        key.map(|key| Cell { column, key: Some(key) })
    }

    /// Returns the cells of a column: its value, then its comparison key in each form of the plan that needs one.
    pub fn cells(&self, column: usize, plan: &FormPlan) -> Vec<Cell<'_>> {
        let forms = std::iter::once(&plan.own).chain(&plan.others);
        let keys = forms.filter_map(|form| self.key_cell(column, plan.own, *form));
        std::iter::once(Cell::value(column)).chain(keys).collect()
    }
}

fn position(names: &mut Vec<String>, name: String) -> u16 {
    let known = names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    });
    u16::try_from(known).unwrap_or(u16::MAX)
}
