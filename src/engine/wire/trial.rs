//! The parts of a trial that all servers share: a transaction with savepoints, and lists that are read in it.

use crate::engine::EngineError;
use crate::engine::trial::InsertOutcome;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::sql::Sql;

const SAVE: &str = "SAVEPOINT fk_doctor_rows";
const KEEP: &str = "RELEASE SAVEPOINT fk_doctor_rows";
const TAKE_BACK: &str = "ROLLBACK TO SAVEPOINT fk_doctor_rows; RELEASE SAVEPOINT fk_doctor_rows";

/// A connection inside the transaction of a trial.
pub(in crate::engine) trait TrialConnection {
    fn run(&mut self, statements: &str) -> Result<(), EngineError>;

    /// Calls `each` with every row of the answer.
    fn each(&mut self, question: &str, given: &[Value], each: &mut dyn FnMut(&[Value])) -> Result<(), EngineError>;

    /// Runs one statement of the user. Returns the server's refusal, which is not an error of fk-doctor.
    fn attempt(&mut self, text: &str, given: &[Value]) -> Result<Option<Refusal>, EngineError>;

    /// Inserts rows, all or none of them.
    fn put_rows(&mut self, insert: &[Sql], collisions: Option<&Sql>) -> Result<InsertOutcome, EngineError> {
        self.run(SAVE)?;
        let mut outcome = InsertOutcome::Taken;
        for sql in insert {
            if let Some(refusal) = self.attempt(sql.text(), sql.parameters())? {
                outcome = InsertOutcome::Refused(refusal);
                break;
            }
        }
        if let (InsertOutcome::Taken, Some(collisions)) = (&outcome, collisions) {
            let mut index = None;
            self.each(collisions.text(), collisions.parameters(), &mut |row| {
                index = index.or_else(|| usize::try_from(row.first()?.as_integer()?).ok());
            })?;
            outcome = index.map_or(InsertOutcome::Taken, InsertOutcome::Collides);
        }
        self.run(if outcome == InsertOutcome::Taken { KEEP } else { TAKE_BACK })?;
        Ok(outcome)
    }

    /// Returns the first column of an answer.
    fn names(&mut self, question: &str, given: &[Value]) -> Result<Vec<String>, EngineError> {
        let mut found = Vec::new();
        self.each(question, given, &mut |row| {
            found.extend(row.first().and_then(Value::as_text).map(str::to_owned));
        })?;
        Ok(found)
    }

    /// Returns names with their counters: `("orders_id_seq", 17)`.
    fn named_numbers(&mut self, question: &str) -> Result<Vec<(String, i64)>, EngineError> {
        let mut found = Vec::new();
        self.each(question, &[], &mut |row| {
            if let [name, Value::Integer(at)] = row {
                found.push((name.as_text().unwrap_or_default().to_owned(), *at));
            }
        })?;
        Ok(found)
    }
}
