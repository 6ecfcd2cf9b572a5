//! Where MySQL and MariaDB part ways: each difference of their SQL is said here, once.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model::sql) enum Sibling {
    Mysql,
    Mariadb,
}

impl Sibling {
    /// MySQL opens a temporary table once for a statement.
    pub(super) fn names_temporary_tables_twice(self) -> bool {
        self == Sibling::Mariadb
    }
}
