//! Orphan rows as CSV, one row per line, without a limit. The file contains no defects and no coverage.
//!
//! Every table has the same columns: row and key are JSON objects. So a value keeps its storage class, and one file can
//! hold the orphans of every relation. A cell that a spreadsheet would run as a formula starts with an apostrophe.

use std::borrow::Cow;
use std::io;
use std::io::Write;

use crate::model::examination::Examination;
use crate::model::finding::Sample;
use crate::model::ids::RelationId;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::report::json::NamedValues;
use crate::report::json::compact;

const HEADER: [&str; 5] = ["relation", "child", "parent", "row", "key"];

/// Writes orphan rows to the file, one at a time.
pub struct Rows<W: Write> {
    out: csv::Writer<W>,
    /// The cells of the relation that the last row was of.
    relation: Option<(RelationId, [String; 3])>,
}

impl<W: Write> Rows<W> {
    pub fn new(out: W) -> io::Result<Rows<W>> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(HEADER)?;
        Ok(Rows { out, relation: None })
    }

    pub fn orphan(&mut self, schema: &Schema, id: RelationId, orphan: &Sample) -> io::Result<()> {
        let relation = &schema.relations[id];
        let row = NamedValues::new(orphan.row.iter().map(|(column, value)| (column.as_str(), value)));
        let key = NamedValues::new(schema.child_column_names(relation).zip(&orphan.key));
        let [row, key] = [compact(&row), compact(&key)];
        if self.relation.as_ref().is_none_or(|(known, _)| *known != id) {
            let cells =
                [relation.id.clone(), schema.child(relation).name.to_string(), relation.parent.name.to_string()];
            self.relation = Some((id, cells.map(|cell| harmless(&cell).into_owned())));
        }
        if let Some((_, cells)) = &self.relation {
            let (row, key) = (harmless(&row), harmless(&key));
            self.out.write_record(cells.iter().map(String::as_str).chain([&*row, &*key]))?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns the orphans that the examination holds, which are its samples.
pub(super) fn render(examination: &Examination) -> String {
    let mut bytes = Vec::new();
    let written = (|| {
        let mut rows = Rows::new(&mut bytes)?;
        let orphans = examination.findings.iter().filter(|finding| finding.code.is_orphan());
        for finding in orphans {
            for sample in &finding.samples {
                rows.orphan(&examination.schema, finding.relation, sample)?;
            }
        }
        rows.finish()
    })();
    if let Err(fault) = written {
        unreachable!("a Vec takes every byte: {fault}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A cell that neither a terminal nor a spreadsheet obeys.
pub(super) fn harmless(cell: &str) -> Cow<'_, str> {
    match visible(cell) {
        Cow::Borrowed(cell) => inert(cell),
        Cow::Owned(cell) => Cow::Owned(inert(&cell).into_owned()),
    }
}

/// Puts an apostrophe before a cell that a spreadsheet would run as a formula. Full-width characters count too.
fn inert(cell: &str) -> Cow<'_, str> {
    let starts = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%', '\t', '\r', '\n'];
    let begins = cell.trim_start().starts_with(starts) || cell.starts_with(starts);
    if begins { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn row_and_key_are_json_objects() {
        let expected = "\
relation,child,parent,row,key
orders(customer_id)->customers(id),orders,customers,\"{\"\"id\"\":7}\",\"{\"\"customer_id\"\":22}\"
orders(customer_id)->customers(id),orders,customers,\"{\"\"id\"\":8}\",\"{\"\"customer_id\"\":\"\" x\"\"}\"
\"orders(region,code)->customers(region,code)\",orders,customers,\"{\"\"id\"\":7}\",\"{\"\"region\"\":\"\"EU\"\",\"\"code\"\":12}\"
";
        assert_eq!(render(&sample::sick()), expected);
    }

    #[test]
    fn formula_becomes_text() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "|cmd"] {
            assert!(inert(cell).starts_with('\''), "{cell}");
        }
        assert_eq!(inert("orders(a)->b(c)"), "orders(a)->b(c)");
    }
}
