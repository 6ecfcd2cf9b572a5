//! The decisions of all keys of a relation. Equal decisions of neighbouring keys are stored once, so that a relation
//! with millions of missing keys needs little memory.

use std::rc::Rc;

use crate::treat::decide::Decision;
use crate::treat::decide::RowAction;

#[derive(Default)]
pub(super) struct DecisionRuns {
    /// Each decision, with the number of keys up to the end of its run.
    runs: Vec<(usize, Decision)>,
}

impl DecisionRuns {
    pub(super) fn push(&mut self, decision: Decision) {
        let keys = self.runs.last().map_or(0, |(end, _)| *end) + 1;
        match self.runs.last_mut() {
            Some((end, last)) if is_same(last, &decision) => *end = keys,
            _ => self.runs.push((keys, decision)),
        }
    }

    /// Returns the decisions of a relation whose keys all have this decision.
    pub(super) fn of_every_key(decision: Decision) -> DecisionRuns {
        DecisionRuns { runs: vec![(usize::MAX, decision)] }
    }

    /// Returns the decision that all keys have, if there is only one decision.
    pub(super) fn of_all(&self) -> Option<&Decision> {
        match &self.runs[..] {
            [(_, decision)] => Some(decision),
            _ => None,
        }
    }

    /// Returns the decision of the key with this number. Numbers start at 0.
    pub(super) fn of(&self, key: usize) -> Option<&Decision> {
        self.runs.get(self.runs.partition_point(|(end, _)| *end <= key)).map(|(_, decision)| decision)
    }

    /// Returns the decisions, each once for neighbouring keys that share it.
    pub(super) fn each(&self) -> impl Iterator<Item = &Decision> {
        self.runs.iter().map(|(_, decision)| decision)
    }

    pub(super) fn change_rows(&self) -> bool {
        self.runs.iter().any(|(_, decision)| decision.changes_rows())
    }
}

/// True if both decisions are equal, with values that are equal to the bit.
fn is_same(left: &Decision, right: &Decision) -> bool {
    match (left, right) {
        (Decision::Undecided(left), Decision::Undecided(right)) => left == right,
        (Decision::Decided { treatment, action }, Decision::Decided { treatment: other, action: others }) => {
            treatment == other && is_same_act(action, others)
        }
        _ => false,
    }
}

fn is_same_act(left: &RowAction, right: &RowAction) -> bool {
    match (left, right) {
        (RowAction::Nothing, RowAction::Nothing) => true,
        (RowAction::Remove { keep }, RowAction::Remove { keep: other }) => keep == other,
        (
            RowAction::Set { columns, record, quarantine_on_conflict, blanks },
            RowAction::Set { columns: others, record: other, quarantine_on_conflict: quarantines, blanks: new_row },
        ) => {
            let are_same = || {
                columns.len() == others.len()
                    && columns.iter().zip(others.iter()).all(|pair| match pair {
                        (Some(left), Some(right)) => left.is_same(right),
                        (left, right) => left.is_none() && right.is_none(),
                    })
            };
            (Rc::ptr_eq(columns, others) || are_same())
                && record == other
                && quarantine_on_conflict == quarantines
                && blanks == new_row
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    fn set(columns: &Rc<[Option<Value>]>) -> Decision {
        let action =
            RowAction::Set { columns: Rc::clone(columns), record: None, quarantine_on_conflict: false, blanks: true };
        Decision::Decided { treatment: "set-null".into(), action }
    }

    #[test]
    fn equal_decisions_share_a_run_and_every_key_keeps_its_decision() {
        let (zero, minus): (Rc<[_]>, Rc<[_]>) = ([Some(Value::Real(0.0))].into(), [Some(Value::Real(-0.0))].into());
        let mut decisions = DecisionRuns::default();
        assert!(decisions.of(0).is_none() && !decisions.change_rows());
        for decision in
            [Decision::Undecided("a".into()), Decision::Undecided("a".into()), Decision::Undecided("b".into())]
        {
            decisions.push(decision);
        }
        assert!(!decisions.change_rows());
        for columns in [&zero, &zero, &minus] {
            decisions.push(set(columns));
        }
        assert_eq!(decisions.runs.len(), 4);
        assert!(decisions.change_rows());
        let shown: Vec<String> = (0..6)
            .map(|key| match decisions.of(key) {
                Some(Decision::Undecided(why)) => why.to_string(),
                Some(Decision::Decided { action: RowAction::Set { columns, .. }, .. }) => format!("{columns:?}"),
                _ => "other".to_owned(),
            })
            .collect();
        assert_eq!(shown, ["a", "a", "b", "[Some(Real(0.0))]", "[Some(Real(0.0))]", "[Some(Real(-0.0))]"]);
        assert!(decisions.of(6).is_none());
    }
}
