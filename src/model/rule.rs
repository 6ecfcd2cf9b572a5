//! A rule: the relations that it treats, its limits, and its treatments in the order in which they are tried.
//!
//! A rule is parsed, but not yet resolved against a database. Every part that can be wrong there keeps its span in the
//! text.

use crate::model::configured::Spanned;
use crate::model::ids::IdVec;
use crate::model::ids::RuleId;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;

mod expression;
mod remap;
mod repoint;
mod treatment;

pub use expression::Expression;
pub use expression::ExpressionScope;
pub use expression::TemplatePiece;
pub use remap::KeyMap;
pub use remap::Normalization;
pub use remap::OnConflict;
pub use remap::Remap;
pub use remap::RemapHow;
pub use repoint::KeptTwin;
pub use repoint::Repoint;
pub use repoint::TwinConflict;
pub use repoint::TwinSource;
pub use treatment::Enforcement;
pub use treatment::Nullable;
pub use treatment::Placeholder;
pub use treatment::PlaceholderKey;
pub use treatment::Prevention;
pub use treatment::QuarantineTarget;
pub use treatment::Sentinel;
pub use treatment::Treatment;
pub use treatment::TreatmentKind;
pub use treatment::Via;

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
