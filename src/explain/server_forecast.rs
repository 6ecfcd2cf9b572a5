//! Explains statements on a server: their effects are forecast with queries, and then the server runs each statement in
//! a transaction that is rolled back.
//!
//! The server stops at the first relation that fails; the others are found among the forecast rows. If a statement
//! cannot be forecast, only the first relation is reported, with a note that others were not searched.

use std::sync::Arc;

use crate::engine::EngineError;
use crate::engine::Session;
use crate::engine::Trial;
use crate::engine::trial::StatementExecution;
use crate::engine::trial::TableWrite;
use crate::engine::trial::WriteCounts;
use crate::explain::ExplainOptions;
use crate::explain::StatementExplainer;
use crate::explain::error_text;
use crate::explain::explain_each;
use crate::explain::observe;
use crate::explain::observe::Observation;
use crate::explain::radius;
use crate::explain::reasons;
use crate::explain::reported_error;
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

/// The maximum depth of a cascade, as a guard against references that never end.
const MAX_WAVES: u32 = 10_000;

const CANNOT_FORECAST: &str =
    "a table that it affects has no primary key, has generated columns, or is not an ordinary table";

pub(super) fn explain(
    trial: &mut dyn Trial,
    schema: Arc<Schema>,
    statements: Vec<Statement>,
    options: &ExplainOptions<'_>,
) -> Result<Explanation, EngineError> {
    let mut explainer = ServerExplainer { trial, schema: Arc::clone(&schema), options: *options };
    explain_each(&mut explainer, schema, statements, options)
}

struct ServerExplainer<'a> {
    trial: &'a mut dyn Trial,
    schema: Arc<Schema>,
    options: ExplainOptions<'a>,
}

/// The forecast effects of a statement.
#[derive(Default)]
struct ForecastOutcome {
    observation: Observation,
    /// The table in which the statement itself deletes or changes rows.
    root: Option<TableId>,
    /// Notes about effects that could not be forecast.
    gaps: Vec<String>,
}

impl StatementExplainer for ServerExplainer<'_> {
    fn trial(&mut self) -> &mut dyn Trial {
        self.trial
    }

    fn explain(&mut self, mut statement: Statement) -> Result<Explained, EngineError> {
        let wanted = placeholders(self.schema.database.engine, &statement.text);
        let given = statement.parameters.len();
        statement.parameters.truncate(wanted);
        let mut explained = Explained::new(statement, Arc::clone(&self.schema));
        if let Some(why) = forbidden::reason_against(&self.schema, &explained.statement) {
            explained.verdict = StatementVerdict::Forbidden(why);
            return Ok(explained);
        }
        let other_databases = self.trial.other_databases()?;
        if let Some(other) = forbidden::names_other_database(&self.schema, &explained.statement, &other_databases) {
            let why = format!(
                "it uses the database {other}, and fk-doctor does not know whether writes there can be rolled back"
            );
            explained.verdict = StatementVerdict::Forbidden(why);
            return Ok(explained);
        }
        if let Some(why) = self.lasting_trigger_write(&explained.statement)? {
            explained.verdict = StatementVerdict::Forbidden(why);
            return Ok(explained);
        }
        if wanted > given {
            let message = format!("it has {wanted} placeholders, but {given} values were given");
            let refusal = Refusal::new(RefusalKind::Parameters, message);
            explained.reasons.push(self.constraint(&refusal, &explained.statement));
            explained.verdict = StatementVerdict::Refused(refusal);
            return Ok(explained);
        }
        self.explain_allowed(&mut explained)?;
        Ok(explained)
    }
}

impl ServerExplainer<'_> {
    /// Returns why a trigger may write rows that cannot be rolled back; `None` if no trigger can.
    fn lasting_trigger_write(&mut self, statement: &Statement) -> Result<Option<String>, EngineError> {
        let schema = Arc::clone(&self.schema);
        let Some(lasting) = forbidden::non_transactional_table(&schema, statement) else { return Ok(None) };
        for table in lasting.named {
            if let Some(trigger) = self.trial.triggers_of(table)?.first() {
                return Ok(Some(format!(
                    "{} has the trigger {trigger}, which may write to {}; that table is stored by {}, which cannot roll back",
                    table.name, lasting.table.name, lasting.storage
                )));
            }
        }
        Ok(None)
    }

    /// Forecasts a statement, and then runs it.
    fn explain_allowed(&mut self, explained: &mut Explained) -> Result<(), EngineError> {
        let counters = self.trial.counters()?;
        let before = self.trial.write_counts()?;
        let forecast = match explained.statement.kind {
            StatementKind::Insert | StatementKind::Update | StatementKind::Delete => {
                self.forecast(&explained.statement)
            }
            _ => Ok(ForecastOutcome::default()),
        };
        let execution = self.trial.execute(&explained.statement)?;
        explained.verdict = super::verdict(&execution);
        let advanced = self.advanced_counters(&counters)?;
        match (forecast, &execution.refusal) {
            (Ok(forecast), refusal) => self.add_forecast(explained, forecast, refusal.as_ref(), before)?,
            (Err(why), refusal) => {
                self.add_forecast(explained, ForecastOutcome::default(), refusal.as_ref(), None)?;
                let is_reference = refusal.as_ref().is_some_and(|refusal| refusal.kind == RefusalKind::ForeignKey);
                if is_reference {
                    let first = "this is the first relation that fails; fk-doctor did not search for others";
                    explained.notes.push(format!("{first}: {why}"));
                } else if refusal.is_none() {
                    explained.notes.push(format!("fk-doctor did not compute the cascades: {why}"));
                }
            }
        }
        explained.notes.extend(advanced);
        Ok(())
    }

    /// Combines a forecast with the verdict of the server.
    fn add_forecast(
        &mut self,
        explained: &mut Explained,
        forecast: ForecastOutcome,
        refusal: Option<&Refusal>,
        before: Option<Vec<WriteCounts>>,
    ) -> Result<(), EngineError> {
        let ForecastOutcome { observation, root, gaps } = forecast;
        let found = reasons::of_references(&self.schema, &observation, &self.options);
        let is_deferred = refusal.is_none() && self.trial.is_in_transaction();
        match refusal {
            None if is_deferred => {
                let notes = observation.failing.iter().map(|failing| reasons::deferred(&self.schema, failing));
                explained.notes.extend(notes);
            }
            None if found.is_empty() => {}
            None => {
                explained.reasons = found;
                explained.notes.push("the server accepts it nevertheless".to_owned());
            }
            Some(refusal) if refusal.kind == RefusalKind::ForeignKey => {
                explained.reasons = found;
                self.add_server_reason(explained, refusal)?;
            }
            Some(refusal) => {
                explained.reasons.push(self.constraint(refusal, &explained.statement));
                explained.reasons.extend(found);
            }
        }
        let roots: Vec<TableId> = root.into_iter().collect();
        explained.radius = radius::tree(&self.schema, &roots, &observation.action_effects);
        explained.effects = observation.effects;
        if refusal.is_none() && !is_deferred {
            self.correct_effects(explained, before)?;
        }
        explained.notes.extend(observation.notes);
        explained.notes.extend(gaps);
        Ok(())
    }

    /// Adds the relation at which the server stopped, if the forecast did not find it.
    fn add_server_reason(&mut self, explained: &mut Explained, refusal: &Refusal) -> Result<(), EngineError> {
        let message = match &refusal.detail {
            Some(detail) => format!("{}\nDETAIL: {detail}", refusal.message),
            None => refusal.message.clone(),
        };
        let Some(reported_error) = error_text::reported_errors(&message).into_iter().next() else { return Ok(()) };
        let named = reported_error::candidates(&self.schema, &reported_error);
        let is_known = |reason: &StatementReason| match reason {
            StatementReason::Relation(finding) => named.contains(&finding.relation),
            StatementReason::Constraint(_) => false,
        };
        if explained.reasons.iter().any(is_known) {
            if explained.reasons.len() > 1 {
                let first = named.first().map_or("the first", |&index| self.schema.relations[index].id.as_str());
                explained.notes.push(format!(
                    "the server stops at {first}; fk-doctor found the others among the rows that the statement would write"
                ));
            }
            return Ok(());
        }
        let session: &mut dyn Session = self.trial;
        let own = reported_error::explain(session, &self.schema, &reported_error, &self.options);
        explained.reasons.splice(0..0, own.reasons);
        explained.notes.extend(own.notes);
        Ok(())
    }

    fn constraint(&self, refusal: &Refusal, statement: &Statement) -> StatementReason {
        reasons::of_refusal(&self.schema, refusal, statement, &StatementExecution::default())
    }

    /// Replaces forecast effects with the numbers of the server. They differ if triggers or rules wrote rows.
    fn correct_effects(
        &mut self,
        explained: &mut Explained,
        before: Option<Vec<WriteCounts>>,
    ) -> Result<(), EngineError> {
        let (Some(before), Some(after)) = (before, self.trial.write_counts()?) else { return Ok(()) };
        for WriteCounts { table: name, inserted, updated, deleted } in after {
            let earlier = before.iter().find(|known| known.table == name);
            let since = |now: u64, then: Option<u64>| now.saturating_sub(then.unwrap_or(0));
            let inserted = since(inserted, earlier.map(|earlier| earlier.inserted));
            let updated = since(updated, earlier.map(|earlier| earlier.updated));
            let deleted = since(deleted, earlier.map(|earlier| earlier.deleted));
            let table = name.to_string();
            let known = explained.effects.iter().find(|effect| effect.table == table);
            let forecast = known.is_some_and(|effect| {
                (effect.inserted, effect.deleted) == (inserted, deleted) && (effect.updated == 0) == (updated == 0)
            });
            if forecast || inserted + updated + deleted == 0 {
                continue;
            }
            if known.is_some() {
                explained.notes.push(format!(
                    "the server wrote other rows of {table} than forecast, because of a trigger or a rule"
                ));
            }
            explained.effects.retain(|effect| effect.table != table);
            explained.effects.push(Effect { table, inserted, updated, deleted, triggers: Vec::new() });
        }
        Ok(())
    }

    /// Returns a note for each counter that the statement advanced, because a rollback does not reset it.
    fn advanced_counters(&mut self, before: &[(String, i64)]) -> Result<Vec<String>, EngineError> {
        let after = self.trial.counters()?;
        let advanced = after.into_iter().filter_map(|(name, now)| {
            let then = before.iter().find(|(known, _)| *known == name).map(|(_, then)| *then)?;
            (then != now).then(|| format!("{name} advanced from {then} to {now}, and a rollback does not reset it"))
        });
        Ok(advanced.collect())
    }

    /// Forecasts a statement. The error is the reason why that is not possible.
    fn forecast(&mut self, statement: &Statement) -> Result<ForecastOutcome, String> {
        let schema = Arc::clone(&self.schema);
        let dml = Dml::read(schema.database.engine, &statement.text, &statement.parameters)
            .ok_or("fk-doctor cannot analyse this kind of statement")?;
        let named =
            self.trial.table_named(dml.table_name(), &dml.table_name_parts()).map_err(|error| error.because())?;
        let table = named.as_ref().and_then(|named| {
            schema.tables.position(|table| {
                table.name.schema == named.schema && schema.names.same(&table.name.table, &named.table)
            })
        });
        let root = named.as_ref().and_then(|named| schema.table_of_partition(named));
        // A partition and its table may have their columns in different orders.
        if table.is_none() && root.is_some() && !dml.names_columns() {
            return Err("it names a partition, but no columns".to_owned());
        }
        let table = table.or(root).ok_or("fk-doctor did not read its table")?;
        let record = StatementForecast::of(&schema, table, &dml).ok_or(CANNOT_FORECAST)?;
        let mut is_created = false;
        let forecast = self.forecast_in_scratch_tables(&schema, table, &dml, &record, &mut is_created);
        if is_created {
            // A failure is harmless: the scratch tables end with the transaction.
            let _ = self.trial.prepare(&record.drop_tables());
        }
        forecast.map_err(|error| error.because())
    }

    /// Forecasts a statement in scratch tables. Sets `is_created` once they exist.
    fn forecast_in_scratch_tables(
        &mut self,
        schema: &Schema,
        table: TableId,
        dml: &Dml<'_>,
        record: &StatementForecast,
        is_created: &mut bool,
    ) -> Result<ForecastOutcome, EngineError> {
        let mut counted = Vec::new();
        let question = record.counter_drawing_columns(schema, table);
        self.trial.each_row(&question, &mut |row| {
            counted.extend(row.first().and_then(|name| name.as_text()).map(str::to_owned));
        })?;
        self.trial.prepare(&record.create_tables(schema, table, &counted))?;
        *is_created = true;
        let Some(record_direct_changes) = record.record_direct_changes(schema, table, dml) else {
            return Err(unread_column());
        };
        self.trial.prepare_as_user(&record_direct_changes)?;
        let mut gaps = Vec::new();
        if !matches!(dml.writes, Writes::Insert { .. }) {
            self.apply_actions(schema, record)?;
        }
        let mut writes = Vec::new();
        for &table in record.tables() {
            let name = &schema.tables[table].name;
            writes.push(TableWrite { table: name.table.clone(), trigger: None });
            let triggers = self.trial.triggers_of(&schema.tables[table])?;
            if !triggers.is_empty() {
                let (noun, names) =
                    (if triggers.len() == 1 { "the trigger" } else { "the triggers" }, triggers.join(", "));
                gaps.push(format!("{name} has {noun} {names}, whose changes are not forecast"));
            }
        }
        let execution = StatementExecution { refusal: None, writes };
        let observation = observe::everything(self.trial, record, schema, 0, &execution, &self.options);
        let root = (!matches!(dml.writes, Writes::Insert { .. })).then_some(table);
        Ok(ForecastOutcome { observation, root, gaps })
    }

    /// Applies foreign-key actions wave by wave, until they change no more rows.
    fn apply_actions(&mut self, schema: &Schema, record: &StatementForecast) -> Result<(), EngineError> {
        for wave in 0..MAX_WAVES {
            for (index, relation) in schema.relations.entries() {
                if relation.origin != Origin::Declared || is_inactive(relation) {
                    continue;
                }
                for event in [Event::Delete, Event::Update] {
                    self.trial.prepare(&record.record_followers(schema, index, event, wave))?;
                }
            }
            let mut added = 0;
            for &table in record.tables() {
                let session: &mut dyn Session = self.trial;
                added += session.numbers(&record.count_rows_of_wave(table, wave + 1))?.first().copied().unwrap_or(0);
            }
            if added == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// True if the server does not act on a foreign key.
fn is_inactive(relation: &Relation) -> bool {
    relation.defects.iter().any(|defect| matches!(defect.code, Code::NotEnforced | Code::TriggersDisabled))
}

fn unread_column() -> EngineError {
    EngineError::Failed { why: "it names a column that fk-doctor did not read".to_owned() }
}

/// Returns the number of values that a statement needs.
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
