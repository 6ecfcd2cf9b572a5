//! An engine's word that it does not take a statement, sorted by what it means.

/// An engine's refusal, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
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
