//! The refusal of a statement by an engine, classified by its kind.

/// The refusal of a statement, with the engine's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
    /// The affected table, if the engine reports it.
    pub table: Option<String>,
    /// The affected columns, if the engine reports them.
    pub columns: Vec<String>,
    /// The engine's further explanation.
    pub detail: Option<String>,
    /// The name of the unique key that another row has already.
    pub key: Option<String>,
    /// The parent table of the violated foreign key.
    pub parent: Option<String>,
    /// The name that the engine does not know, if that is the reason.
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

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A row would lack its parent.
    ForeignKey,
    /// The definition of a foreign key is faulty, so that the engine refuses every write.
    Mismatch,
    NotNull,
    Unique,
    Check,
    /// A column does not accept the value.
    Value,
    /// A trigger raised an error.
    Raised,
    /// Cascades or triggers are nested too deeply.
    TooDeep,
    /// The statement has a syntax error or an unknown name.
    Invalid,
    /// The statement has placeholders without values.
    Parameters,
    /// The statement does something that a trial does not allow.
    Forbidden,
    Other,
}
