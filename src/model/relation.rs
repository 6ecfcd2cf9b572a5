//! A relation: child table and columns that refer to parent table and columns, resolved and judged.

use crate::model::catalog::Action;
use crate::model::catalog::Comparison;
use crate::model::catalog::Match;
use crate::model::catalog::TableName;
use crate::model::finding::Code;
use crate::model::ids::TableId;
use crate::model::value::Key;

#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// `child(columns)->parent(columns)`, unique within a schema.
    pub id: String,
    /// The constraint's own name, where it has one.
    pub name: Option<String>,
    pub origin: Origin,
    /// Position of the entry, among the configured relations, that made or narrowed this one.
    pub configured: Option<usize>,
    pub child: TableId,
    /// Positions of the key's columns in the child.
    pub child_columns: Vec<usize>,
    pub parent: Parent,
    pub on_delete: Action,
    /// The columns that SET NULL or SET DEFAULT changes; empty for all of them.
    pub on_delete_columns: Vec<String>,
    pub on_update: Action,
    pub match_rule: Match,
    pub deferrable: bool,
    /// As in [`crate::model::catalog::ForeignKey`].
    pub comparisons: Vec<Comparison>,
    pub scope: Scope,
    pub judge: Judge,
    pub defects: Vec<Defect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Declared,
    Configured,
}

impl Origin {
    pub const ALL: [Origin; 2] = [Origin::Declared, Origin::Configured];

    pub fn name(self) -> &'static str {
        match self {
            Origin::Declared => "declared",
            Origin::Configured => "configured",
        }
    }
}

/// The referred side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The name as the catalog has it, or as declared where there is no such table.
    pub name: TableName,
    pub column_names: Vec<String>,
    /// `None` if the table is missing.
    pub table: Option<TableId>,
    /// Positions of the columns in the parent; empty unless every one was found.
    pub columns: Vec<usize>,
    /// Position, in the parent's indexes, of the unique key that the engine uses.
    pub key: Option<usize>,
}

/// Which rows a relation speaks about. Empty for a declared relation, unless the configuration narrows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// SQL over `child`; only rows for which it holds are in the relation.
    pub condition: Option<String>,
    /// Keys that mean "none".
    pub ignored: Vec<Key>,
    /// SQL over `parent`; parents for which it holds do not count.
    pub soft_deleted: Option<String>,
    /// Why not all rows in scope are looked at, where that was asked for.
    pub partial: Option<String>,
}

impl Scope {
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }
}

/// Whose word decides whether a row is an orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judge {
    /// The engine enforces this relation, and by these very rules.
    Engine,
    /// The engine does not or cannot enforce it (why is said); the values are compared as it compares such columns.
    Values(String),
    /// The parent table is missing: every complete key is an orphan, as the engine has it too.
    NoParent,
    /// The values cannot be compared at all; why is said.
    Incomparable(String),
}

/// Something wrong with a relation itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    pub code: Code,
    pub message: String,
    pub help: String,
}
