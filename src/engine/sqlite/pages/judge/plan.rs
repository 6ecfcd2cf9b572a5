//! Plans the reading: which inclusions the pages can answer, which trees must be read, and in which rounds. Each
//! round's share of the parents' keys fits into the memory limit.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::super::fault::Fault;
use super::super::key::KeyComparison;
use super::super::key::Shape;
use super::super::layout::ColumnSource;
use super::super::layout::Field;
use super::super::layout::IndexLayout;
use super::super::layout::Layouts;
use super::super::layout::TableLayout;
use super::super::source::PageSource;
use super::super::tree::PageClaims;
use super::super::tree::Tree;
use crate::engine::Inclusion;
use crate::engine::keyset::KeyShare;
use crate::engine::keyset::shares_of_rounds;
use crate::model::catalog::Family;
use crate::model::catalog::TableKind;
use crate::model::catalog::Tables;
use crate::model::ids::TableId;

/// SQLite judges keys of more columns.
pub(super) const WIDEST_KEY: usize = 16;

pub(super) struct ReadingPlan {
    /// In the order of the caller's inclusions.
    pub(super) inclusions: Vec<Result<Planned, Fault>>,
    pub(super) parents: Vec<ParentPlan>,
    pub(super) rounds: Vec<Round>,
}

pub(super) struct Planned {
    /// The position in [`ReadingPlan::parents`].
    pub(super) parent: usize,
    /// True if an index of the child is read instead of its table.
    pub(super) by_index: bool,
    /// True if a row is certainly an orphan if its key is not among the parent's keys. This holds as long as every key of
    /// the parent can be compared here.
    pub(super) proves_orphans: bool,
}

/// A parent key: the trees that contain it, and how it compares.
pub(super) struct ParentPlan {
    pub(super) comparison: KeyComparison,
    pub(super) table: Arc<Tree>,
    /// Where the table stores the key's columns.
    pub(super) key: Vec<ColumnSource>,
    /// The index in which SQLite looks the key up, if it is not the table itself: the tree, and the fields of the key.
    pub(super) index: Option<(Arc<Tree>, Vec<Field>)>,
    /// True if SQLite looks the key up in the table, which is stored in the key's order.
    pub(super) table_is_looked_up: bool,
    /// The smallest and the largest rowid, if the key is the rowid.
    pub(super) rowids: Option<(i64, i64)>,
    /// An estimate.
    pub(super) rows: u64,
}

impl ParentPlan {
    /// True if the keys are rowids that are dense enough for a bitmap.
    pub(super) fn is_dense(&self) -> bool {
        self.rowids.is_some_and(|(first, last)| {
            let range = last.wrapping_sub(first).cast_unsigned();
            range / 64 <= self.rows + 1_000
        })
    }
}

/// A share of some parents' keys, and the children that are read against it.
pub(super) struct Round {
    pub(super) parents: Vec<(usize, KeyShare)>,
    pub(super) passes: Vec<Pass>,
}

/// One reading of a child table, or of one of its indexes, for several inclusions.
#[derive(Clone)]
pub(super) struct Pass {
    pub(super) tree: Arc<Tree>,
    /// The table, if an index is read instead of it. Both must have the same number of entries.
    pub(super) table: Option<Arc<Tree>>,
    pub(super) address: Address,
    pub(super) probes: Vec<Probe>,
}

/// Where the rowid, which identifies a row to SQLite, is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    Rowid,
    /// In a field of the index entry.
    Field(usize),
    None,
}

#[derive(Clone)]
pub(super) struct Probe {
    pub(super) inclusion: usize,
    pub(super) parent: usize,
    pub(super) share: KeyShare,
    pub(super) key: Vec<ColumnSource>,
}

impl ReadingPlan {
    /// Returns the number of leaves to read, over all rounds.
    pub(super) fn leaves(&self) -> u64 {
        let parent_leaves =
            |parent: &ParentPlan| parent.table.leaves + parent.index.as_ref().map_or(0, |(tree, _)| tree.leaves);
        let round_leaves = |round: &Round| {
            round.parents.iter().map(|&(parent, _)| parent_leaves(&self.parents[parent])).sum::<u64>()
                + round.passes.iter().map(|pass| pass.tree.leaves).sum::<u64>()
        };
        self.rounds.iter().map(round_leaves).sum()
    }
}

pub(super) fn plan(
    tables: &Tables,
    inclusions: &[Inclusion],
    layouts: &Layouts,
    source: &PageSource,
    memory: u64,
) -> ReadingPlan {
    let mut planner = ReadingPlanner {
        tables,
        layouts,
        source,
        claims: PageClaims::new(source),
        trees: HashMap::new(),
        parents: Vec::new(),
        known_parents: HashMap::new(),
        seed: seed(),
    };
    let mut planned: Vec<Result<(TableId, Probe), Fault>> = Vec::new();
    for (position, inclusion) in inclusions.iter().enumerate() {
        planned.push(planner.inclusion(position, inclusion));
    }
    let passes = planner.passes(inclusions, &mut planned);
    let index_passes = passes.iter().filter(|pass| pass.table.is_some());
    let by_index: HashSet<usize> =
        index_passes.flat_map(|pass| pass.probes.iter().map(|probe| probe.inclusion)).collect();
    let proves_orphans: Vec<bool> = inclusions
        .iter()
        .zip(&planned)
        .map(|(inclusion, planned)| planned.as_ref().is_ok_and(|(_, probe)| planner.proves_orphans(inclusion, probe)))
        .collect();
    let parents = planner.parents;
    let rounds = rounds(&parents, passes, memory);
    let inclusions = planned
        .into_iter()
        .enumerate()
        .map(|(position, planned)| {
            planned.map(|(_, probe)| Planned {
                parent: probe.parent,
                by_index: by_index.contains(&position),
                proves_orphans: proves_orphans[position],
            })
        })
        .collect();
    ReadingPlan { inclusions, parents, rounds }
}

/// Returns a new hash seed for every run, so that nobody can craft a file with colliding keys.
fn seed() -> (u64, u64) {
    let random = std::collections::hash_map::RandomState::new();
    (random.hash_one(1), random.hash_one(2))
}

/// The table, its columns, and the index in which SQLite looks them up: `(0, [1, 2], Some(3))`.
type ParentId = (TableId, Vec<usize>, Option<usize>);

struct ReadingPlanner<'p> {
    tables: &'p Tables,
    layouts: &'p Layouts,
    source: &'p PageSource,
    claims: PageClaims,
    trees: HashMap<u32, Result<Arc<Tree>, Fault>>,
    parents: Vec<ParentPlan>,
    known_parents: HashMap<ParentId, Result<usize, Fault>>,
    seed: (u64, u64),
}

impl<'p> ReadingPlanner<'p> {
    /// Returns the child's position and the probe for it, or the reason why the pages cannot answer.
    fn inclusion(&mut self, position: usize, inclusion: &Inclusion) -> Result<(TableId, Probe), Fault> {
        let width = inclusion.child_columns.len();
        if width > WIDEST_KEY || inclusion.parent_columns.len() != width {
            return Err(Fault::unsupported("its key has too many columns"));
        }
        let layout = self.table(inclusion.child)?;
        let key = stored(layout, &inclusion.child_columns)?;
        let parent = self.parent(inclusion.parent, &inclusion.parent_columns, inclusion.key)?;
        Ok((inclusion.child, Probe { inclusion: position, parent, share: KeyShare::ALL, key }))
    }

    /// See [`Planned::proves_orphans`]. SQLite reads an integer of a REAL column as a real number, which this module does
    /// not, and a row without an address cannot be asked for again.
    fn proves_orphans(&self, inclusion: &Inclusion, probe: &Probe) -> bool {
        let child = &self.tables[inclusion.child];
        let is_real = |column: &usize| child.columns[*column].family == Family::Real;
        child.row_address.is_some()
            && !inclusion.child_columns.iter().any(is_real)
            && self.parents[probe.parent].comparison.proves_absence(self.source.header.encoding)
    }

    fn table(&self, table: TableId) -> Result<&'p TableLayout, Fault> {
        let known = &self.tables[table];
        if known.kind != TableKind::Table {
            return Err(Fault::unsupported(format!("{} is not a table", known.name)));
        }
        let layout = self.layouts.tables.get(&known.name.table);
        let layout = layout.filter(|layout| layout.columns.len() == known.columns.len());
        layout.ok_or_else(|| Fault::unsupported(format!("{} is not stored as a table", known.name)))
    }

    fn tree(&mut self, root: u32, is_index: bool) -> Result<Arc<Tree>, Fault> {
        let (source, claims) = (self.source, &mut self.claims);
        self.trees.entry(root).or_insert_with(|| Tree::open(source, claims, root, is_index).map(Arc::new)).clone()
    }

    fn index(&self, table: TableId, index: usize) -> Result<&'p IndexLayout, Fault> {
        let name = &self.tables[table].indexes[index].name;
        self.layouts.indexes.get(name).ok_or_else(|| Fault::unsupported(format!("there is no index {name}")))
    }

    fn parent(&mut self, table: TableId, columns: &[usize], index: Option<usize>) -> Result<usize, Fault> {
        let name = (table, columns.to_vec(), index);
        if let Some(known) = self.known_parents.get(&name) {
            return known.clone();
        }
        let found = self.new_parent(table, columns, index).map(|parent| {
            self.parents.push(parent);
            self.parents.len() - 1
        });
        self.known_parents.insert(name, found.clone());
        found
    }

    fn new_parent(&mut self, table: TableId, columns: &[usize], index: Option<usize>) -> Result<ParentPlan, Fault> {
        let layout = self.table(table)?;
        let key = stored(layout, columns)?;
        let known = &self.tables[table];
        let separate = index.filter(|&index| known.indexes[index].separate);
        let index_layout = separate.map(|index| self.index(table, index)).transpose()?;
        let table_is_looked_up = layout.without_rowid && index.is_some() && separate.is_none();
        let own_order: &[bool] = if table_is_looked_up { &layout.own_order } else { &[] };
        let descending = |position: usize| match (&index_layout, key[position]) {
            (Some(index), _) => {
                index.field_of(columns[position]).is_some_and(|field| index.fields.descending[field.number])
            }
            (None, ColumnSource::Field(field)) => own_order.get(field.number).copied().unwrap_or(false),
            _ => false,
        };
        let described = columns.iter().enumerate().map(|(position, &column)| {
            let column = &known.columns[column];
            (&column.family, column.collation.as_deref(), descending(position))
        });
        let comparison = KeyComparison::new(described, self.source.header.encoding, self.seed)
            .ok_or_else(|| Fault::unsupported("its collation is not SQLite's own"))?;
        let tree = self.tree(layout.root, layout.without_rowid)?;
        let index = match &index_layout {
            None => None,
            Some(index) => {
                let fields: Option<Vec<Field>> = columns.iter().map(|&column| index.field_of(column)).collect();
                let fields = fields.ok_or_else(|| Fault::unsupported("the parent's index does not hold its key"))?;
                Some((self.tree(index.root, true)?, fields))
            }
        };
        let rowids = if key == [ColumnSource::Rowid] { tree.range(self.source)? } else { None };
        let rows = tree.estimate(self.source)?;
        Ok(ParentPlan { comparison, table: tree, key, index, table_is_looked_up, rowids, rows })
    }

    /// Plans one pass for each child table, or one for each key's index if that is much less to read.
    fn passes(&mut self, inclusions: &[Inclusion], planned: &mut [Result<(TableId, Probe), Fault>]) -> Vec<Pass> {
        let mut of_children: BTreeMap<TableId, Vec<Probe>> = BTreeMap::new();
        for (child, probe) in planned.iter().flatten() {
            of_children.entry(*child).or_default().push(probe.clone());
        }
        let mut passes = Vec::new();
        for (child, probes) in of_children {
            let positions: Vec<usize> = probes.iter().map(|probe| probe.inclusion).collect();
            match self.passes_of(child, inclusions, probes) {
                Ok(found) => passes.extend(found),
                Err(fault) => positions.into_iter().for_each(|position| planned[position] = Err(fault.clone())),
            }
        }
        passes
    }

    fn passes_of(&mut self, child: TableId, inclusions: &[Inclusion], probes: Vec<Probe>) -> Result<Vec<Pass>, Fault> {
        let layout = self.table(child)?;
        let tree = self.tree(layout.root, layout.without_rowid)?;
        let has_address = self.tables[child].row_address.is_some();
        let address = if has_address { Address::Rowid } else { Address::None };
        let by_index: Option<Vec<Pass>> = probes
            .iter()
            .map(|probe| {
                let columns = &inclusions[probe.inclusion].child_columns;
                let (index_tree, layout, key) = self.leading_index(child, columns)?;
                let address = if has_address { Address::Field(layout.rowid_field()) } else { Address::None };
                let probes = vec![Probe { key, ..probe.clone() }];
                Some(Pass { tree: index_tree, table: Some(Arc::clone(&tree)), address, probes })
            })
            .collect();
        if let Some(passes) = by_index
            && passes.iter().map(|pass| pass.tree.leaves).sum::<u64>() * 2 <= tree.leaves
        {
            return Ok(passes);
        }
        Ok(vec![Pass { tree, table: None, address, probes }])
    }

    /// Returns an index of a table that begins with these columns, in any order, and where it stores them.
    fn leading_index(
        &mut self,
        table: TableId,
        columns: &[usize],
    ) -> Option<(Arc<Tree>, &'p IndexLayout, Vec<ColumnSource>)> {
        let known = &self.tables[table];
        let position = known.indexes.iter().position(|index| index.separate && index.begins_with(columns))?;
        let layout = self.index(table, position).ok()?;
        let key: Option<Vec<ColumnSource>> =
            columns.iter().map(|&column| layout.field_of(column).map(ColumnSource::Field)).collect();
        let tree = self.tree(layout.root, true).ok()?;
        Some((tree, layout, key?))
    }
}

/// Returns where these columns are stored; a fault if one of them is computed.
fn stored(layout: &TableLayout, columns: &[usize]) -> Result<Vec<ColumnSource>, Fault> {
    let sources: Vec<ColumnSource> = columns.iter().map(|&column| layout.columns[column]).collect();
    if sources.contains(&ColumnSource::Computed) {
        return Err(Fault::unsupported("a column of its key is computed when it is read"));
    }
    Ok(sources)
}

/// Divides the parents' keys into rounds of at most `memory` bytes. A parent that needs more gets several rounds.
fn rounds(parents: &[ParentPlan], passes: Vec<Pass>, memory: u64) -> Vec<Round> {
    let needs = parents.iter().map(|parent| {
        let needed = bytes_for(parent);
        (needed, shares(parent, needed.div_ceil(memory.max(1)).max(1)))
    });
    match <[_; 1]>::try_from(shares_of_rounds(needs, memory)) {
        // No parent is divided, and the probes need all of each.
        Ok([parents]) => vec![Round { parents, passes }],
        Err(rounds) => {
            rounds.into_iter().map(|parents| Round { passes: passes_with(&parents, &passes), parents }).collect()
        }
    }
}

/// Returns a high estimate of the memory for a parent's keys, in bytes.
fn bytes_for(parent: &ParentPlan) -> u64 {
    let rows = parent.rows + parent.rows / 4;
    let listed = rows * if parent.comparison.shape() == Shape::Integer { 12 } else { 24 };
    match parent.rowids {
        Some((first, last)) => (last.wrapping_sub(first).cast_unsigned() / 8).min(listed),
        None => listed,
    }
}

fn shares(parent: &ParentPlan, count: u64) -> Vec<KeyShare> {
    let of = u32::try_from(count).unwrap_or(u32::MAX);
    match parent.rowids {
        Some((first, last)) if of > 1 && parent.is_dense() => {
            let step = (last.wrapping_sub(first).cast_unsigned() / u64::from(of)).cast_signed().max(1);
            let begin =
                |i: u32| if i == 0 { i64::MIN } else { first.saturating_add(step.saturating_mul(i64::from(i))) };
            let end = |i: u32| if i + 1 == of { i64::MAX } else { begin(i + 1) - 1 };
            (0..of).map(|i| KeyShare::Between(begin(i), end(i))).collect()
        }
        _ => (0..of).map(|number| KeyShare::Part { number, of }).collect(),
    }
}

/// Returns the passes that need these parents, each with only the probes that these parents answer.
fn passes_with(parents: &[(usize, KeyShare)], passes: &[Pass]) -> Vec<Pass> {
    let shares: HashMap<usize, KeyShare> = parents.iter().copied().collect();
    let narrowed = passes.iter().filter_map(|pass| {
        let probes: Vec<Probe> = pass
            .probes
            .iter()
            .filter_map(|probe| {
                let share = *shares.get(&probe.parent)?;
                Some(Probe { share, ..probe.clone() })
            })
            .collect();
        (!probes.is_empty()).then(|| Pass { probes, ..pass.clone() })
    });
    narrowed.collect()
}
