//! Findings that are known and accepted for the time being: they fail no scan as long as they do not grow.
//!
//! A missing key is known by the fingerprint of relation and key, with the rows that pointed at it. A relation with
//! very many missing keys is known as a whole, by their number; a defect by the finding's own id. Leaves out: the file
//! (`config::baseline`) and which findings are held against it (`run`).

use sha2::Digest;
use sha2::Sha256;

use crate::model::redaction::Secret;
use crate::model::value::Key;
use crate::model::value::Value;

/// More missing keys of one relation than this are known as a whole.
pub const MOST_KEYS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// Proves that fingerprints were made with the same secret; `None` where they were made without any.
    pub check: Option<String>,
    pub entries: Vec<BaselineEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineEntry {
    pub id: String,
    pub relation: String,
    pub about: EntrySubject,
    /// The last day on which it counts, `2026-12-31`.
    pub expires: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySubject {
    /// At most this many rows point at one missing key, which is told where it may be.
    Key { rows: u64, key: Option<String> },
    /// At most this many rows and missing keys of one relation.
    Orphans { rows: u64, missing_keys: u64 },
    /// A finding that has this code.
    Defect { code: String },
}

impl BaselineEntry {
    pub fn is_expired(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|last| last < today)
    }
}

/// How relations and keys become fingerprints.
#[derive(Debug, Clone)]
pub enum Fingerprint {
    Plain,
    Keyed(Secret),
}

impl Fingerprint {
    /// The same for the same relation and key, whatever else changes.
    pub fn of(&self, relation: &str, key: &Key) -> String {
        let mut parts: Vec<Vec<u8>> = vec![b"fk-doctor/missing-key@1".to_vec(), relation.as_bytes().to_vec()];
        parts.extend(key.iter().map(bytes));
        match self {
            Fingerprint::Keyed(secret) => secret.hash(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()),
            Fingerprint::Plain => {
                let mut digest = Sha256::new();
                for part in parts {
                    digest.update((part.len() as u64).to_le_bytes());
                    digest.update(part);
                }
                digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            }
        }
    }

    pub fn check(&self) -> Option<String> {
        match self {
            Fingerprint::Plain => None,
            Fingerprint::Keyed(secret) => Some(secret.hash(&[b"fk-doctor/baseline@1"])),
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let with = |class: u8, bytes: &[u8]| [&[class], bytes].concat();
    match value {
        Value::Null => with(0, &[]),
        Value::Integer(number) => with(1, &number.to_le_bytes()),
        Value::Real(number) => with(2, &number.to_le_bytes()),
        Value::Text(bytes) => with(3, bytes),
        Value::Blob(bytes) => with(4, bytes),
    }
}

/// What a baseline did in one scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaselineOutcome {
    pub known_rows: u64,
    pub known_keys: u64,
    pub known_defects: u64,
    /// Entries of relations that were checked, with nothing left that they know.
    pub unused: Vec<BaselineEntry>,
    /// Entries that do not count any more.
    pub expired: Vec<BaselineEntry>,
    /// The number of entries in a baseline that was written.
    pub written: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_relations_keys_and_secrets_apart() {
        let keyed = |secret| Fingerprint::Keyed(Secret::new(secret));
        let one = vec![Value::text("a"), Value::text("bc")];
        let two = vec![Value::text("ab"), Value::text("c")];
        let plain = Fingerprint::Plain;
        let mut all = vec![
            plain.of("r", &one),
            plain.of("r", &two),
            plain.of("s", &one),
            plain.of("r", &vec![Value::Integer(1)]),
            plain.of("r", &vec![Value::text("1")]),
            keyed("x").of("r", &one),
            keyed("y").of("r", &one),
        ];
        assert_eq!(plain.of("r", &one), all[0]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
        assert_eq!(plain.check(), None);
        assert_ne!(keyed("x").check(), keyed("y").check());
    }

    #[test]
    fn the_last_day_still_counts() {
        let about = EntrySubject::Defect { code: "orphan".to_owned() };
        let entry =
            BaselineEntry { id: String::new(), relation: String::new(), about, expires: Some("2026-03-31".to_owned()) };
        assert!(!entry.is_expired("2026-03-31") && entry.is_expired("2026-04-01"));
    }
}
