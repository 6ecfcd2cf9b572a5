//! Statements explained on a server: what they would do is foreseen by reading, and the server has the last word on each
//! in a transaction that is rolled back.
//!
//! The server stops at the first reference that fails; the others are found among the rows that are foreseen. Where a
//! statement is not understood well enough for that, the first is all that is told, and that it is.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::TableWrite;
use crate::engine::trial::WriteCounts;
use crate::explain::Explaining;
use crate::explain::Wishes;
use crate::explain::complaint;
use crate::explain::error_text as complaints;
use crate::explain::observe;
use crate::explain::observe::Seen;
use crate::explain::one_by_one;
use crate::explain::radius;
use crate::explain::reasons;
use crate::model::catalog::Engine;
use crate::model::explanation::Effect;
use crate::model::explanation::Event;
use crate::model::explanation::Explained;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementReason;
use crate::model::explanation::StatementVerdict;
use crate::model::facts::ParameterStyle;
use crate::model::finding::Code;
use crate::model::ids::TableId;
use crate::model::refusal::Refusal;
use crate::model::refusal::RefusalKind;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::sql::forecast::StatementForecast;
use crate::sql::read::dml::Dml;
use crate::sql::read::dml::Writes;
use crate::sql::read::forbidden;
use crate::sql::read::tokens::tokens_of;

/// References to the same table may go on for ever only where the server lets them.
const MOST_WAVES: u32 = 10_000;

const NOT_FORESEEN: &str = "a table that it reaches has no primary key, has computed columns, or is no plain table";

pub(super) fn explain(
    trial: &mut dyn Trial,
    schema: Arc<Schema>,
    wishes: Wishes<'_>,
) -> Result<Explanation, EngineError> {
    let shown = observe::Shown { samples: wishes.samples, redaction: wishes.redaction };
    one_by_one(&mut Site { trial, schema: Arc::clone(&schema), shown }, schema, wishes)
}

struct Site<'a> {
    trial: &'a mut dyn Trial,
    schema: Arc<Schema>,
    shown: observe::Shown<'a>,
}

/// What a statement would do, and what of it could not be foreseen.
#[derive(Default)]
struct Foreseen {
    seen: Seen,
    /// The table whose rows it takes away or changes itself.
    root: Option<TableId>,
    doubts: Vec<String>,
}

impl Explaining for Site<'_> {
    fn trial(&mut self) -> &mut dyn Trial {
        self.trial
    }

    fn explain(&mut self, mut statement: Statement) -> Result<Explained, EngineError> {
        let wanted = placeholders(self.schema.database.engine, &statement.text);
        let given = statement.parameters.len();
        statement.parameters.truncate(wanted);
        let mut told = Explained {
            schema: Arc::clone(&self.schema),
            verdict: StatementVerdict::Accepted,
            reasons: Vec::new(),
            effects: Vec::new(),
            radius: Vec::new(),
            notes: Vec::new(),
            statement,
        };
        if let Some(why) = forbidden::reason_against(&self.schema, &told.statement) {
            told.verdict = StatementVerdict::Forbidden(why);
            return Ok(told);
        }
        let other_databases = self.trial.other_databases()?;
        if let Some(other) = forbidden::names_other_database(&self.schema, &told.statement, &other_databases) {
            let why =
                format!("it reaches into {other}, of whose tables it is not known whether they can be rolled back");
            told.verdict = StatementVerdict::Forbidden(why);
            return Ok(told);
        }
        if let Some(why) = self.lasting_through_a_trigger(&told.statement)? {
            told.verdict = StatementVerdict::Forbidden(why);
            return Ok(told);
        }
        if wanted > given {
            let message = format!("it has {wanted} parameters, and {given} were given");
            let refusal = Refusal::new(RefusalKind::Parameters, message);
            told.reasons.push(self.constraint(&refusal, &told.statement));
            told.verdict = StatementVerdict::Refused(refusal);
            return Ok(told);
        }
        self.try_out(&mut told)?;
        Ok(told)
    }
}

impl Site<'_> {
    /// A trigger may write what cannot be rolled back, wherever there is such a table.
    fn lasting_through_a_trigger(&mut self, statement: &Statement) -> Result<Option<String>, EngineError> {
        let schema = Arc::clone(&self.schema);
        let Some(lasting) = forbidden::non_transactional_table(&schema, statement) else { return Ok(None) };
        for table in lasting.named {
            if let Some(trigger) = self.trial.triggers_of(table)?.first() {
                return Ok(Some(format!(
                    "{} has the trigger {trigger}, which may write to {}, and that is stored by {}: it cannot be rolled back",
                    table.name, lasting.table.name, lasting.storage
                )));
            }
        }
        Ok(None)
    }

    fn try_out(&mut self, told: &mut Explained) -> Result<(), EngineError> {
        let counters = self.trial.counters()?;
        let before = self.trial.written()?;
        let foreseen = match told.statement.kind {
            StatementKind::Insert | StatementKind::Update | StatementKind::Delete => self.foresee(&told.statement),
            _ => Ok(Foreseen::default()),
        };
        let performance = self.trial.execute(&told.statement)?;
        told.verdict = crate::explain::verdict(&performance);
        let lasting = self.lasting(&counters)?;
        match (foreseen, &performance.refusal) {
            (Ok(foreseen), refusal) => self.tell(told, foreseen, refusal.as_ref(), before)?,
            (Err(why), refusal) => {
                self.tell(told, Foreseen::default(), refusal.as_ref(), None)?;
                let is_reference = refusal.as_ref().is_some_and(|refusal| refusal.kind == RefusalKind::ForeignKey);
                if is_reference {
                    let first = "this is the first reference that fails; others were not looked for";
                    told.notes.push(format!("{first}: {why}"));
                } else if refusal.is_none() {
                    told.notes.push(format!("what goes along was not looked for: {why}"));
                }
            }
        }
        told.notes.extend(lasting);
        Ok(())
    }

    fn tell(
        &mut self,
        told: &mut Explained,
        foreseen: Foreseen,
        refusal: Option<&Refusal>,
        before: Option<Vec<WriteCounts>>,
    ) -> Result<(), EngineError> {
        let Foreseen { seen, root, doubts, .. } = foreseen;
        let found = reasons::of_references(&self.schema, &seen, &self.shown);
        let waits = refusal.is_none() && self.trial.is_in_transaction();
        match refusal {
            None if waits => told.notes.extend(seen.lacking.iter().map(|one| reasons::waiting(&self.schema, one))),
            // Whoever switched the checks off knows; what is left behind is said all the same.
            None if found.is_empty() => {}
            None => {
                told.reasons = found;
                told.notes.push("the server accepts it all the same".to_owned());
            }
            Some(refusal) if refusal.kind == RefusalKind::ForeignKey => {
                told.reasons = found;
                self.add_the_servers_own(told, refusal)?;
            }
            Some(refusal) => {
                told.reasons.push(self.constraint(refusal, &told.statement));
                told.reasons.extend(found);
            }
        }
        let roots: Vec<TableId> = root.into_iter().collect();
        told.radius = radius::tree(&self.schema, &roots, &seen.follows);
        told.effects = seen.effects;
        if refusal.is_none() && !waits {
            self.count_what_was_written(told, before)?;
        }
        told.notes.extend(seen.notes);
        told.notes.extend(doubts);
        Ok(())
    }

    /// The reference that the server stopped at is told in any case.
    fn add_the_servers_own(&mut self, told: &mut Explained, refusal: &Refusal) -> Result<(), EngineError> {
        let words = match &refusal.detail {
            Some(detail) => format!("{}\nDETAIL: {detail}", refusal.message),
            None => refusal.message.clone(),
        };
        let Some(complaint) = complaints::complaints(&words).into_iter().next() else { return Ok(()) };
        let named = complaint::candidates(&self.schema, &complaint);
        let is_told = |reason: &StatementReason| match reason {
            StatementReason::Relation(finding) => named.contains(&finding.relation),
            StatementReason::Constraint(_) => false,
        };
        if told.reasons.iter().any(is_told) {
            if told.reasons.len() > 1 {
                let first = named.first().map_or("the first", |&index| self.schema.relations[index].id.as_str());
                told.notes.push(format!(
                    "the server stops at {first}; the others were found by looking at the rows that it would write"
                ));
            }
            return Ok(());
        }
        let session: &mut dyn Session = self.trial;
        let own = complaint::explain(session, &self.schema, &complaint, &self.shown);
        told.reasons.splice(0..0, own.reasons);
        told.notes.extend(own.notes);
        Ok(())
    }

    fn constraint(&self, refusal: &Refusal, statement: &Statement) -> StatementReason {
        reasons::of_refusal(&self.schema, refusal, statement, &StatementExecution::default())
    }

    /// What the server wrote beyond what was foreseen was written by triggers or rules.
    fn count_what_was_written(
        &mut self,
        told: &mut Explained,
        before: Option<Vec<WriteCounts>>,
    ) -> Result<(), EngineError> {
        let (Some(before), Some(after)) = (before, self.trial.written()?) else { return Ok(()) };
        for WriteCounts { table: name, inserted, updated, deleted } in after {
            let was = before.iter().find(|known| known.table == name);
            let since = |is: u64, was: Option<u64>| is.saturating_sub(was.unwrap_or(0));
            let inserted = since(inserted, was.map(|was| was.inserted));
            let updated = since(updated, was.map(|was| was.updated));
            let deleted = since(deleted, was.map(|was| was.deleted));
            let table = name.to_string();
            let known = told.effects.iter().find(|effect| effect.table == table);
            let foreseen = known.is_some_and(|effect| {
                (effect.inserted, effect.deleted) == (inserted, deleted) && (effect.updated == 0) == (updated == 0)
            });
            if foreseen || inserted + updated + deleted == 0 {
                continue;
            }
            if known.is_some() {
                told.notes.push(format!("{table} was not written as foreseen: a trigger or a rule has a part in it"));
            }
            told.effects.retain(|effect| effect.table != table);
            told.effects.push(Effect { table, inserted, updated, deleted, triggers: Vec::new() });
        }
        Ok(())
    }

    /// Numbers that were drawn stay drawn.
    fn lasting(&mut self, before: &[(String, i64)]) -> Result<Vec<String>, EngineError> {
        let after = self.trial.counters()?;
        let moved = after.into_iter().filter_map(|(name, at)| {
            let was = before.iter().find(|(known, _)| *known == name).map(|(_, was)| *was)?;
            (was != at).then(|| format!("{name} went from {was} to {at}, which no rollback takes back"))
        });
        Ok(moved.collect())
    }

    /// What the statement would do, by reading; the reason where that is not known.
    fn foresee(&mut self, statement: &Statement) -> Result<Foreseen, String> {
        let schema = Arc::clone(&self.schema);
        let dml = Dml::read(schema.database.engine, &statement.text, &statement.parameters)
            .ok_or("the statement is of a kind that is not taken apart")?;
        let named =
            self.trial.table_named(dml.table_name(), &dml.table_name_parts()).map_err(|error| error.because())?;
        let table = named.as_ref().and_then(|named| {
            schema.tables.position(|table| {
                table.name.schema == named.schema && schema.names.same(&table.name.table, &named.table)
            })
        });
        let root = named.as_ref().and_then(|named| schema.table_of_partition(named));
        // A partition may have its columns in another order than the table that it is a part of.
        if table.is_none() && root.is_some() && !dml.names_columns() {
            return Err("it names a partition and no columns".to_owned());
        }
        let table = table.or(root).ok_or("its table is none that was read")?;
        let foresight = StatementForecast::of(&schema, table, &dml).ok_or(NOT_FORESEEN)?;
        let mut made = false;
        let foreseen = self.look_ahead(&schema, table, &dml, &foresight, &mut made);
        if made {
            // Not more than untidy, if it fails: it goes with the transaction.
            let _ = self.trial.prepare(&foresight.drop_tables());
        }
        foreseen.map_err(|error| error.because())
    }

    fn look_ahead(
        &mut self,
        schema: &Schema,
        table: TableId,
        dml: &Dml<'_>,
        foresight: &StatementForecast,
        made: &mut bool,
    ) -> Result<Foreseen, EngineError> {
        let mut counted = Vec::new();
        let question = foresight.counter_drawing_columns(schema, table);
        self.trial.each_row(&question, &mut |row| {
            counted.extend(row.first().and_then(|name| name.as_text()).map(str::to_owned));
        })?;
        self.trial.prepare(&foresight.create_tables(schema, table, &counted))?;
        *made = true;
        let Some(direct) = foresight.record_direct_changes(schema, table, dml) else { return Err(not_taken_apart()) };
        self.trial.prepare_as_user(&direct)?;
        let mut doubts = Vec::new();
        if !matches!(dml.writes, Writes::Insert { .. }) {
            self.follow(schema, foresight)?;
        }
        let mut writes = Vec::new();
        for &table in foresight.tables() {
            let name = &schema.tables[table].name;
            writes.push(TableWrite { table: name.table.clone(), trigger: None });
            let triggers = self.trial.triggers_of(&schema.tables[table])?;
            if !triggers.is_empty() {
                let what = if triggers.len() == 1 { "the trigger" } else { "the triggers" };
                doubts
                    .push(format!("{name} has {what} {}: what they would change is not foreseen", triggers.join(", ")));
            }
        }
        let performance = StatementExecution { refusal: None, writes };
        let seen = observe::everything(self.trial, foresight, schema, 0, &performance, &self.shown);
        let root = (!matches!(dml.writes, Writes::Insert { .. })).then_some(table);
        Ok(Foreseen { seen, root, doubts })
    }

    /// Wave by wave, until nothing follows any more.
    fn follow(&mut self, schema: &Schema, foresight: &StatementForecast) -> Result<(), EngineError> {
        for wave in 0..MOST_WAVES {
            for (index, relation) in schema.relations.entries() {
                if relation.origin != Origin::Declared || is_silent(relation) {
                    continue;
                }
                for event in [Event::Delete, Event::Update] {
                    self.trial.prepare(&foresight.record_followers(schema, index, event, wave))?;
                }
            }
            let mut brought = 0;
            for &table in foresight.tables() {
                let session: &mut dyn Session = self.trial;
                brought +=
                    session.numbers(&foresight.count_rows_of_wave(table, wave + 1))?.first().copied().unwrap_or(0);
            }
            if brought == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Nothing follows through a foreign key that the server does not act on.
fn is_silent(relation: &Relation) -> bool {
    relation.defects.iter().any(|defect| matches!(defect.code, Code::NotEnforced | Code::TriggersDisabled))
}

fn not_taken_apart() -> EngineError {
    EngineError::Failed { why: "it names a column that was not read".to_owned() }
}

/// Returns how many values a statement needs.
fn placeholders(engine: Engine, text: &str) -> usize {
    let tokens = tokens_of(engine, text);
    let unquoted = tokens.iter().filter(|token| !token.quoted);
    match engine.facts().placeholder {
        ParameterStyle::Numbered(sign) => {
            unquoted.filter_map(|token| token.text.strip_prefix(sign)?.parse().ok()).max().unwrap_or(0)
        }
        ParameterStyle::Question => unquoted.filter(|token| token.text == "?").count(),
    }
}
