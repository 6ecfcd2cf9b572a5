//! The relations as a graph: tables, and a line for each relation, in connected parts. It decides what each drawing
//! contains. Positions belong to `layered`, and SVG to `picture`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::ids::RelationId;
use crate::report::html::state;
use crate::report::html::state::Condition;
use crate::report::html::state::State;

/// The number of relations that a reader can still follow in one drawing.
pub(super) const MOST: usize = 60;

pub(super) struct Node {
    pub(super) name: String,
    pub(super) is_missing: bool,
}

/// A relation.
pub(super) struct Line<'a> {
    pub(super) relation: RelationId,
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) state: State,
    pub(super) orphans: u64,
    pub(super) finding: Option<&'a Finding>,
}

pub(super) struct Graph<'a> {
    /// In order of name, so that drawings do not depend on the order of the relations.
    pub(super) nodes: Vec<Node>,
    /// In the schema's order.
    pub(super) lines: Vec<Line<'a>>,
}

/// Tables that relations connect, and these relations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) tables: usize,
    /// The positions of its lines.
    pub(super) lines: Vec<usize>,
    pub(super) sick: usize,
}

impl Graph<'_> {
    pub(super) fn of(examination: &Examination) -> Graph<'_> {
        let schema = &examination.schema;
        let ends = schema.relations.iter().map(|about| {
            let child = (schema.child(about).name.to_string(), false);
            (child, (about.parent.name.to_string(), about.parent.table.is_none()))
        });
        let ends: Vec<_> = ends.collect();
        let names: BTreeSet<&(String, bool)> = ends.iter().flat_map(|(child, parent)| [child, parent]).collect();
        let index: BTreeMap<&(String, bool), usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        let conditions = state::conditions(examination);
        let lines = examination.relations.ids().zip(conditions).zip(&ends).map(|((relation, condition), ends)| {
            let Condition { state, orphans, finding, .. } = condition;
            let (child, parent) = (index[&ends.0], index[&ends.1]);
            Line { relation, child, parent, state, orphans, finding }
        });
        let lines = lines.collect();
        let nodes = names.into_iter().map(|(name, is_missing)| Node { name: name.clone(), is_missing: *is_missing });
        Graph { nodes: nodes.collect(), lines }
    }

    /// Returns the connected parts: those with the most sick relations first, then the largest.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut groups = Groups::of(self.nodes.len());
        self.lines.iter().for_each(|line| groups.join(line.child, line.parent));
        let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
        for node in 0..self.nodes.len() {
            let part = parts.entry(groups.root(node)).or_insert(Part { tables: 0, lines: Vec::new(), sick: 0 });
            part.tables += 1;
        }
        for (index, line) in self.lines.iter().enumerate() {
            if let Some(part) = parts.get_mut(&groups.root(line.child)) {
                part.lines.push(index);
                part.sick += usize::from(line.state.is_sick());
            }
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        parts.sort_by_key(|part| std::cmp::Reverse((part.sick, part.lines.len())));
        parts
    }

    /// Returns the sick lines of a part, and the other lines of their tables, in the schema's order. If these are too
    /// many, the tables with the fewest other lines keep theirs.
    pub(super) fn sick_lines(&self, part: &Part) -> Vec<usize> {
        let is_sick = |index: &usize| self.lines[*index].state.is_sick();
        let mut chosen: BTreeSet<usize> = part.lines.iter().copied().filter(is_sick).collect();
        let most = MOST.max(chosen.len() + MOST / 2);
        let mut rings: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for line in chosen.iter().map(|&index| &self.lines[index]) {
            rings.entry(line.child).or_default();
            rings.entry(line.parent).or_default();
        }
        for &index in part.lines.iter().filter(|index| !is_sick(index)) {
            for node in [self.lines[index].child, self.lines[index].parent] {
                rings.entry(node).and_modify(|ring| ring.push(index));
            }
        }
        let mut rings: Vec<Vec<usize>> = rings.into_values().collect();
        rings.sort_by_key(Vec::len);
        for ring in rings {
            let added = ring.iter().filter(|index| !chosen.contains(index)).count();
            if chosen.len() + added <= most {
                chosen.extend(ring);
            }
        }
        chosen.into_iter().collect()
    }
}

/// Numbers in disjoint groups.
struct Groups(Vec<usize>);

impl Groups {
    fn of(count: usize) -> Groups {
        Groups((0..count).collect())
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        // The lower number is the root, so that parts have the order of their first names.
        self.0[one.max(other)] = one.min(other);
    }
}
