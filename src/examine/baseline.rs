//! Compares a scan with its baseline, lists unused entries, and creates the new baseline.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::examine::error::ExamineError;
use crate::model::baseline::Baseline;
use crate::model::baseline::BaselineEntry;
use crate::model::baseline::BaselineOutcome;
use crate::model::baseline::EntrySubject;
use crate::model::baseline::Fingerprint;
use crate::model::baseline::MOST_KEYS;
use crate::model::examination::CoverageState;
use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Known;
use crate::model::finding::Severity;
use crate::model::ids::RelationId;
use crate::model::redaction::Redaction;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::value::Key;

/// A baseline that was read from a file.
pub struct OldBaseline {
    pub path: PathBuf,
    pub baseline: Baseline,
}

/// The baseline during a scan. Each missing key is compared with it once, by the worker that found the key.
pub struct BaselineRun {
    old: Option<Baseline>,
    /// True if a new baseline is written.
    writes: bool,
    fingerprint: Fingerprint,
    today: String,
    /// The lowest severity of findings that get an entry.
    bar: Severity,
    /// The numbers of rows that entries of missing keys allow, by fingerprint.
    keys: HashMap<String, u64>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The ids of the entries that matched a finding or a missing key.
    used: HashSet<String>,
    /// The missing keys of each relation that the new baseline will contain.
    found: BTreeMap<String, Found>,
}

/// The numbers of orphans and missing keys of a relation, and entries for the first keys.
#[derive(Default)]
struct Found {
    rows: u64,
    keys: u64,
    entries: Vec<BaselineEntry>,
}

impl BaselineRun {
    /// `today` is a date such as `2025-01-31`.
    pub fn new(
        old: Option<OldBaseline>,
        writes: bool,
        fail_on: Option<Severity>,
        redaction: &Redaction,
        today: &str,
    ) -> Result<BaselineRun, ExamineError> {
        let (old, path) = old.map(|old| (old.baseline, old.path)).unzip();
        let secret = redaction.secret.clone();
        let is_keyed = match (&old, path) {
            (Some(old), Some(path)) => {
                let right = secret.clone().map(Fingerprint::Keyed).and_then(|keyed| keyed.check()) == old.check;
                if old.check.is_some() && !right {
                    return Err(ExamineError::OtherSecret { path });
                }
                old.check.is_some()
            }
            _ => !redaction.shows_everything(),
        };
        let fingerprint = match (is_keyed && (writes || old.is_some()), secret) {
            (true, Some(secret)) => Fingerprint::Keyed(secret),
            (true, None) => return Err(ExamineError::NoRedactKey { action: "fingerprint hidden values" }),
            (false, _) => Fingerprint::Plain,
        };
        let today = today.to_owned();
        let entries = old.iter().flat_map(|old| &old.entries).filter(|entry| !entry.is_expired(&today));
        let keys = entries
            .filter_map(|entry| match entry.about {
                EntrySubject::Key { rows, .. } => Some((entry.id.clone(), rows)),
                EntrySubject::Orphans { .. } | EntrySubject::Defect { .. } => None,
            })
            .collect();
        let bar = fail_on.unwrap_or(Severity::Error);
        Ok(BaselineRun { old, writes, fingerprint, today, bar, keys, seen: Mutex::default() })
    }

    /// True if [`BaselineRun::knows_key`] must see every missing key.
    pub fn sees_keys(&self) -> bool {
        self.old.is_some() || self.writes
    }

    /// Records a missing key. Returns true if the baseline knows the key with at least as many rows.
    pub fn knows_key(
        &self,
        schema: &Schema,
        redaction: &Redaction,
        relation: RelationId,
        key: &Key,
        rows: u64,
    ) -> bool {
        if !self.sees_keys() {
            return false;
        }
        let relation = &schema.relations[relation];
        let id = self.fingerprint.of(&relation.id, key);
        let allowed = self.keys.get(&id).copied();
        let is_known = allowed.is_some_and(|allowed| rows <= allowed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if allowed.is_some() {
            seen.used.insert(id.clone());
        }
        // A new baseline that replaces an old one contains only keys that the old one knows.
        if self.writes && (self.old.is_none() || is_known) {
            let found = seen.found.entry(relation.id.clone()).or_default();
            found.rows += rows;
            found.keys += 1;
            if found.entries.len() <= MOST_KEYS {
                let hidden = redaction.hides_keys_of(schema, relation);
                let key = (!hidden).then(|| text::key(key));
                let about = EntrySubject::Key { rows, key };
                found.entries.push(BaselineEntry { id, relation: relation.id.clone(), about, expires: None });
            }
        }
        is_known
    }

    /// Returns the finding, marked if the baseline knows it as a whole. If this scan writes the first baseline, every finding
    /// that gets an entry is marked.
    pub fn mark(&self, finding: Finding) -> Finding {
        if self.old.is_none() && !self.writes {
            return finding;
        }
        let id = finding.id();
        let entry = self.valid().find(|entry| entry.id == id);
        if entry.is_some() {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).used.insert(id);
        }
        let accepted = self.writes && self.old.is_none() && (finding.severity >= self.bar || finding.code.is_orphan());
        if accepted || entry.is_some_and(|entry| knows(entry, &finding)) {
            Finding { known: Known::Wholly, ..finding }
        } else {
            finding
        }
    }

    /// Adds the effect of the baseline to the examination. Returns the new baseline, if one is written. `all` contains the
    /// ids of all relations of the database, including those that were not selected.
    pub fn close(self, examination: &mut Examination, all: &HashSet<String>) -> Option<Baseline> {
        if self.old.is_none() && !self.writes {
            return None;
        }
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let outcome = self.outcome(&seen, examination, all);
        let written = self.writes.then(|| self.renewed(&mut seen, examination, all));
        let number = written.as_ref().map(|written| written.entries.len());
        examination.baseline = Some(BaselineOutcome { written: number, ..outcome });
        written
    }

    /// Returns the old entries that have not expired.
    fn valid(&self) -> impl Iterator<Item = &BaselineEntry> {
        self.old.iter().flat_map(|old| &old.entries).filter(|entry| !entry.is_expired(&self.today))
    }

    fn outcome(&self, seen: &Seen, examination: &Examination, all: &HashSet<String>) -> BaselineOutcome {
        let checked: HashMap<&str, bool> = examination
            .schema
            .relations
            .iter()
            .zip(&examination.relations)
            .map(|(relation, coverage)| (relation.id.as_str(), coverage.state == CoverageState::Checked))
            .collect();
        // A relation that is not part of this scan may still exist.
        let is_removed = |entry: &BaselineEntry| !all.contains(&entry.relation);
        let judged =
            |entry: &&BaselineEntry| checked.get(entry.relation.as_str()).copied().unwrap_or_else(|| is_removed(entry));
        let (known_rows, known_keys) = examination.known_orphans();
        let all = self.old.iter().flat_map(|old| &old.entries);
        BaselineOutcome {
            known_rows,
            known_keys,
            known_defects: examination
                .findings
                .iter()
                .filter(|finding| finding.known == Known::Wholly && !finding.code.is_orphan())
                .count() as u64,
            unused: self.valid().filter(judged).filter(|entry| !seen.used.contains(&entry.id)).cloned().collect(),
            expired: all.filter(|entry| entry.is_expired(&self.today)).cloned().collect(),
            written: None,
        }
    }

    /// Returns the new baseline: the known findings that still exist. Entries of relations that were not checked are kept.
    fn renewed(&self, seen: &mut Seen, examination: &Examination, all: &HashSet<String>) -> Baseline {
        let mut entries = Vec::new();
        for finding in &examination.findings {
            if !finding.code.is_orphan() && finding.known == Known::Wholly {
                let about = EntrySubject::Defect { code: finding.code.name().to_owned() };
                entries.push(BaselineEntry {
                    id: finding.id(),
                    relation: finding.relation_id.clone(),
                    about,
                    expires: None,
                });
            }
        }
        for (relation, found) in std::mem::take(&mut seen.found) {
            if found.entries.len() <= MOST_KEYS {
                entries.extend(found.entries);
            } else {
                let about = EntrySubject::Orphans { rows: found.rows, missing_keys: found.keys };
                entries.push(BaselineEntry {
                    id: crate::model::finding::id_of(Code::Orphan, &relation),
                    relation,
                    about,
                    expires: None,
                });
            }
        }
        if let Some(old) = &self.old {
            self.keep_old_entries(old, examination, all, &mut entries);
        }
        Baseline { check: self.fingerprint.check(), entries }
    }

    /// Adds the old entries of relations that were not checked, and keeps the expiry dates of the others.
    fn keep_old_entries(
        &self,
        old: &Baseline,
        examination: &Examination,
        all: &HashSet<String>,
        entries: &mut Vec<BaselineEntry>,
    ) {
        for entry in &old.entries {
            if let Some(renewed) = entries.iter_mut().find(|renewed| renewed.id == entry.id) {
                renewed.expires.clone_from(&entry.expires);
                continue;
            }
            let id = examination.schema.relations.position(|relation| relation.id == entry.relation);
            let state = id.map(|id| examination.relations[id].state);
            let was_excluded = id.is_none() && all.contains(&entry.relation);
            let whole = matches!(entry.about, EntrySubject::Orphans { .. });
            let finding = examination.findings.iter().find(|finding| finding.id() == entry.id);
            if was_excluded || state.is_some_and(|state| state != CoverageState::Checked) {
                entries.push(entry.clone());
            } else if let (true, Some(finding)) = (whole, finding.filter(|finding| finding.known == Known::Wholly)) {
                let about = EntrySubject::Orphans { rows: finding.rows, missing_keys: finding.missing_keys };
                entries.push(BaselineEntry { about, ..entry.clone() });
            }
        }
    }
}

/// True if the entry covers the whole finding.
fn knows(entry: &BaselineEntry, finding: &Finding) -> bool {
    match &entry.about {
        EntrySubject::Defect { code } => finding.code.name() == code,
        EntrySubject::Orphans { rows, missing_keys } => finding.rows <= *rows && finding.missing_keys <= *missing_keys,
        EntrySubject::Key { .. } => false,
    }
}
