//! Selects the relations of a scan, by the exclusions of the configuration and the filters of the command line.

use crate::examine::error::ExamineError;
use crate::model::catalog::TableName;
use crate::model::configured::Spanned;
use crate::model::examination::Excluded;
use crate::model::ids::IdVec;
use crate::model::pattern::Pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql;

/// The filters of the command line. An empty filter selects everything.
pub struct Filters<'a> {
    pub tables: &'a [Pattern],
    pub relations: &'a [Pattern],
    /// Tables that changed.
    pub changed: &'a [Pattern],
}

/// Returns the schema with the selected relations, and the others as excluded. A filter that matches nothing is an error,
/// because a misspelt name must not look like a clean database.
pub fn select(
    mut schema: Schema,
    exclude: &[Spanned<Pattern>],
    filters: &Filters<'_>,
) -> Result<(Schema, Vec<Excluded>), ExamineError> {
    let Filters { tables, relations, changed } = *filters;
    for (option, pattern) in
        tables.iter().map(|pattern| ("--table", pattern)).chain(changed.iter().map(|it| ("--changed-tables", it)))
    {
        let parts = schema.tables.iter().flat_map(|table| &table.partitions);
        let names = schema.tables.iter().map(|table| &table.name).chain(parts);
        let known: Vec<String> = names.map(ToString::to_string).collect();
        must_match(option, pattern, &known, "the tables are")?;
    }
    for pattern in relations {
        let known: Vec<String> = schema.relations.iter().map(|relation| relation.id.clone()).collect();
        must_match("--relation", pattern, &known, "the relations are")?;
    }
    let mut excluded = Vec::new();
    let (mut not_selected, mut unchanged) = (0_u64, 0_u64);
    let mut kept = IdVec::new();
    for mut relation in std::mem::take(&mut schema.relations) {
        if !matches_filters(&schema, &relation, tables, relations) {
            not_selected += 1;
        } else if !changed.is_empty() && !touches(&schema, &relation, changed) {
            unchanged += 1;
        } else if let Some(pattern) = exclude.iter().find(|pattern| excludes(&schema, &relation, &pattern.value)) {
            let why = format!("excluded by \"{}\" in the configuration", pattern.value.as_str());
            excluded.push(Excluded { name: relation.id.clone(), why });
        } else {
            narrow_to_partitions(&schema, &mut relation, tables);
            kept.push(relation);
        }
    }
    schema.relations = kept;
    for (number, why) in [
        (not_selected, "not selected by --table or --relation"),
        (unchanged, "not a relation of any table in --changed-tables"),
    ] {
        if number > 0 {
            let name = crate::model::text::plural(number, "relation");
            excluded.push(Excluded { name, why: why.to_owned() });
        }
    }
    Ok((schema, excluded))
}

fn matches_filters(schema: &Schema, relation: &Relation, tables: &[Pattern], relations: &[Pattern]) -> bool {
    let by_table = tables.is_empty() || touches(schema, relation, tables);
    let by_relation = relations.is_empty() || relations.iter().any(|pattern| pattern.matches(&relation.id));
    by_table && by_relation
}

/// True if the child or the parent matches, or one of their partitions does.
fn touches(schema: &Schema, relation: &Relation, tables: &[Pattern]) -> bool {
    let sides = [Some(schema.child(relation)), schema.parent(relation)];
    let parts = sides.into_iter().flatten().flat_map(|table| &table.partitions);
    let names = [&schema.child(relation).name, &relation.parent.name].into_iter().chain(parts);
    let names: Vec<String> = names.map(ToString::to_string).collect();
    tables.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)))
}

/// Narrows a relation to the matching partitions of its child, if no table or parent partition matches.
fn narrow_to_partitions(schema: &Schema, relation: &mut Relation, tables: &[Pattern]) {
    let child = schema.child(relation);
    let by = |name: &TableName| tables.iter().any(|pattern| pattern.matches(&name.to_string()));
    let of_parent = schema.parent(relation).into_iter().flat_map(|parent| &parent.partitions);
    if tables.is_empty() || [&child.name, &relation.parent.name].into_iter().chain(of_parent).any(by) {
        return;
    }
    let chosen: Vec<&TableName> = child.partitions.iter().filter(|name| by(name)).collect();
    if chosen.is_empty() {
        return;
    }
    let names: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    let noun = if chosen.len() == 1 { "partition" } else { "partitions" };
    let condition = sql::in_partitions(schema.database.engine, &chosen);
    relation.scope.partial = Some(format!("only rows of the {noun} {}", names.join(", ")));
    let all = relation.scope.condition.take().into_iter().chain([condition]);
    relation.scope.condition = sql::all_conditions(all);
}

/// True if the pattern excludes the relation. A pattern of tables applies to the child, whose rows are not checked then.
fn excludes(schema: &Schema, relation: &Relation, pattern: &Pattern) -> bool {
    if pattern.is_for_relations() {
        pattern.matches(&relation.id)
    } else {
        pattern.matches(&schema.child(relation).name.to_string())
    }
}

/// Returns an error that names the nearest of the known names if none of them matches.
pub(super) fn must_match(
    option: &'static str,
    pattern: &Pattern,
    known: &[String],
    intro: &str,
) -> Result<(), ExamineError> {
    if known.iter().any(|name| pattern.matches(name)) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match crate::model::text::nearest(pattern.as_str(), names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "there are none".to_owned(),
        None => {
            format!("{intro} {}{}", names[..names.len().min(8)].join(", "), if names.len() > 8 { ", …" } else { "" })
        }
    };
    Err(ExamineError::NothingMatches { option, pattern: pattern.as_str().to_owned(), help })
}
