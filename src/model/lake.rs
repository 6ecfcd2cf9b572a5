//! The tables of a folder of files, as a configuration describes them.

/// A table, and where its files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFiles {
    pub name: String,
    /// Files, folders and patterns of files, from the folder on.
    pub paths: Vec<String>,
    /// The columns that name a row; empty if its file and its position in the file do.
    pub key: Vec<String>,
    /// Fields of text files that are NULL, if they have no quotation marks.
    pub null: Vec<String>,
    /// The character between two fields of a text file; `None` if the name of the file decides.
    pub delimiter: Option<u8>,
    /// True if the files and folders at the top of the folder are tables beside this one.
    pub is_additional: bool,
}

impl TableFiles {
    /// Returns a table whose text files are written as most are: an empty field is NULL.
    pub fn new(name: String, paths: Vec<String>) -> TableFiles {
        let null = vec![String::new()];
        TableFiles { name, paths, key: Vec::new(), null, delimiter: None, is_additional: false }
    }
}
