//! Decides which definitions change under the rules that change the schema, and which of these rules are refused.
//!
//! `relax` drops a foreign key, so that the relation has no orphans any more. `enforce` declares a foreign key, so no orphan may
//! remain. `prevent` creates triggers that create placeholders for later rows. The module `sql` writes the definitions.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::value::Value;

use crate::model::catalog::Catalog;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::TableKind;
use crate::model::facts::Location;
use crate::model::facts::ParentKey;
use crate::model::finding::Code;
use crate::model::forecast::PlanRefusal;
use crate::model::forecast::RelationForecast;
use crate::model::ids::TableId;
use crate::model::redefinition;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Defect;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::resolve;
use crate::model::rule::Enforcement;
use crate::model::rule::Prevention;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::sql::redefine::EnforceRequest;
use crate::sql::redefine::Redefine;
use crate::sql::redefine::RelaxRequest;
use crate::treat::assign::Assigned;

mod nullable;
mod prevent;

/// True if the rule drops the relation's foreign key.
pub fn is_relaxed(relation: &Relation, rule: Option<&Rule>) -> bool {
    relation.origin == Origin::Declared && rule.is_some_and(|rule| rule.relaxes().is_some())
}

/// The input of a decision about definitions.
pub struct DecisionInput<'a> {
    pub schema: &'a Schema,
    pub rules: &'a Rules,
    /// The rule of each relation.
    pub assigned: &'a Assigned,
    /// The forecast of each relation with orphans.
    pub forecasts: &'a [RelationForecast<Value>],
    pub definitions: &'a [Definition],
    /// The columns that have a DEFAULT, for each parent whose placeholders triggers create.
    pub defaults: &'a BTreeMap<TableId, Vec<String>>,
    pub sql: Option<&'static dyn Redefine>,
}

/// The definitions that change, and the refusals.
#[derive(Default)]
pub struct Decided {
    pub changes: Vec<Redefinition>,
    pub refusals: Vec<PlanRefusal>,
    /// Warnings about effects of the changes.
    pub warnings: Vec<String>,
}

/// Returns the parents whose columns must be known before [`decide`] is called.
pub fn parents_to_know(schema: &Schema, rules: &Rules, assigned: &Assigned) -> Vec<TableId> {
    let treated =
        schema.relations.iter().zip(assigned).filter_map(|(relation, rule)| Some((relation, &rules[(*rule)?])));
    treated.filter(|(_, rule)| rule.prevents().is_some()).filter_map(|(relation, _)| relation.parent.table).collect()
}

pub fn decide(input: &DecisionInput<'_>) -> Decided {
    let mut decided = Decided::default();
    // Later changes start from the definitions that earlier ones leave.
    let mut definitions = input.definitions.to_vec();
    let treated: Vec<(&Relation, &Rule)> = input
        .schema
        .relations
        .iter()
        .zip(input.assigned)
        .filter_map(|(relation, rule)| Some((relation, &input.rules[(*rule)?])))
        .collect();
    let mut relaxed: BTreeMap<TableId, Vec<&(&Relation, &Rule)>> = BTreeMap::new();
    for treatment in treated.iter().filter(|(relation, rule)| is_relaxed(relation, Some(rule))) {
        relaxed.entry(treatment.0.child).or_default().push(treatment);
    }
    for position in input.schema.tables.ids() {
        let relaxed = relaxed.get(&position).map(Vec::as_slice).unwrap_or_default();
        if let Some((changes, relation, rule)) = input.relaxed(position, relaxed, &definitions) {
            decided.add(changes.map_err(|why| (why, None)), &relation, &rule, &mut definitions);
        }
    }
    let mut declared = BTreeSet::new();
    for (relation, rule) in &treated {
        let is_first = declared.insert(sides(relation));
        if let Some(enforcement) = rule.enforces()
            && (relation.origin == Origin::Configured || is_unproven(relation))
            && is_first
        {
            let changes = input.enforced(relation, rule, enforcement, &definitions);
            decided.add(changes, &relation.id, &rule.id.value, &mut definitions);
        }
    }
    for (relation, rule) in &treated {
        let changes = match rule.prevents() {
            Some(Prevention { remove: true }) => Ok((input.unprevented(relation, rule), None)),
            Some(Prevention { remove: false }) => {
                input.prevented(relation, rule, &definitions).map_err(|why| (why, None))
            }
            None => continue,
        };
        let creates = |changes: &Vec<Redefinition>| changes.iter().any(|change| change.after.is_some());
        let changes = changes.map(|(changes, version_warning)| {
            if creates(&changes) {
                decided.warnings.extend(prevent::warnings(relation, rule));
                decided.warnings.extend(version_warning);
            }
            changes
        });
        decided.add(changes, &relation.id, &rule.id.value, &mut definitions);
    }
    decided.warnings.extend(input.lock_warnings(&decided.changes));
    decided.warnings.extend(nullable::unknown(input.schema, input.rules));
    decided
}

/// Returns the columns on both sides of a relation.
fn sides(relation: &Relation) -> (TableId, &[usize], Option<TableId>, &[usize]) {
    (relation.child, &relation.child_columns, relation.parent.table, &relation.parent.columns)
}

/// The reason why something cannot be done, and the help, if there is one.
type Objection = (String, Option<String>);

impl Decided {
    fn add(
        &mut self,
        changes: Result<Vec<Redefinition>, Objection>,
        relation: &str,
        rule: &str,
        definitions: &mut Vec<Definition>,
    ) {
        match changes {
            Ok(changes) => {
                for change in changes {
                    change.apply_to(definitions);
                    redefinition::add(&mut self.changes, change);
                }
            }
            Err((why, help)) => self.refusals.push(PlanRefusal {
                rule: rule.to_owned(),
                relation: relation.to_owned(),
                why,
                help: help.unwrap_or_else(|| "nothing was written: exclude this relation from the rule".to_owned()),
            }),
        }
    }
}

impl DecisionInput<'_> {
    /// Returns warnings about writers that wait while an index is created on a server.
    fn lock_warnings(&self, changes: &[Redefinition]) -> Vec<String> {
        let is_made = |change: &&Redefinition| change.kind == DefinitionKind::Index && change.before.is_none();
        let lock_warnings = |change: &Redefinition| {
            format!(
                "writers of {} wait while the index {} is created; to avoid this, create an index on its columns first",
                change.table, change.name
            )
        };
        let is_server = self.schema.database.engine.facts().location == Location::Server;
        changes.iter().filter(|_| is_server).filter(is_made).map(lock_warnings).collect()
    }

    fn sql(&self) -> Result<&'static dyn Redefine, String> {
        let title = self.schema.database.engine.title();
        self.sql.ok_or_else(|| format!("this version cannot change definitions on {title}"))
    }

    /// Returns the changes that relax a table, the relation or column that they concern, and the rule, for example
    /// `(changes, "post(author)->user(id)", "authors")`. Returns `None` if no rule relaxes the table.
    fn relaxed(
        &self,
        position: TableId,
        relaxed: &[&(&Relation, &Rule)],
        definitions: &[Definition],
    ) -> Option<(Result<Vec<Redefinition>, String>, String, String)> {
        let requested: Vec<RelaxRequest<'_>> = relaxed
            .iter()
            .filter_map(|(relation, rule)| {
                Some(RelaxRequest { relation, nullable: rule.relaxes()?, rule: &rule.id.value })
            })
            .collect();
        let nulled = nullable::columns(self.schema, self.rules, self.assigned, position, &requested);
        let table = &self.schema.tables[position];
        let (relation, rule) = match (requested.first(), nulled.first()) {
            (Some(request), _) => (request.relation.id.clone(), request.rule),
            (None, Some(nulling)) => (side(&table.name, [table.columns[nulling.column].name.as_str()]), nulling.rule),
            (None, None) => return None,
        };
        let changes = self.sql().and_then(|sql| sql.relax(self.schema, table, &requested, &nulled, definitions));
        let changes = changes.map_err(|why| format!("the definition of {} cannot be changed: {why}", table.name));
        Some((changes, relation, rule.to_owned()))
    }

    /// Returns the changes that declare a relation as a foreign key, or the objection.
    fn enforced(
        &self,
        relation: &Relation,
        rule: &Rule,
        enforcement: &Enforcement,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, Objection> {
        let sql = self.sql().map_err(|why| (why, None))?;
        let child = self.schema.child(relation);
        if !relation.scope.is_everything() {
            let why = "the configuration restricts it to some rows (where, ignore-values or soft-deleted), and a foreign key holds for every row";
            let help = "repair the other rows too, then remove these settings from fk-doctor.toml";
            return Err((why.to_owned(), Some(help.to_owned())));
        }
        if !matches!(child.kind, TableKind::Table | TableKind::Partitioned) {
            return Err((format!("{} is not an ordinary table", child.name), None));
        }
        let defects = self.as_declared(relation, enforcement);
        if let Some(defect) = defects.iter().find(|defect| is_fatal(defect.code)) {
            return Err((defect.message.clone(), Some(defect.help.clone())));
        }
        if let Some(forecast) = self.forecasts.iter().find(|forecast| forecast.id == relation.id) {
            if let Some(why) = &forecast.unchecked {
                return Err((format!("its rows could not be checked: {why}"), None));
            }
            if forecast.rows_after > 0 {
                let keys: u64 = match forecast.rule {
                    Some(_) => forecast.undecided.iter().map(|undecided| undecided.keys).sum(),
                    None => forecast.keys,
                };
                let rows = text::plural(forecast.rows_after, "orphan row");
                let why = format!(
                    "{rows} would remain ({}), and a foreign key allows none",
                    text::plural(keys, "missing key")
                );
                let help = "put treatments for them before `enforce` in the rule; `fk-doctor scan` shows them";
                return Err((why, Some(help.to_owned())));
            }
        }
        let request = EnforceRequest {
            relation,
            on_delete: enforcement.on_delete,
            on_update: enforcement.on_update,
            needs_index: enforcement.index && defects.iter().any(|defect| defect.code == Code::ChildNotIndexed),
            rule: &rule.id.value,
        };
        sql.enforce(self.schema, &request, definitions).map_err(|why| (why, None))
    }

    /// Returns the defects that the relation would have if it were declared.
    fn as_declared(&self, relation: &Relation, enforcement: &Enforcement) -> Vec<Defect> {
        let key = ForeignKey {
            name: None,
            child: relation.child,
            columns: self.schema.child_column_names(relation).map(str::to_owned).collect(),
            parent: relation.parent.name.clone(),
            parent_columns: Some(relation.parent.column_names.clone()),
            on_delete: enforcement.on_delete,
            on_delete_columns: Vec::new(),
            on_update: enforcement.on_update,
            match_rule: relation.match_rule,
            deferrable: false,
            comparisons: relation.comparisons.clone(),
            flaws: Vec::new(),
            incomparable: None,
        };
        let Schema { database, names, tables, .. } = self.schema.clone();
        let engine = database.engine;
        let catalog = Catalog { database, names, tables, foreign_keys: vec![key] };
        let mut defects = relation.defects.clone();
        let declared = resolve::resolve(catalog, &[]).ok().and_then(|schema| schema.relations.into_iter().next());
        defects.extend(declared.into_iter().flat_map(|declared| declared.defects));
        // The engine judges the parent's key only when the foreign key is declared.
        if engine.facts().parent_key == ParentKey::ByEngine && relation.parent.key.is_none() {
            let columns = relation.parent.column_names.join(", ");
            defects.push(Defect {
                code: Code::ParentKeyNotUnique,
                message: format!(
                    "{}({columns}) is neither a primary key nor the whole of a unique index",
                    relation.parent.name
                ),
                help: format!(
                    "if no two rows share a key, make ({columns}) UNIQUE; otherwise refer to a key that is unique"
                ),
            });
        }
        defects
    }
}

/// True if the foreign key is declared NOT VALID, so that the server has not checked the older rows.
fn is_unproven(relation: &Relation) -> bool {
    relation.defects.iter().any(|defect| defect.code == Code::NotValidated)
}

/// True if no engine enforces a foreign key with this defect.
fn is_fatal(code: Code) -> bool {
    matches!(
        code,
        Code::ParentTableMissing
            | Code::ParentIsView
            | Code::ParentColumnMissing
            | Code::ParentKeyNotUnique
            | Code::ParentKeyPartialIndex
            | Code::ParentKeyCollation
            | Code::ColumnCountMismatch
            | Code::NotEnforced
    )
}
