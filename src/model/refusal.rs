//! An engine's word that it does not take a statement, sorted by what it means.

/// An engine's refusal, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
    /// The table and columns that it is about, and what else the engine says of it, where it tells these apart.
    pub table: Option<String>,
    pub columns: Vec<String>,
    pub detail: Option<String>,
    /// The unique key that another row has already, by its name.
    pub key: Option<String>,
    /// The parent table of the foreign key that it is about.
    pub parent: Option<String>,
    pub unknown: Option<UnknownName>,
}

/// A name that the engine does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownName {
    Table(String),
    Column(String),
}

impl Refusal {
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Refusal {
        Refusal {
            kind,
            message: message.into(),
            table: None,
            columns: Vec::new(),
            detail: None,
            key: None,
            parent: None,
            unknown: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A reference lacks its parent, or would.
    ForeignKey,
    /// A foreign key that is no good refuses everything.
    Mismatch,
    NotNull,
    Unique,
    Check,
    /// A column does not take such a value.
    Value,
    /// A trigger said no.
    Raised,
    /// Cascades or triggers go too deep.
    TooDeep,
    /// It is not valid: syntax, or a name that is not there.
    Invalid,
    /// It needs parameters that were not given.
    Parameters,
    /// It wanted what a trial does not allow.
    Forbidden,
    Other,
}
