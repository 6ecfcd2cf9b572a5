//! A rule: the relations that it treats, its limits, and its treatments in the order in which they are tried.
//!
//! A rule is parsed, but not yet resolved against a database. Every part that can be wrong there keeps its span in the
//! text.

use crate::model::catalog::Action;
use crate::model::configured::Spanned;
use crate::model::ids::IdVec;
use crate::model::ids::RuleId;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::value::Key;
use crate::model::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: Spanned<String>,
    pub explain: Option<String>,
    /// A glob over `table(columns)`.
    pub child: Spanned<Pattern>,
    pub parent: Option<Spanned<Pattern>>,
    pub limits: Option<Limits>,
    /// True if the rule also applies when the parent table seems to have lost rows.
    pub even_if_parent_lost: bool,
    pub treatments: Vec<Spanned<Treatment>>,
}

/// The rules of one repair, in the order in which they were given.
pub type Rules = IdVec<RuleId, Rule>;

/// The limits that a rule sets. A missing limit has a default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    pub max_rows: Option<u64>,
    /// The greatest share of a table's rows, from 0 to 1.
    pub max_share: Option<f64>,
}

/// Returns the greatest number of rows within a share of a table.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of rows"
)]
pub fn rows_of_share(share: f64, of: u64) -> u64 {
    // A product such as 0.07 * 100 is just below the whole number.
    (share * of as f64 + 1e-9).floor() as u64
}

/// Returns a share as a rule's author writes it: `5%`, `0.25%`.
pub fn percent(share: f64) -> String {
    format!("{}%", (share * 10_000.0).round() / 100.0)
}

impl Limits {
    /// The limits of a rule that sets none, for treatments that remove data or set it to NULL.
    pub const CAUTIOUS: Limits = Limits { max_rows: None, max_share: None };

    pub fn rows(&self) -> u64 {
        self.max_rows.unwrap_or(1_000)
    }

    pub fn share(&self) -> f64 {
        self.max_share.unwrap_or(0.05)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Treatment {
    Remap(Remap),
    Placeholder(Placeholder),
    Sentinel(Sentinel),
    /// Sets these columns to NULL; all columns of the key if `None`.
    SetNull {
        columns: Option<Vec<Spanned<String>>>,
    },
    SetDefault,
    Quarantine {
        keep: QuarantineTarget,
    },
    Delete,
    /// Follows the declared ON DELETE action. `keep` is false only if the rule says so.
    Follow {
        keep: bool,
    },
    Report,
    /// Points all children of equal parents at one of them, and quarantines the others.
    Repoint(Repoint),
    /// Removes the declaration of the relation.
    Relax(Nullable),
    /// Declares the relation, once it has no orphans.
    Enforce(Enforcement),
    /// Creates triggers that insert the rule's placeholder parents for future rows.
    Prevent(Prevention),
}

/// The settings of `repoint`. Rows of the parent table that mean the same are twins.
#[derive(Debug, Clone, PartialEq)]
pub struct Repoint {
    pub twins: Spanned<TwinSource>,
    pub on_conflict: TwinConflict,
    /// Keeps the twins, and the children that are removed.
    pub keep: QuarantineTarget,
}

/// The way in which twins are found, and the row that is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinSource {
    /// Rows with equal values of these SQL expressions. A row with NULL has no twin.
    Same { expressions: Vec<Spanned<String>>, keep: Spanned<KeptTwin> },
    /// A file of the keys of twins and of the rows that are kept.
    File(KeyMap),
    /// A table of such keys.
    Table { table: String, from: Vec<String>, into: Vec<String> },
}

/// The row that is kept of several twins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptTwin {
    /// The row with the smallest key.
    Oldest,
    /// The row to which most rows refer; of several, the one with the smallest key.
    MostReferred,
    /// A query over a twin, which returns the key of the row that is kept.
    Query(String),
}

/// The treatment of a child that cannot be pointed at the kept row because of a UNIQUE constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TwinConflict {
    /// The twin stays, with all its children.
    #[default]
    Skip,
    /// The child is quarantined, and its own children are pointed at the row that has its unique key.
    MergeDelete,
    /// The plan is refused.
    Fail,
}

/// The place where quarantined rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineTarget {
    Table(String),
    /// A file beside the plan.
    File(String),
}

impl Default for QuarantineTarget {
    fn default() -> QuarantineTarget {
        QuarantineTarget::Table("fk_doctor_quarantine".to_owned())
    }
}

/// The columns that become nullable when a relation is relaxed.
#[derive(Debug, Clone, PartialEq)]
pub enum Nullable {
    AsBefore,
    /// The columns of the key.
    Key,
    Columns(Vec<Spanned<String>>),
}

/// The declaration that `enforce` adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforcement {
    pub on_delete: Action,
    pub on_update: Action,
    /// True if the child gets an index, unless one begins with the key already.
    pub index: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevention {
    /// True if the existing triggers are dropped.
    pub remove: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Remap {
    pub via: Option<Spanned<Via>>,
    pub how: Spanned<RemapHow>,
    /// The table that records the old and the new key of every remapped row.
    pub record: Option<String>,
    pub on_conflict: OnConflict,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RemapHow {
    /// A query that returns the parent's key.
    To(String),
    /// A file of old and new keys.
    File(KeyMap),
    /// A table of old and new keys.
    Table {
        table: String,
        from: Vec<String>,
        into: Vec<String>,
    },
    Normalize(Vec<Normalization>),
}

/// Old and new keys as text, from a CSV file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyMap {
    pub file: String,
    pub entries: std::collections::HashMap<Vec<String>, Vec<String>>,
}

impl KeyMap {
    /// Returns the new key of an old one. Numbers are compared as text, because a CSV file contains only text.
    pub fn new_key(&self, key: &Key) -> Option<Key> {
        let text = |value: &Value| match value {
            Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Real(number) => number.to_string(),
            other => crate::model::text::value(other),
        };
        let old: Vec<String> = key.iter().map(text).collect();
        self.entries.get(&old).map(|new| new.iter().map(Value::text).collect())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    Trim,
    Casefold,
    ZeroPadding,
    Uuid,
}

impl Normalization {
    pub const ALL: [Normalization; 4] =
        [Normalization::Trim, Normalization::Casefold, Normalization::ZeroPadding, Normalization::Uuid];

    pub fn name(self) -> &'static str {
        match self {
            Normalization::Trim => "trim",
            Normalization::Casefold => "casefold",
            Normalization::ZeroPadding => "zero-padding",
            Normalization::Uuid => "uuid",
        }
    }
}

/// The treatment of a row that cannot be remapped because of a UNIQUE constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    #[default]
    Undecided,
    Quarantine,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Placeholder {
    pub via: Option<Spanned<Via>>,
    pub key: PlaceholderKey,
    /// The table that lists the placeholders. If they have new keys, it records the old and the new key of every remapped
    /// row instead.
    pub record: Option<String>,
    pub values: Vec<(Spanned<String>, Spanned<Expression>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlaceholderKey {
    /// The new parent has the missing key.
    #[default]
    Missing,
    /// The new parent has a new key, and the child rows are remapped to it.
    New,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sentinel {
    pub key: Spanned<Vec<Value>>,
    pub values: Vec<(Spanned<String>, Spanned<Expression>)>,
}

/// The table whose row really has the missing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    pub table: String,
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Literal(Value),
    /// Text that contains values of columns.
    Template(Vec<TemplatePiece>),
    Sql(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePiece {
    Text(String),
    Column { scope: ExpressionScope, column: String },
}

/// The tables whose columns a rule's expressions can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpressionScope {
    Child,
    Via,
    Key,
}

impl ExpressionScope {
    pub const ALL: [ExpressionScope; 3] = [ExpressionScope::Child, ExpressionScope::Via, ExpressionScope::Key];

    pub fn name(self) -> &'static str {
        match self {
            ExpressionScope::Child => "child",
            ExpressionScope::Via => "via",
            ExpressionScope::Key => "key",
        }
    }
}

/// A treatment without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreatmentKind {
    Remap,
    Placeholder,
    Sentinel,
    SetNull,
    SetDefault,
    Quarantine,
    Delete,
    Follow,
    Report,
    Repoint,
    Relax,
    Enforce,
    Prevent,
}

impl TreatmentKind {
    const ALL: [TreatmentKind; 13] = [
        TreatmentKind::Remap,
        TreatmentKind::Placeholder,
        TreatmentKind::Sentinel,
        TreatmentKind::SetNull,
        TreatmentKind::SetDefault,
        TreatmentKind::Quarantine,
        TreatmentKind::Delete,
        TreatmentKind::Follow,
        TreatmentKind::Report,
        TreatmentKind::Repoint,
        TreatmentKind::Relax,
        TreatmentKind::Enforce,
        TreatmentKind::Prevent,
    ];

    /// Returns the name in rules, plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            TreatmentKind::Remap => "remap",
            TreatmentKind::Placeholder => "placeholder",
            TreatmentKind::Sentinel => "sentinel",
            TreatmentKind::SetNull => "set-null",
            TreatmentKind::SetDefault => "set-default",
            TreatmentKind::Quarantine => "quarantine",
            TreatmentKind::Delete => "delete",
            TreatmentKind::Follow => "follow",
            TreatmentKind::Report => "report",
            TreatmentKind::Repoint => "repoint",
            TreatmentKind::Relax => "relax",
            TreatmentKind::Enforce => "enforce",
            TreatmentKind::Prevent => "prevent",
        }
    }

    /// Returns the treatment that has this name in plans and reports.
    pub fn named(name: &str) -> Option<TreatmentKind> {
        TreatmentKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True if rows are deleted, or their references are set to NULL or to a default.
    pub fn loses_data(self) -> bool {
        match self {
            TreatmentKind::SetNull
            | TreatmentKind::SetDefault
            | TreatmentKind::Quarantine
            | TreatmentKind::Delete
            | TreatmentKind::Follow
            | TreatmentKind::Repoint => true,
            TreatmentKind::Remap
            | TreatmentKind::Placeholder
            | TreatmentKind::Sentinel
            | TreatmentKind::Report
            | TreatmentKind::Relax
            | TreatmentKind::Enforce
            | TreatmentKind::Prevent => false,
        }
    }
}

impl Treatment {
    pub fn kind(&self) -> TreatmentKind {
        match self {
            Treatment::Remap(_) => TreatmentKind::Remap,
            Treatment::Placeholder(_) => TreatmentKind::Placeholder,
            Treatment::Sentinel(_) => TreatmentKind::Sentinel,
            Treatment::SetNull { .. } => TreatmentKind::SetNull,
            Treatment::SetDefault => TreatmentKind::SetDefault,
            Treatment::Quarantine { .. } => TreatmentKind::Quarantine,
            Treatment::Delete => TreatmentKind::Delete,
            Treatment::Follow { .. } => TreatmentKind::Follow,
            Treatment::Report => TreatmentKind::Report,
            Treatment::Repoint(_) => TreatmentKind::Repoint,
            Treatment::Relax(_) => TreatmentKind::Relax,
            Treatment::Enforce(_) => TreatmentKind::Enforce,
            Treatment::Prevent(_) => TreatmentKind::Prevent,
        }
    }

    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// True if the treatment changes definitions and no rows.
    pub fn changes_the_schema(&self) -> bool {
        matches!(self, Treatment::Relax(_) | Treatment::Enforce(_) | Treatment::Prevent(_))
    }

    /// True if the treatment applies to existing orphans.
    fn is_for_orphans(&self) -> bool {
        !matches!(self, Treatment::Enforce(_) | Treatment::Prevent(_) | Treatment::Repoint(_))
    }

    /// True if rows are deleted, or their references are set to NULL or to a default.
    pub fn loses_data(&self) -> bool {
        self.kind().loses_data()
    }

    pub fn via(&self) -> Option<&Spanned<Via>> {
        match self {
            Treatment::Remap(remap) => remap.via.as_ref(),
            Treatment::Placeholder(placeholder) => placeholder.via.as_ref(),
            _ => None,
        }
    }

    pub fn values(&self) -> &[(Spanned<String>, Spanned<Expression>)] {
        match self {
            Treatment::Placeholder(placeholder) => &placeholder.values,
            Treatment::Sentinel(sentinel) => &sentinel.values,
            _ => &[],
        }
    }
}

impl Rule {
    /// Returns the queries of `remap` treatments.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.treatments.iter().filter_map(|treatment| match &treatment.value {
            Treatment::Remap(Remap { how: Spanned { value: RemapHow::To(query), .. }, .. }) => Some(query.as_str()),
            _ => None,
        })
    }

    pub fn is_for_orphans(&self) -> bool {
        self.treatments.iter().any(|treatment| treatment.value.is_for_orphans())
    }

    /// True if the rule can delete rows.
    pub fn can_remove_rows(&self) -> bool {
        self.treatments.iter().any(|treatment| match &treatment.value {
            Treatment::Quarantine { .. } | Treatment::Delete | Treatment::Follow { .. } | Treatment::Repoint(_) => true,
            Treatment::Remap(remap) => remap.on_conflict == OnConflict::Quarantine,
            _ => false,
        })
    }

    /// Returns the settings of `repoint`, if the rule repoints the children of a table.
    pub fn repoints(&self) -> Option<&Repoint> {
        self.treatments.iter().find_map(|treatment| match &treatment.value {
            Treatment::Repoint(repoint) => Some(repoint),
            _ => None,
        })
    }

    /// Returns the name of the parent's table, which a rule that repoints has.
    pub fn parent_table(&self) -> &str {
        let parent = self.parent.as_ref().map_or("", |parent| parent.value.as_str());
        parent.split('(').next().unwrap_or_default()
    }

    /// Returns the columns that become nullable, if the rule relaxes its relations.
    pub fn relaxes(&self) -> Option<&Nullable> {
        self.treatments.iter().find_map(|treatment| match &treatment.value {
            Treatment::Relax(nullable) => Some(nullable),
            _ => None,
        })
    }

    pub fn enforces(&self) -> Option<&Enforcement> {
        self.treatments.iter().find_map(|treatment| match &treatment.value {
            Treatment::Enforce(enforcement) => Some(enforcement),
            _ => None,
        })
    }

    pub fn prevents(&self) -> Option<Prevention> {
        self.treatments.iter().find_map(|treatment| match &treatment.value {
            Treatment::Prevent(prevention) => Some(*prevention),
            _ => None,
        })
    }

    /// Returns the child's table, unless the rule is for all tables of a pattern.
    pub fn named_table(&self) -> Option<&str> {
        let pattern = self.child.value.as_str();
        let table = pattern.split('(').next().unwrap_or_default();
        (!table.contains(['*', '?', '['])).then_some(table)
    }

    pub fn applies_to(&self, schema: &Schema, relation: &Relation) -> bool {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        let parent = side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str));
        self.child.value.matches(&child) && self.parent.as_ref().is_none_or(|pattern| pattern.value.matches(&parent))
    }
}
