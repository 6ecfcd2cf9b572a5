//! The decisions of all keys of a relation. Equal decisions of neighbouring keys are stored once, so that a relation
//! with millions of missing keys needs little memory.

use std::rc::Rc;

use crate::treat::decide::Act;
use crate::treat::decide::Verdict;

#[derive(Default)]
pub(super) struct DecisionRuns {
    /// Each decision, with the number of keys up to the last that it is for.
    runs: Vec<(usize, Verdict)>,
}

impl DecisionRuns {
    pub(super) fn push(&mut self, verdict: Verdict) {
        let keys = self.runs.last().map_or(0, |(end, _)| *end) + 1;
        match self.runs.last_mut() {
            Some((end, last)) if is_same(last, &verdict) => *end = keys,
            _ => self.runs.push((keys, verdict)),
        }
    }

    /// Returns the decision of a key, by its number from 0 on.
    pub(super) fn of(&self, key: usize) -> Option<&Verdict> {
        self.runs.get(self.runs.partition_point(|(end, _)| *end <= key)).map(|(_, verdict)| verdict)
    }

    pub(super) fn change_rows(&self) -> bool {
        self.runs.iter().any(|(_, verdict)| verdict.changes_rows())
    }
}

/// True if both decisions are equal. Values are not compared, because equal numbers may have different bits.
fn is_same(left: &Verdict, right: &Verdict) -> bool {
    match (left, right) {
        (Verdict::Undecided(left), Verdict::Undecided(right)) => left == right,
        (Verdict::Decided { treatment, act }, Verdict::Decided { treatment: other, act: others }) => {
            treatment == other && is_same_act(act, others)
        }
        _ => false,
    }
}

fn is_same_act(left: &Act, right: &Act) -> bool {
    match (left, right) {
        (Act::Nothing, Act::Nothing) => true,
        (Act::Remove { keep }, Act::Remove { keep: other }) => keep == other,
        (
            Act::Set { columns, record, quarantine_on_conflict, blanks },
            Act::Set { columns: others, record: other, quarantine_on_conflict: quarantines, blanks: new_row },
        ) => {
            Rc::ptr_eq(columns, others) && record == other && quarantine_on_conflict == quarantines && blanks == new_row
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    fn set(columns: &Rc<[Option<Value>]>) -> Verdict {
        let act = Act::Set { columns: Rc::clone(columns), record: None, quarantine_on_conflict: false, blanks: true };
        Verdict::Decided { treatment: "set-null".into(), act }
    }

    #[test]
    fn runs_take_the_room_of_one_and_every_key_keeps_its_own() {
        let (zero, minus): (Rc<[_]>, Rc<[_]>) = ([Some(Value::Real(0.0))].into(), [Some(Value::Real(-0.0))].into());
        let mut verdicts = DecisionRuns::default();
        assert!(verdicts.of(0).is_none() && !verdicts.change_rows());
        for verdict in [Verdict::Undecided("a".into()), Verdict::Undecided("a".into()), Verdict::Undecided("b".into())]
        {
            verdicts.push(verdict);
        }
        assert!(!verdicts.change_rows());
        for columns in [&zero, &zero, &minus] {
            verdicts.push(set(columns));
        }
        assert_eq!(verdicts.runs.len(), 4);
        assert!(verdicts.change_rows());
        let told: Vec<String> = (0..6)
            .map(|key| match verdicts.of(key) {
                Some(Verdict::Undecided(why)) => why.to_string(),
                Some(Verdict::Decided { act: Act::Set { columns, .. }, .. }) => format!("{columns:?}"),
                _ => "other".to_owned(),
            })
            .collect();
        assert_eq!(told, ["a", "a", "b", "[Some(Real(0.0))]", "[Some(Real(0.0))]", "[Some(Real(-0.0))]"]);
        assert!(verdicts.of(6).is_none());
    }
}
