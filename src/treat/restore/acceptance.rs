//! The conditions under which a quarantined row comes back: its key is free, its parents exist, and its table stores it as it was.

use super::Blocked;
use super::Restorer;
use super::Returning;
use super::sources::Quarantined;
use crate::engine::write::Attempt;
use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::restore::Obstacle;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::value::Value;
use crate::stored_rows;
use crate::stored_rows::Stored;
use crate::treat::TreatError;
use crate::treat::unique::Candidate;

impl Restorer<'_> {
    /// Inserts rows into the rehearsal. Returns those that the table accepts, and gives up the others.
    pub(super) fn accept(
        &mut self,
        work: usize,
        table: TableId,
        rows: Vec<(usize, Quarantined)>,
    ) -> Result<Vec<Returning>, TreatError> {
        let about = &self.planner.schema.tables[table];
        let (mut named, mut given_up) = (Vec::new(), Vec::new());
        for (index, row) in rows {
            match self.name_in(about, &row) {
                Ok(name) => named.push((index, row, name)),
                Err(obstacle) => given_up.push((row, obstacle)),
            }
        }
        let names: Vec<&RowName> = named.iter().map(|(.., name)| name).collect();
        let stored = stored_rows::read(self.planner.lookups.as_mut(), self.planner.sql, about, &names)?;
        let mut rehearsed = Vec::new();
        for ((index, row, name), stored) in named.into_iter().zip(stored) {
            let (name, stored) = self.free_name(table, &row, name, stored)?;
            match self.obstacle(table, &row, &name, stored)? {
                Some(obstacle) => given_up.push((row, obstacle)),
                None => rehearsed.push((index, row, name)),
            }
        }
        let names: Vec<&RowName> = rehearsed.iter().map(|(.., name)| name).collect();
        let (rehearsal, sql) = match names.is_empty() {
            true => return self.give_up(work, given_up).map(|()| Vec::new()),
            false => self.planner.rehearsal_of(table)?,
        };
        let images = stored_rows::read(rehearsal, sql, about, &names)?;
        let mut accepted = Vec::new();
        for ((index, row, name), stored) in rehearsed.into_iter().zip(images) {
            match as_it_was(&row, stored) {
                Ok(image) => accepted.push(Returning { index, row, name, image }),
                Err(obstacle) => {
                    self.withdraw_rehearsed(table, &name)?;
                    given_up.push((row, obstacle));
                }
            }
        }
        let accepted = self.without_collisions(table, accepted, &mut given_up)?;
        self.give_up(work, given_up)?;
        Ok(accepted)
    }

    /// Returns the name under which a row comes back, and the stored row of this name. The engine gives the address of a deleted row to
    /// another row. A row that only its address names therefore gets another one if its own is taken.
    fn free_name(
        &mut self,
        table: TableId,
        row: &Quarantined,
        name: RowName,
        stored: Stored,
    ) -> Result<(RowName, Stored), TreatError> {
        let about = &self.planner.schema.tables[table];
        let address = about.lasting_address().filter(|address| !row.image.has(address));
        let own = address.and_then(|address| name.get(address)).and_then(Value::as_integer);
        let (Some(address), Some(own)) = (address, own) else { return Ok((name, stored)) };
        if matches!(&stored, Stored::Row(stored) if holds(&stored.columns, &row.image)) {
            return Ok((name, stored));
        }
        let is_taken = !matches!(stored, Stored::Nothing);
        let free = self.free_address(table, address, (own, is_taken))?;
        Ok((RowName::from(vec![(address, Value::Integer(free))]), Stored::Nothing))
    }

    /// Returns the address under which a row of this name comes back. Its own address is that of the deleted row.
    pub(super) fn address_of(&mut self, table: TableId, name: &RowName, own: i64) -> Result<i64, TreatError> {
        let about = &self.planner.schema.tables[table];
        let Some(address) = about.lasting_address() else { return Ok(own) };
        if let Some(named) = name.get(address).and_then(Value::as_integer) {
            return Ok(named);
        }
        let name = RowName::from(vec![(address, Value::Integer(own))]);
        let (lookups, sql) = (self.planner.lookups.as_mut(), self.planner.sql);
        let is_taken = !matches!(stored_rows::read(lookups, sql, about, &[&name])?.pop(), Some(Stored::Nothing));
        self.free_address(table, address, (own, is_taken))
    }

    /// Returns the own address of a row, or a new one if a stored row or another row of the plan has it.
    fn free_address(&mut self, table: TableId, address: &str, (own, is_taken): (i64, bool)) -> Result<i64, TreatError> {
        let is_free = !is_taken && !self.addresses.contains(&(table, own));
        let free = if is_free { own } else { self.planner.next_integer(table, address)? };
        self.addresses.insert((table, free));
        Ok(free)
    }

    /// Returns the reason why a row cannot come back beside the stored and the planned rows. Otherwise the rehearsal contains
    /// the row afterwards.
    fn obstacle(
        &mut self,
        table: TableId,
        row: &Quarantined,
        name: &RowName,
        stored: Stored,
    ) -> Result<Option<Obstacle>, TreatError> {
        let about = &self.planner.schema.tables[table];
        if let Some(why) = &about.irreversible {
            return Ok(Some(Obstacle::Refused(format!("{} {why}", about.name))));
        }
        match stored {
            Stored::Row(stored) if holds(&stored.columns, &row.image) => return Ok(Some(Obstacle::Present)),
            Stored::Row(_) | Stored::TooLong => return Ok(Some(Obstacle::KeyTaken)),
            Stored::Nothing if self.planner.draft.get(&about.name, name)?.is_some() => {
                return Ok(Some(Obstacle::KeyTaken));
            }
            Stored::Nothing => {}
        }
        self.rehearse(table, name, &row.image)
    }

    /// Inserts a row into the rehearsal. Returns the reason if that is refused.
    pub(super) fn rehearse(
        &mut self,
        table: TableId,
        name: &RowName,
        image: &Row,
    ) -> Result<Option<Obstacle>, TreatError> {
        let about = &self.planner.schema.tables[table];
        if let Err(stop) = self.planner.rehearse_table(table) {
            return Ok(Some(Obstacle::Refused(stop.why()?)));
        }
        let (rehearsal, sql) = self.planner.rehearsal_of(table)?;
        Ok(match rehearsal.attempt(&sql.insert(about, name, image))? {
            Attempt::Accepted => None,
            Attempt::Refused(refusal) => Some(Obstacle::Refused(refusal.message)),
        })
    }

    pub(super) fn withdraw_rehearsed(&mut self, table: TableId, name: &RowName) -> Result<(), TreatError> {
        let about = &self.planner.schema.tables[table];
        let (rehearsal, sql) = self.planner.rehearsal_of(table)?;
        let _ = rehearsal.attempt(&sql.delete(about, name))?;
        Ok(())
    }

    /// Gives up the rows whose unique key a stored row has.
    fn without_collisions(
        &mut self,
        table: TableId,
        rows: Vec<Returning>,
        given_up: &mut Vec<(Quarantined, Obstacle)>,
    ) -> Result<Vec<Returning>, TreatError> {
        let candidates: Vec<Option<Candidate<'_>>> =
            rows.iter().map(|row| Some(Candidate { image: &row.image, own: None, changed: None })).collect();
        let mut refused: Vec<Option<String>> = rows.iter().map(|_| None).collect();
        for (position, why) in self.planner.collisions(table, &candidates)? {
            refused[position].get_or_insert(why);
        }
        for (position, why, _) in self.planner.special_collisions(table, &candidates)? {
            refused[position].get_or_insert(why);
        }
        let mut free = Vec::new();
        for (row, refused) in rows.into_iter().zip(refused) {
            match refused {
                None => free.push(row),
                Some(why) => {
                    self.withdraw_rehearsed(table, &row.name)?;
                    given_up.push((row.row, Obstacle::Refused(why)));
                }
            }
        }
        Ok(free)
    }

    /// Returns for each row the first relation whose parent neither exists nor comes back.
    pub(super) fn missing_parents(
        &mut self,
        table: TableId,
        images: &[&Row],
    ) -> Result<Vec<Option<Blocked>>, TreatError> {
        let schema = self.planner.schema;
        let mut blocked: Vec<Option<Blocked>> = images.iter().map(|_| None).collect();
        let relations = self.planner.relations_from(table);
        for (_, relation) in relations.into_iter().filter(|(_, relation)| is_compared(relation)) {
            let has_parents = self.planner.have_parents(relation, images)?;
            for ((blocked, image), has_parent) in blocked.iter_mut().zip(images).zip(has_parents) {
                if has_parent || blocked.is_some() || self.needs_no_parent(relation, image) {
                    continue;
                }
                let (id, parent) = (relation.id.clone(), relation.parent.name.to_string());
                let obstacle = Obstacle::NoParent { relation: id, parent };
                *blocked = Some(Blocked { obstacle, key: image.key(schema.child_column_names(relation)) });
            }
        }
        Ok(blocked)
    }

    /// True if the row is its own parent, or if the configuration ignores its key.
    fn needs_no_parent(&self, relation: &Relation, image: &Row) -> bool {
        let schema = self.planner.schema;
        let key = image.key(schema.child_column_names(relation));
        let own = (relation.parent.table == Some(relation.child))
            .then(|| image.key(schema.parent_columns(relation).map(|column| column.name.as_str())))
            .flatten();
        let is_own = own.is_some() && own == key;
        is_own || key.is_some_and(|key| relation.scope.ignored.contains(&key))
    }

    /// Returns the name of a row in its table, if the table still has the columns of the row.
    pub(super) fn name_in(&self, about: &Table, row: &Quarantined) -> Result<RowName, Obstacle> {
        let is_stored = |name: &str| about.columns.iter().any(|column| column.name == name && !column.generated);
        if let Some(name) = row.image.columns().find(|name| !is_stored(name)) {
            return Err(Obstacle::NoColumn(name.to_owned()));
        }
        let mut name = RowName::new();
        for column in identity_columns(about) {
            match row.image.get(column).or_else(|| row.name.get(column)) {
                Some(value) => name.push(column, value.clone()),
                None => return Err(Obstacle::Unidentified),
            }
        }
        if name.is_empty() { Err(Obstacle::Unidentified) } else { Ok(name) }
    }
}

/// True if the engine compares the keys of the relation.
fn is_compared(relation: &Relation) -> bool {
    !matches!(relation.judge, Judge::Incomparable(_)) && !relation.parent.columns.is_empty()
}

/// True if a stored row has all values of a quarantined row.
fn holds(stored: &Row, image: &Row) -> bool {
    image.iter().all(|(column, value)| stored.get(column).is_some_and(|stored| stored.is_same(value)))
}

/// Returns the row as its table would store it, if all its values are as they were.
fn as_it_was(row: &Quarantined, stored: Stored) -> Result<Row, Obstacle> {
    let Stored::Row(stored) = stored else {
        return Err(Obstacle::Refused("the row would be stored under another primary key".to_owned()));
    };
    let is_altered =
        |(column, value): &(&str, &Value)| !stored.columns.get(column).is_some_and(|stored| stored.is_same(value));
    match row.image.iter().find(is_altered) {
        Some((column, _)) => Err(Obstacle::Altered(column.to_owned())),
        None => Ok(stored.columns),
    }
}
