//! A relation: a child table and columns that refer to a parent table and columns, with names resolved and defects found.

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
    /// The name of the constraint, if it has one.
    pub name: Option<String>,
    pub origin: Origin,
    /// The index of the configured relation that created or narrowed this relation.
    pub configured: Option<usize>,
    pub child: TableId,
    /// The indexes of the key's columns in the child.
    pub child_columns: Vec<usize>,
    pub parent: Parent,
    pub on_delete: Action,
    /// The columns that SET NULL or SET DEFAULT changes; empty means all.
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
    /// Nobody declares the relation, and the rows and the names leave no doubt about it.
    Discovered,
    /// Nobody declares the relation, and it is likely. Only pictures show it.
    Likely,
}

impl Origin {
    pub const ALL: [Origin; 4] = [Origin::Declared, Origin::Configured, Origin::Discovered, Origin::Likely];

    pub fn name(self) -> &'static str {
        match self {
            Origin::Declared => "declared",
            Origin::Configured => "configured",
            Origin::Discovered => "discovered",
            Origin::Likely => "likely",
        }
    }
}

/// The parent side of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The name in the catalog; the declared name if the table does not exist.
    pub name: TableName,
    pub column_names: Vec<String>,
    /// `None` if the table is missing.
    pub table: Option<TableId>,
    /// The indexes of the columns in the parent; empty unless all were found.
    pub columns: Vec<usize>,
    /// The unique key that the engine uses, as a position in the parent's list of indexes.
    pub key: Option<usize>,
}

/// The rows to which a relation applies. Empty for a declared relation, unless the configuration narrows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// SQL over `child`. Only rows for which it is true are in scope.
    pub condition: Option<String>,
    /// Keys that refer to no parent, such as `0` in some programs.
    pub ignored: Vec<Key>,
    /// SQL over `parent`. Parents for which it is true do not count.
    pub soft_deleted: Option<String>,
    /// The reason why only some rows in scope are checked, if the user requested it.
    pub partial: Option<String>,
}

impl Scope {
    pub fn is_everything(&self) -> bool {
        *self == Scope::default()
    }
}

/// The authority that decides whether a row is an orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judge {
    /// The engine enforces this relation, and its own rules decide.
    Engine,
    /// The engine does not enforce the relation, for this reason. fk-doctor compares the values as the engine would.
    Values(String),
    /// The parent table is missing, so every row with a complete key is an orphan, also for the engine.
    NoParent,
    /// The values cannot be compared, for this reason.
    Incomparable(String),
}

/// A fault of a relation itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    pub code: Code,
    pub message: String,
    pub help: String,
}
