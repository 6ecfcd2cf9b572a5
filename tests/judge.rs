//! Judges a repair from outside with plain SQL: the rows that a command changed, its permission to change them, and the
//! orphans that it left. It works on SQLite and on servers.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use super::common::Run;
use super::generated::Made;
use super::generated::Table;
use super::plan_lines;

/// A row, given by its table and the SQL literals of its primary key.
pub(crate) type RowId = (String, Vec<String>);

/// Columns and their SQL literals; `None` is NULL.
pub(crate) type Row = BTreeMap<String, Option<String>>;

/// Every row of the application's tables.
pub(crate) type State = BTreeMap<RowId, Row>;

/// An orphan: the index of its relation in [`Layout::relations`], its row, and its key.
pub(crate) type Orphan = (usize, RowId, Vec<String>);

/// How values become literals. SQLite keeps storage classes; servers accept quoted text for every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    Typed,
    Quoted,
}

impl Literals {
    /// Returns the literal of a value in a plan.
    fn of(self, value: &serde_json::Value) -> Option<String> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        match (value, self) {
            (serde_json::Value::Null, _) => None,
            (serde_json::Value::String(text), _) => Some(quoted(text)),
            (other, Literals::Typed) => Some(other.to_string()),
            (other, Literals::Quoted) => Some(quoted(&other.to_string())),
        }
    }

    /// Returns the literal of a small number in a column of this table.
    pub(crate) fn number(self, table: &Table, column: &str, number: u8) -> String {
        let is_text = table.columns.iter().any(|definition| definition.starts_with(&format!("{column} TEXT")));
        if is_text || self == Literals::Quoted { format!("'{number}'") } else { number.to_string() }
    }
}

pub(crate) struct Relation {
    /// The table's name as the program prints it.
    pub(crate) id: String,
    pub(crate) child: String,
    pub(crate) columns: Vec<String>,
    pub(crate) parent: String,
    pub(crate) parent_columns: Vec<String>,
}

/// The tables and relations of the application.
pub(crate) struct Layout<'m> {
    pub(crate) made: &'m Made,
    pub(crate) literals: Literals,
    pub(crate) relations: Vec<Relation>,
}

impl<'m> Layout<'m> {
    pub(crate) fn new(made: &'m Made, literals: Literals) -> Layout<'m> {
        let relations = made.tables.iter().flat_map(|table| {
            table.references.iter().map(|(columns, target, _)| {
                let (parent, key) = target.split_once('(').unwrap();
                let parent_columns: Vec<String> = key.trim_end_matches(')').split(", ").map(str::to_owned).collect();
                let id = format!("{}({})->{parent}({})", table.name, columns.join(","), parent_columns.join(","));
                let (child, columns, parent) = (table.name.clone(), columns.clone(), parent.to_owned());
                Relation { id, child, columns, parent, parent_columns }
            })
        });
        Layout { made, literals, relations: relations.collect() }
    }

    pub(crate) fn columns(table: &Table) -> Vec<String> {
        table.columns.iter().map(|column| column.split(' ').next().unwrap().to_owned()).collect()
    }

    /// Returns the row with these literals, given in the order of [`Self::columns`].
    pub(crate) fn row(table: &Table, literals: Vec<Option<String>>) -> (RowId, Row) {
        let row: Row = Layout::columns(table).into_iter().zip(literals).collect();
        let key = table.key.iter().map(|column| row[*column].clone().unwrap_or_else(|| "NULL".to_owned()));
        ((table.name.clone(), key.collect()), row)
    }

    pub(crate) fn table(&self, name: &str) -> Option<&'m Table> {
        self.made.tables.iter().find(|table| table.name == name)
    }

    /// Returns every orphan of a state. Both sides have the same types, so all engines agree.
    pub(crate) fn orphans(&self, state: &State) -> BTreeSet<Orphan> {
        let mut orphans = BTreeSet::new();
        for (position, relation) in self.relations.iter().enumerate() {
            let parents = keys_of(state, &relation.parent, &relation.parent_columns);
            let parents: BTreeSet<&Vec<String>> = parents.iter().map(|(_, key)| key).collect();
            for (id, key) in keys_of(state, &relation.child, &relation.columns) {
                if !parents.contains(&key) {
                    orphans.insert((position, id.clone(), key));
                }
            }
        }
        orphans
    }
}

/// Returns the rows of a table in which all of these columns are filled, with their values.
pub(crate) fn keys_of<'s>(state: &'s State, table: &str, columns: &[String]) -> Vec<(&'s RowId, Vec<String>)> {
    let rows = state.iter().filter(|((name, _), _)| name == table);
    let key = |row: &Row| columns.iter().map(|column| row[column].clone()).collect::<Option<Vec<String>>>();
    rows.filter_map(|(id, row)| key(row).map(|key| (id, key))).collect()
}

/// A change of a plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) before: Option<Row>,
    pub(crate) after: Option<Row>,
    /// The role of the row in the plan (`orphan`, `dependant`, `parent`), and its relation.
    pub(crate) reasons: Vec<(String, String)>,
    /// Orphans that the plan does not change, but that get a parent by it.
    pub(crate) is_adopting: bool,
}

/// Returns the changes of a plan to the application's tables.
pub(crate) fn plan(path: &Path, layout: &Layout<'_>) -> BTreeMap<RowId, Planned> {
    let mut changes = BTreeMap::new();
    for line in plan_lines::changes(path) {
        let Some(table) = line["table"].as_str().and_then(|name| layout.table(name)) else { continue };
        let image = |image: &serde_json::Value| -> Option<Row> {
            let columns = image.as_object()?.iter();
            Some(columns.map(|(name, value)| (name.clone(), layout.literals.of(value))).collect())
        };
        let key = table.key.iter().map(|column| layout.literals.of(&line["row"][column]).unwrap());
        let reason = |reason: &serde_json::Value| {
            let text = |name: &str| reason[name].as_str().unwrap().to_owned();
            (text("part"), text("relation"))
        };
        let also = line["also"].as_array().into_iter().flatten();
        let planned = Planned {
            before: image(&line["before"]),
            after: image(&line["after"]),
            reasons: std::iter::once(&line).chain(also).map(reason).collect(),
            is_adopting: line["adopts"].as_array().is_some_and(|adopts| !adopts.is_empty()),
        };
        changes.insert((table.name.clone(), key.collect()), planned);
    }
    changes
}

/// A case, and the faults that were found in it.
pub(crate) struct Case<'c> {
    pub(crate) layout: &'c Layout<'c>,
    pub(crate) plan: &'c BTreeMap<RowId, Planned>,
    /// The orphans at the time of the plan.
    pub(crate) found: BTreeSet<Orphan>,
    /// Rows that the program changed and has not restored.
    pub(crate) ours: BTreeSet<RowId>,
    /// A short name of each fault, with its evidence.
    pub(crate) faults: Vec<(&'static str, String)>,
}

/// A command that was run.
pub(crate) struct Ran<'r> {
    pub(crate) before: &'r State,
    pub(crate) after: &'r State,
    /// The exit code; `None` if the command was killed.
    pub(crate) run: Option<&'r Run>,
    pub(crate) skips_changed: bool,
    pub(crate) in_batches: bool,
    /// True if the database has not changed since the previous command ended.
    pub(crate) is_alone: bool,
    pub(crate) dumps_differ: bool,
}

fn changed<'r>(ran: &Ran<'r>) -> Vec<&'r RowId> {
    let ids: BTreeSet<&RowId> = ran.before.keys().chain(ran.after.keys()).collect();
    ids.into_iter().filter(|id| ran.before.get(*id) != ran.after.get(*id)).collect()
}

impl Case<'_> {
    fn fault(&mut self, name: &'static str, shown: String) {
        self.faults.push((name, shown));
    }

    /// Checks refusals, kills, exit codes and panics, which are the same for apply and undo.
    fn judge_ending(&mut self, ran: &Ran<'_>) {
        let Some(run) = ran.run else {
            if !ran.in_batches && !ran.skips_changed && self.is_half_done(ran) {
                self.fault("killed: half of one transaction was done", String::new());
            }
            return;
        };
        let context = format!("{}{}", run.stdout, run.stderr);
        if run.stderr.contains("panicked") {
            self.fault("panic", context.clone());
        }
        match run.code {
            0 | 6 => {}
            5 if ran.dumps_differ && !ran.in_batches => {
                self.fault("refused, but the database changed", context.clone())
            }
            5 if ran.skips_changed => self.fault("refused in spite of --skip-changed", context.clone()),
            5 if ran.is_alone => self.fault("refused although nobody interfered", context.clone()),
            5 => {}
            _ => self.fault("odd exit code", format!("{}: {context}", run.code)),
        }
        if run.code != 0 && run.stdout.starts_with('✓') {
            self.fault("a first line greener than the exit code", context);
        }
    }

    /// True if some rows were changed, but other rows of the same unit were not.
    fn is_half_done(&self, ran: &Ran<'_>) -> bool {
        let ids = changed(ran);
        let takes_back = ids.iter().any(|id| self.ours.contains(*id));
        let is_left = |(id, planned): (&RowId, &Planned)| {
            let left = if takes_back { planned.after.as_ref() } else { planned.before.as_ref() };
            let is_meant = !takes_back || self.ours.contains(id);
            is_meant && ran.before.get(id) == left && ran.after.get(id) == left
        };
        !ids.is_empty() && self.plan.iter().any(is_left)
    }

    pub(crate) fn judge_apply(&mut self, ran: &Ran<'_>) {
        self.judge_ending(ran);
        // Parents that the program inserted do not excuse an unchanged row.
        let without_ours: State = ran
            .before
            .iter()
            .filter(|(id, _)| !(self.ours.contains(*id) && self.plan[*id].before.is_none()))
            .map(|(id, row)| (id.clone(), row.clone()))
            .collect();
        let were_orphans = self.layout.orphans(&without_ours);
        for id in changed(ran) {
            let Some(planned) = self.plan.get(id) else {
                self.fault("a row was changed that is not in the plan", format!("{id:?}"));
                continue;
            };
            let shown = format!("{id:?}: {:?} -> {:?}, planned {planned:?}", ran.before.get(id), ran.after.get(id));
            if ran.before.get(id) != planned.before.as_ref() {
                self.fault("a changed row was not as planned before", shown.clone());
            }
            if ran.after.get(id) != planned.after.as_ref() {
                self.fault("a changed row is not as planned after", shown.clone());
            }
            if planned.before.is_some() && !self.may_change(id, planned, ran, &were_orphans) {
                self.fault("a valid row was changed", shown.clone());
            }
            if planned.before.is_none() && planned.is_adopting && ran.run.is_some() && !self.is_needed(id, ran) {
                self.fault("a parent was made that nobody refers to", shown);
            }
            self.ours.insert(id.clone());
        }
        let (before, after) = (self.layout.orphans(ran.before), self.layout.orphans(ran.after));
        for orphan in after.difference(&before) {
            self.fault("apply made an orphan", format!("{orphan:?}"));
        }
        let Some(run) = ran.run else { return };
        if run.code == 0 && !after.is_empty() {
            self.fault("exit code 0 with orphans left", format!("{after:?}\n{}", run.stdout));
        }
        if run.code == 6 && after.is_empty() && !ran.skips_changed {
            self.fault("exit code 6 without an orphan", run.stdout.clone());
        }
        if run.code == 0 || run.code == 6 && !ran.skips_changed {
            for (id, planned) in self.plan {
                // The application may have changed the result of an earlier run.
                let is_earlier = self.ours.contains(id) && ran.before.get(id) == ran.after.get(id);
                if ran.after.get(id) != planned.after.as_ref() && !is_earlier {
                    let shown = format!("{id:?}: {:?}, planned {planned:?}", ran.after.get(id));
                    self.faults.push(("said to be applied, and a row is not", shown));
                }
            }
        }
        if [0, 6].contains(&run.code) && ran.skips_changed {
            self.judge_left_rows(ran, &were_orphans);
        }
    }

    /// Finds rows that a run must repair: they only lose their key, are as planned and are still orphans.
    fn judge_left_rows(&mut self, ran: &Ran<'_>, were_orphans: &BTreeSet<Orphan>) {
        for (id, planned) in self.plan {
            let (Some(before), Some(after)) = (&planned.before, &planned.after) else { continue };
            let is_blanked = before.iter().all(|(column, value)| after[column] == *value || after[column].is_none());
            let is_orphan = planned.reasons.iter().all(|(part, relation)| {
                part == "orphan"
                    && were_orphans.iter().any(|(of, row, _)| self.layout.relations[*of].id == *relation && row == id)
            });
            if is_blanked && is_orphan && ran.before.get(id) == Some(before) && ran.after.get(id) != Some(after) {
                self.faults.push(("--skip-changed left a row that still needed it", format!("{id:?}")));
            }
        }
    }

    /// True if the row is still an orphan in every relation of its change, or depends on a row that was deleted with
    /// it.
    fn may_change(&self, id: &RowId, planned: &Planned, ran: &Ran<'_>, were_orphans: &BTreeSet<Orphan>) -> bool {
        // A row that is an orphan itself is deleted even if it also depends on another deleted row.
        let is_orphan_itself = planned.after.is_none() && planned.reasons.iter().any(|(part, _)| part == "orphan");
        let reasons = planned.reasons.iter().filter(|(part, _)| !(is_orphan_itself && part == "dependant"));
        reasons.into_iter().all(|(part, relation)| match part.as_str() {
            "orphan" => were_orphans.iter().any(|(of, row, _)| self.layout.relations[*of].id == *relation && row == id),
            "dependant" => self.layout.relations.iter().filter(|relation| relation.child == id.0).any(|relation| {
                let parents = keys_of(ran.before, &relation.parent, &relation.parent_columns);
                let own = keys_of(ran.before, &relation.child, &relation.columns);
                let own = own.into_iter().find(|(row, _)| *row == id).map(|(_, key)| key);
                parents
                    .iter()
                    .any(|(parent, key)| Some(key) == own.as_ref() && ran.after.get(*parent) != ran.before.get(*parent))
            }),
            _ => true,
        })
    }

    /// True if a row refers to an inserted parent.
    fn is_needed(&self, id: &RowId, ran: &Ran<'_>) -> bool {
        let row = &ran.after[id];
        self.layout.relations.iter().filter(|relation| relation.parent == id.0).any(|relation| {
            let key: Option<Vec<String>> = relation.parent_columns.iter().map(|column| row[column].clone()).collect();
            keys_of(ran.after, &relation.child, &relation.columns).iter().any(|(_, own)| Some(own) == key.as_ref())
        })
    }

    pub(crate) fn judge_undo(&mut self, ran: &Ran<'_>) {
        self.judge_ending(ran);
        for id in changed(ran) {
            let shown = format!("{id:?}: {:?} -> {:?}", ran.before.get(id), ran.after.get(id));
            let Some(planned) = self.plan.get(id) else {
                self.fault("undo changed a row that is not in the plan", shown);
                continue;
            };
            if !self.ours.contains(id) {
                self.fault("undo changed a row that apply had not changed", shown.clone());
            }
            if ran.before.get(id) != planned.after.as_ref() || ran.after.get(id) != planned.before.as_ref() {
                self.fault("undo did something else than take a change back", format!("{shown}, planned {planned:?}"));
            }
            self.ours.remove(id);
        }
        let (before, after) = (self.layout.orphans(ran.before), self.layout.orphans(ran.after));
        let new: Vec<&Orphan> = after.difference(&before).filter(|orphan| !self.found.contains(*orphan)).collect();
        if !new.is_empty() {
            self.fault("undo made an orphan that the plan had not found", format!("{new:?}"));
        }
        if ran.run.is_some_and(|run| run.code == 6) && !ran.skips_changed {
            self.fault("undo ended with 6 without --skip-changed", String::new());
        }
        if ran.run.is_some_and(|run| run.code == 0) {
            let left: Vec<&RowId> =
                self.ours.iter().filter(|id| ran.after.get(*id) != self.plan[*id].before.as_ref()).collect();
            if !left.is_empty() {
                let shown = format!("{left:?}");
                self.fault("undo ended with 0 and did not take all of it back", shown);
            }
        }
    }
}
