//! The lexical rules of an engine's SQL.

/// The lexical rules of an engine's SQL.
#[derive(Debug)]
pub struct Lexis {
    /// `[a name]`
    pub brackets: bool,
    /// `$tag$ a text $tag$`
    pub dollar_quotes: bool,
    /// `/* a comment /* inside */ another */`
    pub nested_comments: bool,
    /// `# a comment`
    pub hash_comments: bool,
    /// `/*! SQL that this engine executes */`
    pub executable_comments: bool,
    pub escapes: Escapes,
    /// True if the engine folds an unquoted name to lower case.
    pub folds_names: bool,
    /// True if names of columns are equal whatever their case.
    pub columns_ignore_case: bool,
    /// True if words such as `LOW_PRIORITY` may stand before the table of a statement, and `INSERT` needs no `INTO`.
    pub statement_modifiers: bool,
    /// True if `DELETE FROM t USING u` reads other tables and deletes from `t` alone.
    pub delete_using: bool,
    /// True if an UPDATE may write `t.a = 1`, and its later expressions use the values that earlier ones assigned.
    pub assigns_in_order: bool,
}

/// The strings in which a backslash escapes the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    Never,
    /// In strings such as `E'it\'s'`.
    AfterE,
    Always,
}
