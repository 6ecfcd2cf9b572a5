//! The baseline: known findings, which fail no scan as long as they do not grow.
//!
//! An entry identifies a missing key by the fingerprint of its relation and key, and a defect by the id of its finding.
//! A relation with very many missing keys has one entry with their number. `config::baseline` reads and writes the file,
//! and `examine::baseline` compares findings with it.

use sha2::Digest;
use sha2::Sha256;

use crate::model::redaction::Secret;
use crate::model::value::Key;
use crate::model::value::Value;

/// The greatest number of missing keys of a relation that have an entry each.
pub const MOST_KEYS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// A hash that is equal if the fingerprints were made with the same secret; `None` if they need no secret.
    pub check: Option<String>,
    pub entries: Vec<BaselineEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineEntry {
    pub id: String,
    pub relation: String,
    pub about: EntrySubject,
    /// The last day on which the entry is valid, such as `2026-12-31`.
    pub expires: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySubject {
    /// At most this many rows refer to one missing key. `key` is the key as text, if reports may show it.
    Key { rows: u64, key: Option<String> },
    /// One relation has at most this many orphans and missing keys.
    Orphans { rows: u64, missing_keys: u64 },
    /// A finding with this code.
    Defect { code: String },
}

impl BaselineEntry {
    pub fn is_expired(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|last| last < today)
    }
}

/// The way to make fingerprints of relations and keys.
#[derive(Debug, Clone)]
pub enum Fingerprint {
    Plain,
    Keyed(Secret),
}

impl Fingerprint {
    /// Returns the fingerprint of a missing key. It depends only on the relation, the key and the secret.
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

    /// Returns the hash that identifies the secret, if there is one.
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

/// The effect of a baseline on one scan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaselineOutcome {
    pub known_rows: u64,
    pub known_keys: u64,
    pub known_defects: u64,
    /// Entries that matched no finding, although their relation was checked.
    pub unused: Vec<BaselineEntry>,
    /// Entries whose last day is past.
    pub expired: Vec<BaselineEntry>,
    /// The number of entries of the new baseline, if one was written.
    pub written: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_differs_by_relation_key_and_secret() {
        let keyed = |secret| Fingerprint::Keyed(Secret::new(secret));
        let key = vec![Value::text("a"), Value::text("bc")];
        let other_key = vec![Value::text("ab"), Value::text("c")];
        let plain = Fingerprint::Plain;
        let mut all = vec![
            plain.of("r", &key),
            plain.of("r", &other_key),
            plain.of("s", &key),
            plain.of("r", &vec![Value::Integer(1)]),
            plain.of("r", &vec![Value::text("1")]),
            keyed("x").of("r", &key),
            keyed("y").of("r", &key),
        ];
        assert_eq!(plain.of("r", &key), all[0]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
        assert_eq!(plain.check(), None);
        assert_ne!(keyed("x").check(), keyed("y").check());
    }

    #[test]
    fn entry_is_valid_on_its_last_day() {
        let about = EntrySubject::Defect { code: "orphan".to_owned() };
        let entry =
            BaselineEntry { id: String::new(), relation: String::new(), about, expires: Some("2026-03-31".to_owned()) };
        assert!(!entry.is_expired("2026-03-31") && entry.is_expired("2026-04-01"));
    }
}
