//! The form in which a parent's column compares values: which columns compare with it, and which texts are equal.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::sql::comparison::FileKind;

/// The comparison of a column with the values of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Form {
    pub conversion: Conversion,
    pub fold: Fold,
}

/// The conversion that the parent's affinity applies to a child's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Conversion {
    Numeric,
    Real,
    Text,
    None,
    /// The exact numbers of a server.
    Exact,
    /// The floating-point numbers of a server.
    FloatingPoint,
    /// The values of a server that are of one kind, such as texts or dates. Their kinds are numbered.
    Spelling(u16),
    /// The values of a type of a server that has an operator of its own. Beside a text they are texts. The types are numbered
    /// like the kinds.
    TextOfType(u16),
    /// The values of files of one kind.
    File(FileKind),
}

/// The texts that are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fold {
    Bytes,
    /// A collation that is built into SQLite.
    NoCase,
    RightTrim,
    /// The padded texts of PostgreSQL. Another text that ends in a space equals them or not, as its type says.
    Padded,
    /// A collation of a server, by its number. The server gives the comparison key of each text.
    Collation(u16),
    /// Only the engine can tell.
    Engine,
}

/// The kind of all texts of a server.
pub const TEXT: u16 = 0;

impl Form {
    /// Returns the form of a column; `None` if its collation is not built into SQLite.
    pub fn of(column: &Column) -> Option<Form> {
        let fold = match column.collation.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("BINARY") => Fold::Bytes,
            Some("NOCASE") => Fold::NoCase,
            Some("RTRIM") => Fold::RightTrim,
            Some(_) => return None,
        };
        let conversion = match column.family {
            Family::Integer | Family::Numeric => Conversion::Numeric,
            Family::Real => Conversion::Real,
            Family::Text => Conversion::Text,
            Family::Untyped => Conversion::None,
        };
        Some(Form { conversion, fold })
    }

    /// Returns the form in which a parent in this form compares with a child in the other; `None` if no value of the parent
    /// equals one of the child.
    pub fn against(self, child: Form) -> Option<Form> {
        match (self.conversion, child.conversion) {
            (Conversion::File(parent), Conversion::File(child)) => {
                parent.compared_with(child).map(|kind| Form { conversion: Conversion::File(kind), ..self })
            }
            (Conversion::TextOfType(_), Conversion::Spelling(TEXT)) => {
                Some(Form { conversion: Conversion::Spelling(TEXT), fold: Fold::Bytes })
            }
            _ => self.compares_with(child).then_some(self),
        }
    }

    /// True if a parent in this form can have a value that equals one of a child in the other.
    pub fn compares_with(self, child: Form) -> bool {
        use Conversion::Exact;
        use Conversion::File;
        use Conversion::FloatingPoint;
        use Conversion::Spelling;
        use Conversion::TextOfType;
        match (self.conversion, child.conversion) {
            (File(parent), File(child)) => parent.compared_with(child).is_some(),
            (File(_), _) | (_, File(_)) => false,
            (Spelling(kind), Spelling(other)) | (TextOfType(kind), TextOfType(other)) => kind == other,
            (Spelling(kind), TextOfType(_)) | (TextOfType(_), Spelling(kind)) => kind == TEXT,
            (Spelling(_) | TextOfType(_), _) | (_, Spelling(_) | TextOfType(_)) => false,
            (Exact | FloatingPoint, other) => matches!(other, Exact | FloatingPoint),
            (_, other) => !matches!(other, Exact | FloatingPoint),
        }
    }

    /// True for a form of a server or of files. Its counts are those of the child's keys as the parent compares them.
    pub fn counts_compared_keys(self) -> bool {
        matches!(
            self.conversion,
            Conversion::Exact
                | Conversion::FloatingPoint
                | Conversion::Spelling(_)
                | Conversion::TextOfType(_)
                | Conversion::File(_)
        )
    }

    /// True for a column whose values are all numbers, of which some arrive as text.
    pub fn has_only_numbers(self) -> bool {
        match self.conversion {
            Conversion::Exact => true,
            Conversion::File(kind) => kind.among_numbers().is_some(),
            _ => false,
        }
    }

    /// Returns the kind of values of a column of files.
    pub fn file_kind(self) -> Option<FileKind> {
        match self.conversion {
            Conversion::File(kind) => Some(kind),
            _ => None,
        }
    }

    /// True if the hash of each text that is its own key is the one of its bytes, and no number has a hash.
    pub fn has_hashes_of_texts_only(self, has_fractions: bool) -> bool {
        !has_fractions && self.has_one_value_for_each_hash(false)
    }

    /// True if two different values never have the same hash as their key. Folded texts have several spellings, and so have
    /// numbers that are stored as text.
    pub fn has_one_value_for_each_hash(self, has_decimal_texts: bool) -> bool {
        self.fold == Fold::Bytes
            && match self.conversion {
                Conversion::Text | Conversion::None | Conversion::Spelling(_) | Conversion::TextOfType(_) => true,
                Conversion::Numeric | Conversion::Real => !has_decimal_texts,
                Conversion::File(kind) => matches!(kind, FileKind::Untyped | FileKind::Text | FileKind::Binary),
                Conversion::Exact | Conversion::FloatingPoint => false,
            }
    }

    /// True if the server gives the key of each value.
    pub fn is_collated(self) -> bool {
        matches!(self.fold, Fold::Collation(_))
    }

    /// True if the engine gives the key of each value of a column of this form, as another form compares it.
    pub fn has_other_keys_in(self, compared: Form) -> bool {
        match (self.conversion, compared.conversion) {
            (Conversion::File(own), Conversion::File(compared)) => own.has_other_keys_as(compared),
            _ => compared.is_collated(),
        }
    }

    /// True if a value of a column whose own form is given may have another key in this form.
    pub fn may_differ_from(self, own: Form) -> bool {
        match (self.conversion, own.conversion) {
            (Conversion::File(compared), Conversion::File(own)) => {
                own.depends_on_other() && own.has_other_keys_as(compared) && own.among_numbers() != Some(compared)
            }
            _ => true,
        }
    }
}

impl Fold {
    /// Returns the text that represents all equal ones, and false if SQLite alone can tell which are equal.
    pub fn folded<'a>(self, text: &'a [u8], scratch: &'a mut Vec<u8>) -> (&'a [u8], bool) {
        match self {
            Fold::Bytes => (text, true),
            Fold::Collation(_) | Fold::Engine => (text, false),
            Fold::NoCase => {
                // SQLite stops comparing at a NUL.
                let has_nul = text.contains(&0);
                scratch.clear();
                scratch.extend(text.iter().map(u8::to_ascii_lowercase));
                (scratch, !has_nul)
            }
            Fold::RightTrim => (without_padding(text), true),
            Fold::Padded => {
                let folded = without_padding(text);
                (folded, folded.len() == text.len())
            }
        }
    }
}

fn without_padding(text: &[u8]) -> &[u8] {
    text.iter().rposition(|&byte| byte != b' ').map_or(&[], |last| &text[..=last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_a_server_compare_only_with_themselves() {
        let form = |conversion| Form { conversion, fold: Fold::Bytes };
        let (text, date) = (form(Conversion::Spelling(0)), form(Conversion::Spelling(1)));
        assert!(text.compares_with(text) && !text.compares_with(date) && !text.compares_with(form(Conversion::Exact)));
        let citext = Form { conversion: Conversion::TextOfType(2), fold: Fold::Engine };
        assert_eq!((citext.against(text), text.against(citext)), (Some(text), Some(text)));
        assert_eq!((citext.against(citext), citext.against(date), date.against(citext)), (Some(citext), None, None));
        assert!(form(Conversion::Exact).compares_with(form(Conversion::FloatingPoint)));
        assert!(form(Conversion::Text).compares_with(form(Conversion::Numeric)));
    }
}
