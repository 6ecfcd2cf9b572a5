//! Orphan rows as CSV, one a line, as many as there are. Leaves out: everything about relations and definitions.
//!
//! The columns are the same whatever the table: row and key are JSON objects, so that a value keeps its class and one
//! file can hold the orphans of every relation. A spreadsheet that opens the file runs none of it: a cell that it
//! would take for a formula begins with an apostrophe.

use std::borrow::Cow;
use std::io;
use std::io::Write;

use crate::model::examination::Examination;
use crate::model::finding::Code;
use crate::model::finding::Sample;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::report::json::NamedValues;
use crate::report::json::compact;

const HEADER: [&str; 5] = ["relation", "child", "parent", "row", "key"];

/// The file as it grows.
pub struct Rows<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Rows<W> {
    pub fn new(out: W) -> io::Result<Rows<W>> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(HEADER)?;
        Ok(Rows { out })
    }

    pub fn orphan(&mut self, schema: &Schema, relation: &Relation, orphan: &Sample) -> io::Result<()> {
        let row = NamedValues::new(orphan.row.iter().map(|(column, value)| (column.as_str(), value)));
        let key = NamedValues::new(schema.child_column_names(relation).zip(&orphan.key));
        let child = schema.child(relation).name.to_string();
        let parent = relation.parent.name.to_string();
        let cells = [&relation.id, &child, &parent, &compact(&row), &compact(&key)];
        self.out.write_record(cells.map(|cell| inert(&visible(cell)).into_owned()))?;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The orphans that an examination holds, which are its samples.
pub(super) fn render(examination: &Examination) -> String {
    let mut bytes = Vec::new();
    let written = (|| {
        let mut rows = Rows::new(&mut bytes)?;
        let orphans = examination.findings.iter().filter(|finding| finding.code == Code::Orphan);
        for finding in orphans {
            let relation = &examination.schema.relations[finding.relation];
            for sample in &finding.samples {
                rows.orphan(&examination.schema, relation, sample)?;
            }
        }
        rows.finish()
    })();
    if let Err(fault) = written {
        unreachable!("a Vec takes every byte: {fault}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a spreadsheet takes for the start of a formula, in either width of the letters.
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
    fn rows_and_keys_are_objects() {
        let expected = "\
relation,child,parent,row,key
orders(customer_id)->customers(id),orders,customers,\"{\"\"id\"\":7}\",\"{\"\"customer_id\"\":22}\"
orders(customer_id)->customers(id),orders,customers,\"{\"\"id\"\":8}\",\"{\"\"customer_id\"\":\"\" x\"\"}\"
\"orders(region,code)->customers(region,code)\",orders,customers,\"{\"\"id\"\":7}\",\"{\"\"region\"\":\"\"EU\"\",\"\"code\"\":12}\"
";
        assert_eq!(render(&sample::sick()), expected);
    }

    #[test]
    fn a_formula_is_text() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "|cmd"] {
            assert!(inert(cell).starts_with('\''), "{cell}");
        }
        assert_eq!(inert("orders(a)->b(c)"), "orders(a)->b(c)");
    }
}
