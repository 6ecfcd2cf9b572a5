//! The tables of a folder of files or of a cluster, as a configuration describes them.

/// The formats that a configuration can name for a cluster.
pub const CLUSTER_FORMATS: [&str; 5] = ["parquet", "csv", "json", "delta", "iceberg"];

/// A table, and where its files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFiles {
    pub name: String,
    /// Files, folders and patterns of files, from the folder on. A cluster reads one path, from its own root on.
    pub paths: Vec<String>,
    /// The columns that name a row; empty if its file and its position in the file do.
    pub key: Vec<String>,
    /// Fields of text files that are NULL, if they have no quotation marks.
    pub null: Vec<String>,
    /// The character between two fields of a text file; `None` if the name of the file decides.
    pub delimiter: Option<u8>,
    /// The format of the files, which only a cluster asks for; `None` if the ending of the path says it.
    pub format: Option<String>,
    /// The version of a Delta table that a cluster reads; `None` for the newest.
    pub version: Option<u64>,
    /// A table of the cluster's catalog, such as `main.sales.orders`, in place of paths.
    pub catalog_table: Option<String>,
    /// True if the files and folders at the top of the folder are tables beside this one.
    pub is_additional: bool,
}

impl TableFiles {
    /// Returns the first key of its configuration that only a cluster understands.
    pub fn key_for_clusters(&self) -> Option<&'static str> {
        let keys = [
            ("format", self.format.is_some()),
            ("version", self.version.is_some()),
            ("table", self.catalog_table.is_some()),
        ];
        keys.into_iter().find(|(_, is_given)| *is_given).map(|(key, _)| key)
    }

    /// Returns a table whose text files are written as most are: an empty field is NULL.
    pub fn new(name: String, paths: Vec<String>) -> TableFiles {
        TableFiles {
            name,
            paths,
            key: Vec::new(),
            null: vec![String::new()],
            delimiter: None,
            format: None,
            version: None,
            catalog_table: None,
            is_additional: false,
        }
    }
}
