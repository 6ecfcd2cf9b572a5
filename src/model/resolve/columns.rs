//! Defects of a relation's columns: different types or collations of the two sides, and a child key without an index.

use crate::model::catalog::Comparison;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::facts::Equality;
use crate::model::finding::Code;
use crate::model::relation::Defect;
use crate::model::schema::side;

/// Adds a defect for the first pair of columns with different types, and for the first pair with different collations.
/// The foreign key follows the parent's column. A join in a program may give other results.
pub(super) fn compare(
    child: &Table,
    child_columns: &[usize],
    parent: &Table,
    parent_columns: &[usize],
    comparisons: &[Comparison],
    equality: Equality,
    defects: &mut Vec<Defect>,
) {
    if equality == Equality::OfFiles {
        return compare_numbers(child, child_columns, parent, parent_columns, defects);
    }
    let pairs = || {
        child_columns.iter().zip(parent_columns).map(|(&left, &right)| (&child.columns[left], &parent.columns[right]))
    };
    // One type can have several names. A comparison has a child type only if the server converts the child's values.
    let converted = |index: usize| comparisons.get(index).is_some_and(|comparison| comparison.child_type.is_some());
    let differs = pairs()
        .enumerate()
        .find(|(index, (left, right))| converted(*index) || convert_differently(&left.family, &right.family));
    if let Some((_, (left, right))) = differs {
        defects.push(Defect {
            code: Code::TypeMismatch,
            message: format!(
                "{} is {} but {} is {}: values are converted before they are compared",
                side(&child.name, [left.name.as_str()]),
                type_name(&left.declared_type),
                side(&parent.name, [right.name.as_str()]),
                type_name(&right.declared_type)
            ),
            help: "declare both columns with the same type".to_owned(),
        });
    }
    let texts_differ = |left: &Option<String>, right: &Option<String>| match (left, right) {
        (Some(left), Some(right)) => !left.eq_ignore_ascii_case(right),
        _ => false,
    };
    let holds_text = |family: &Family| matches!(family, Family::Text | Family::Untyped);
    let differs = pairs().find(|(left, right)| {
        holds_text(&left.family) && holds_text(&right.family) && texts_differ(&left.collation, &right.collation)
    });
    if let Some((left, right)) = differs {
        defects.push(Defect {
            code: Code::CollationMismatch,
            message: format!(
                "{} compares text as {} but {} as {}: the foreign key follows the parent, a join may not",
                side(&child.name, [left.name.as_str()]),
                left.collation.as_deref().unwrap_or("?"),
                side(&parent.name, [right.name.as_str()]),
                right.collation.as_deref().unwrap_or("?")
            ),
            help: "declare both columns with the same COLLATE".to_owned(),
        });
    }
}

/// Adds a defect for the first pair of columns of which one has floating-point numbers and the other exact ones. Files
/// convert nothing else, and a pair of other types is not compared at all.
fn compare_numbers(
    child: &Table,
    child_columns: &[usize],
    parent: &Table,
    parent_columns: &[usize],
    defects: &mut Vec<Defect>,
) {
    let is_exact = |family: &Family| matches!(family, Family::Integer | Family::Numeric);
    let is_mixed = |left: &Family, right: &Family| {
        (is_exact(left) && *right == Family::Real) || (*left == Family::Real && is_exact(right))
    };
    let mut pairs =
        child_columns.iter().zip(parent_columns).map(|(&left, &right)| (&child.columns[left], &parent.columns[right]));
    if let Some((left, right)) = pairs.find(|(left, right)| is_mixed(&left.family, &right.family)) {
        defects.push(Defect {
            code: Code::TypeMismatch,
            message: format!(
                "{} is {} but {} is {}: they are compared as exact numbers, and a join may round them",
                side(&child.name, [left.name.as_str()]),
                left.declared_type,
                side(&parent.name, [right.name.as_str()]),
                right.declared_type
            ),
            help: "write both columns with the same type".to_owned(),
        });
    }
}

fn type_name(declared: &str) -> &str {
    if declared.is_empty() { "untyped" } else { declared }
}

/// True if the columns convert values differently. An untyped child converts nothing, so only the parent's conversion
/// applies.
fn convert_differently(child: &Family, parent: &Family) -> bool {
    let class = |family: &Family| match family {
        Family::Integer | Family::Numeric => 0,
        Family::Real => 1,
        Family::Text => 2,
        Family::Untyped => 3,
    };
    *child != Family::Untyped && class(child) != class(parent)
}

/// Adds a defect if no index begins with the child's columns.
pub(super) fn child_index(engine: Engine, child: &Table, child_columns: &[usize], defects: &mut Vec<Defect>) {
    if child.indexes.iter().any(|index| index.begins_with(child_columns)) {
        return;
    }
    let names: Vec<&str> = child_columns.iter().map(|&column| child.columns[column].name.as_str()).collect();
    let facts = engine.facts();
    let quoted: Vec<String> = names.iter().map(|name| facts.quoted(name)).collect();
    let index = format!("{}_{}", child.name.table, names.join("_"));
    defects.push(Defect {
        code: Code::ChildNotIndexed,
        message: format!("no index begins with {}: deleting a parent reads the whole table", side(&child.name, names)),
        help: format!(
            "CREATE INDEX {} ON {}({})",
            facts.quoted(&index),
            facts.quoted_table(&child.name),
            quoted.join(", ")
        ),
    });
}
