//! The likely cause of some of a relation's missing keys, with its evidence, and both in words.

use crate::model::finding::Cause;
use crate::model::text::count;
use crate::model::text::plural;

/// The most keys that a sentence names.
const NAMED: usize = 2;

/// The likely cause of some of a relation's missing keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub cause: Cause,
    /// The rows that refer to keys with this cause.
    pub rows: u64,
    /// The keys with this cause.
    pub keys: u64,
    /// All missing keys of the relation.
    pub all_keys: u64,
    /// The keys with the most rows, as reports show them; at most two.
    pub examples: Vec<String>,
    /// True if exactly one parent remains for each key, once the keys are written in a normal form.
    pub can_remap: bool,
    pub evidence: Evidence,
}

/// The facts behind a cause, as reports show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    EmptyParent {
        parent: String,
    },
    /// Why the parent seems to have lost rows.
    LostRows {
        why: String,
    },
    SoftDeleted {
        parent: String,
    },
    Sentinel,
    /// The key of the parent that the first example resembles.
    Spelling {
        parent_key: String,
    },
    /// The unique keys, such as `suppliers(id)`, that hold the values.
    WrongTable {
        keys: String,
    },
    /// The keys are greater than the largest that the parent has.
    AboveLargest {
        column: String,
        largest: String,
    },
    /// No cause was found. `limits` says what was not searched.
    Nothing {
        parent: String,
        limits: Vec<String>,
    },
}

impl Diagnosis {
    /// Returns the cause and its evidence, for example `whitespace: ' AAF' is missing, 'AAF' exists`. Only a proven cause
    /// is stated; any other begins with "perhaps".
    pub fn sentence(&self) -> String {
        match self.evidence {
            Evidence::Sentinel => self.title(),
            _ => format!("{}: {}", self.title(), self.evidence()),
        }
    }

    /// Returns the cause in words: `letter case`, `perhaps 0 stands for "none"`.
    pub fn title(&self) -> String {
        match self.evidence {
            Evidence::Sentinel => {
                let verb = if self.keys == 1 { "stands" } else { "stand" };
                format!("perhaps {} {verb} for \"none\"", self.named())
            }
            _ => self.cause.words().to_owned(),
        }
    }

    /// Returns the evidence as a sentence, without the cause.
    pub fn evidence(&self) -> String {
        let named = self.named();
        let (is_or_are, is_alone) = if self.keys == 1 { ("is", true) } else { ("are", false) };
        match &self.evidence {
            Evidence::EmptyParent { parent } => format!("{parent} has no rows, perhaps not loaded yet or lost"),
            Evidence::LostRows { why } => why.clone(),
            Evidence::SoftDeleted { parent } => format!("{named} {is_or_are} marked as deleted in {parent}"),
            Evidence::Sentinel => format!("{named} {is_or_are} a value that often stands for \"none\""),
            Evidence::Spelling { parent_key } => {
                let missing = self.examples.first().map(String::as_str).unwrap_or_default();
                let more = match self.keys {
                    1 => String::new(),
                    all if all == self.all_keys => format!("; the same for all {} keys", count(all)),
                    some => format!("; the same for {}", plural(some - 1, "more key")),
                };
                format!("{missing} is missing, {parent_key} exists{more}")
            }
            Evidence::WrongTable { keys } if is_alone => format!("{named} is a key of {keys}"),
            Evidence::WrongTable { keys } => format!("{named} are keys of {keys}"),
            Evidence::AboveLargest { column, largest } => {
                let named = if self.keys > 2 && self.keys == self.all_keys { self.all() } else { named };
                format!("{named} {is_or_are} above the highest {column}, {largest}")
            }
            Evidence::Nothing { parent, limits } => {
                let nothing = if is_alone { "it" } else { "them" };
                let nothing = format!("no key of {parent} is like {nothing}");
                let limits = limits.iter().map(String::as_str);
                std::iter::once(nothing.as_str()).chain(limits).collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn all(&self) -> String {
        format!("all {} keys", count(self.keys))
    }

    /// Returns the keys: `22`, `22 and 23`, `22, 23 and 4 more`.
    fn named(&self) -> String {
        let more = self.keys.saturating_sub(NAMED as u64);
        match self.examples.as_slice() {
            [first, second, ..] if more == 0 => format!("{first} and {second}"),
            [first, second, ..] => format!("{first}, {second} and {} more", count(more)),
            [first] => first.clone(),
            [] => plural(self.keys, "key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(cause: Cause, examples: &[&str], keys: u64, all_keys: u64, evidence: Evidence) -> Diagnosis {
        let examples = examples.iter().map(|key| (*key).to_owned()).collect();
        Diagnosis { cause, rows: keys, keys, all_keys, examples, can_remap: false, evidence }
    }

    #[test]
    fn proven_cause_is_stated_and_any_other_is_perhaps() {
        let spelling = |keys, all| {
            let evidence = Evidence::Spelling { parent_key: "'AAF'".to_owned() };
            diagnosis(Cause::Whitespace, &["' AAF'", "' AXG'"], keys, all, evidence).sentence()
        };
        assert_eq!(spelling(1, 1), "whitespace: ' AAF' is missing, 'AAF' exists");
        assert_eq!(spelling(100, 100), "whitespace: ' AAF' is missing, 'AAF' exists; the same for all 100 keys");
        assert_eq!(spelling(2, 100), "whitespace: ' AAF' is missing, 'AAF' exists; the same for 1 more key");
        let none = diagnosis(Cause::Sentinel, &["0"], 1, 9, Evidence::Sentinel);
        assert_eq!(none.sentence(), "perhaps 0 stands for \"none\"");
        assert_eq!(none.evidence(), "0 is a value that often stands for \"none\"");
        let above = |keys, all| {
            let evidence = Evidence::AboveLargest { column: "id".to_owned(), largest: "200".to_owned() };
            diagnosis(Cause::NotLoadedYet, &["901", "902"], keys, all, evidence).sentence()
        };
        assert_eq!(above(3, 3), "perhaps not loaded yet: all 3 keys are above the highest id, 200");
        assert_eq!(above(3, 9), "perhaps not loaded yet: 901, 902 and 1 more are above the highest id, 200");
        let elsewhere = Evidence::WrongTable { keys: "suppliers(id)".to_owned() };
        let elsewhere = diagnosis(Cause::WrongTable, &["22", "23"], 2, 2, elsewhere);
        assert_eq!(elsewhere.sentence(), "wrong table: 22 and 23 are keys of suppliers(id)");
        let limits = vec!["7 more keys were not examined".to_owned()];
        let unknown = Evidence::Nothing { parent: "team".to_owned(), limits };
        let unknown = diagnosis(Cause::Unknown, &["1", "2"], 2, 9, unknown);
        assert_eq!(unknown.sentence(), "no cause found: no key of team is like them; 7 more keys were not examined");
    }
}
