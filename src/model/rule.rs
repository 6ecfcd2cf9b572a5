//! A rule: which relations it treats, how far it may go, and its treatments in the order in which they are tried.
//!
//! What the author wrote, understood but not yet held against a database. Every part that can be wrong there remembers
//! its place in the text.

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
    /// Lets the parent-loss guard pass.
    pub even_if_parent_lost: bool,
    pub treatments: Vec<Spanned<Treatment>>,
}

/// The rules of one repair, in the order in which they were given.
pub type Rules = IdVec<RuleId, Rule>;

/// How many rows a rule may touch, as far as it is written out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    pub max_rows: Option<u64>,
    /// Of the rows of any table, from 0 to 1.
    pub max_share: Option<f64>,
}

impl Limits {
    /// What holds for treatments that remove or blank data where nothing is written.
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
    /// The columns to blank; all of the key's if `None`.
    SetNull {
        columns: Option<Vec<Spanned<String>>>,
    },
    SetDefault,
    Quarantine {
        keep: QuarantineTarget,
    },
    Delete,
    /// What the declared ON DELETE says; `keep` is false only where that is written out.
    Follow {
        keep: bool,
    },
    Report,
    /// The relation is not declared any more.
    Relax(Nullable),
    /// The relation is declared, once it has no orphans.
    Enforce(Enforcement),
    /// What the rule's placeholder makes for the orphans that are there, a trigger makes for those to come.
    Prevent(Prevention),
}

/// What keeps the rows that go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineTarget {
    Table(String),
    /// A file of its own, beside the plan.
    File(String),
}

impl Default for QuarantineTarget {
    fn default() -> QuarantineTarget {
        QuarantineTarget::Table("fk_doctor_quarantine".to_owned())
    }
}

/// Which columns of a relaxed relation's child may be NULL then.
#[derive(Debug, Clone, PartialEq)]
pub enum Nullable {
    AsBefore,
    /// Those of the key.
    Key,
    Columns(Vec<Spanned<String>>),
}

/// How a relation is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforcement {
    pub on_delete: Action,
    pub on_update: Action,
    /// The child gets an index where none leads with the key.
    pub index: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prevention {
    /// The triggers that are there go.
    pub remove: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Remap {
    pub via: Option<Spanned<Via>>,
    pub how: Spanned<RemapHow>,
    /// A table that keeps both keys of every row that is pointed elsewhere.
    pub record: Option<String>,
    pub on_conflict: OnConflict,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RemapHow {
    /// A query that gives the parent's key.
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

/// Old and new keys as text, as a CSV file has them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyMap {
    pub file: String,
    pub entries: std::collections::HashMap<Vec<String>, Vec<String>>,
}

impl KeyMap {
    /// Files hold text: a number is looked up as it is written.
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

/// What happens to a row that cannot be pointed elsewhere because a UNIQUE forbids it.
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
    /// A table that lists the placeholders, so that they can be found again; where they have new keys, it keeps both keys of
    /// every row that is pointed at one.
    pub record: Option<String>,
    pub values: Vec<(Spanned<String>, Spanned<Expression>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlaceholderKey {
    /// The parent takes the missing key.
    #[default]
    Missing,
    /// The parent gets a key of its own, and the child is pointed at it.
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
    /// Text with columns in it.
    Template(Vec<TemplatePiece>),
    Sql(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePiece {
    Text(String),
    Column { scope: ExpressionScope, column: String },
}

/// Whose columns a rule's expressions can speak of.
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
    Relax,
    Enforce,
    Prevent,
}

impl TreatmentKind {
    const ALL: [TreatmentKind; 12] = [
        TreatmentKind::Remap,
        TreatmentKind::Placeholder,
        TreatmentKind::Sentinel,
        TreatmentKind::SetNull,
        TreatmentKind::SetDefault,
        TreatmentKind::Quarantine,
        TreatmentKind::Delete,
        TreatmentKind::Follow,
        TreatmentKind::Report,
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
            TreatmentKind::Relax => "relax",
            TreatmentKind::Enforce => "enforce",
            TreatmentKind::Prevent => "prevent",
        }
    }

    /// Returns the treatment that has this name in plans and reports.
    pub fn named(name: &str) -> Option<TreatmentKind> {
        TreatmentKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// True if rows are removed, or lose what they referred to.
    pub fn loses_data(self) -> bool {
        match self {
            TreatmentKind::SetNull
            | TreatmentKind::SetDefault
            | TreatmentKind::Quarantine
            | TreatmentKind::Delete
            | TreatmentKind::Follow => true,
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
            Treatment::Relax(_) => TreatmentKind::Relax,
            Treatment::Enforce(_) => TreatmentKind::Enforce,
            Treatment::Prevent(_) => TreatmentKind::Prevent,
        }
    }

    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Changes definitions, and no row.
    pub fn changes_the_schema(&self) -> bool {
        matches!(self, Treatment::Relax(_) | Treatment::Enforce(_) | Treatment::Prevent(_))
    }

    /// Has an answer to orphans that are there.
    fn is_for_orphans(&self) -> bool {
        !matches!(self, Treatment::Enforce(_) | Treatment::Prevent(_))
    }

    /// Takes rows away, or what they referred to.
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
    /// Returns the queries by which treatments choose another key.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.treatments.iter().filter_map(|treatment| match &treatment.value {
            Treatment::Remap(Remap { how: Spanned { value: RemapHow::To(query), .. }, .. }) => Some(query.as_str()),
            _ => None,
        })
    }

    pub fn is_for_orphans(&self) -> bool {
        self.treatments.iter().any(|treatment| treatment.value.is_for_orphans())
    }

    /// Whether rows may go by it.
    pub fn can_remove_rows(&self) -> bool {
        self.treatments.iter().any(|treatment| match &treatment.value {
            Treatment::Quarantine { .. } | Treatment::Delete | Treatment::Follow { .. } => true,
            Treatment::Remap(remap) => remap.on_conflict == OnConflict::Quarantine,
            _ => false,
        })
    }

    /// Its relations are not declared any more once it is applied, and what may be NULL then.
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

    pub fn applies_to(&self, schema: &Schema, relation: &Relation) -> bool {
        let child = side(&schema.child(relation).name, schema.child_column_names(relation));
        let parent = side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str));
        self.child.value.matches(&child) && self.parent.as_ref().is_none_or(|pattern| pattern.value.matches(&parent))
    }
}
