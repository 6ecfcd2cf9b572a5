//! One case: an application writes between the commands of a repair, and the repair is killed and resumed. Each step is
//! judged, on SQLite and on servers.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use fastrand::Rng;

use super::common::Bench;
use super::common::Run;
use super::generated::Table;
use super::judge::Case;
use super::judge::Layout;
use super::judge::Orphan;
use super::judge::Planned;
use super::judge::Ran;
use super::judge::RowId;
use super::judge::State;
use super::judge::keys_of;

/// A database with an application that writes to it.
pub(crate) trait World {
    fn bench(&self) -> &Bench;

    /// The database as an argument of the command line.
    fn database(&self) -> String;

    /// The options of `apply` and `undo` for this engine.
    fn options(&self) -> &[&str];

    fn state(&self, layout: &Layout<'_>) -> State;

    /// Returns the whole content of the database.
    fn dump(&self) -> String;

    /// Runs a statement of the application, with or without foreign keys. Returns the error, if there is one.
    fn write(&self, sql: &str, enforced: bool) -> Option<String>;
}

/// Runs a command and kills it after a while, unless it ends earlier.
fn killed(bench: &Bench, arguments: &[&str], after: Duration) {
    let mut program = bench.start(arguments);
    std::thread::sleep(after);
    let _ = program.kill();
    program.wait().unwrap();
}

/// True if this version has the option `--skip-changed`.
pub(crate) fn knows_skip_changed() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| Bench::empty().run(&["apply", "--help"]).stdout.contains("--skip-changed"))
}

/// The state of one case.
pub(crate) struct Story<'s, W: World> {
    pub(crate) world: &'s W,
    pub(crate) random: Rng,
    pub(crate) case: Case<'s>,
    pub(crate) events: Vec<String>,
    pub(crate) skips_changed: bool,
    pub(crate) kills: usize,
    /// True if the application wrote something.
    pub(crate) is_disturbed: bool,
    pub(crate) applied: i32,
    pub(crate) undone: i32,
}

impl<'s, W: World> Story<'s, W> {
    pub(crate) fn new(
        world: &'s W,
        random: Rng,
        layout: &'s Layout<'s>,
        plan: &'s BTreeMap<RowId, Planned>,
        found: BTreeSet<Orphan>,
    ) -> Self {
        let case = Case { layout, plan, found, ours: BTreeSet::new(), faults: Vec::new() };
        let (events, kills) = (Vec::new(), 0);
        let (skips_changed, is_disturbed) = (knows_skip_changed(), false);
        Story { world, random, case, events, skips_changed, kills, is_disturbed, applied: 0, undone: 0 }
    }

    /// Runs apply, sometimes twice, and undo, while an application writes in between. `dump` is the state before the
    /// plan.
    pub(crate) fn go(&mut self, dump: &str) {
        if self.random.u8(0..4) > 0 {
            self.meddle();
        }
        self.applied = self.run("apply", true);
        if self.random.u8(0..4) == 0 {
            let healed = self.world.dump();
            self.run("apply", false);
            if [0, 6].contains(&self.applied) && self.world.dump() != healed && !self.is_disturbed {
                self.case.faults.push(("applied twice, it changed something", String::new()));
            }
        }
        if self.random.bool() {
            self.meddle();
        }
        let may_kill = self.random.u8(0..4) > 0;
        self.undone = self.run("undo", may_kill);
        if self.undone == 0 && !self.is_disturbed && self.world.dump() != dump {
            self.case.faults.push(("undo did not restore the database", self.world.dump()));
        }
    }

    fn meddle(&mut self) {
        let before = self.world.dump();
        for _ in 0..self.random.usize(1..5) {
            let now = self.world.state(self.case.layout);
            let Some(sql) = meddling(&mut self.random, self.case.layout, self.case.plan, &now) else { continue };
            let error = self.world.write(&sql, self.random.bool());
            self.events.push(format!(
                "the application: {sql}{}",
                error.map_or_else(String::new, |error| format!(" -- {error}"))
            ));
        }
        self.is_disturbed |= before != self.world.dump();
    }

    /// Runs `apply` or `undo`, sometimes killed and resumed, and judges each run. Returns the last exit code.
    fn run(&mut self, command: &str, may_kill: bool) -> i32 {
        let batch = *self.random.choice(&["1", "2", "3", "7"]).unwrap();
        let in_batches = self.random.bool();
        let skips = self.skips_changed && self.random.bool();
        let database = self.world.database();
        let mut arguments = vec![command, &database, "plan.ndjson"];
        arguments.extend(self.world.options());
        if in_batches {
            arguments.extend(["--batch", batch]);
        }
        arguments.extend(if skips { &["--skip-changed"][..] } else { &[] });
        arguments.extend(if command == "apply" { &["--leave-undecided"][..] } else { &[] });
        let kills = if may_kill && self.random.u8(0..3) == 0 { self.random.usize(1..3) } else { 0 };
        for _ in 0..kills {
            let (before, dump) = (self.world.state(self.case.layout), self.world.dump());
            killed(self.world.bench(), &arguments, Duration::from_micros(self.random.u64(500..40_000)));
            self.events.push(format!("{arguments:?}: killed"));
            self.judge(command, &before, &dump, None, (skips, in_batches));
            self.kills += 1;
            if self.random.bool() {
                self.meddle();
            }
        }
        let (before, dump) = (self.world.state(self.case.layout), self.world.dump());
        let run = self.world.bench().run(&arguments);
        self.events.push(format!("{arguments:?}: {}\n{}{}", run.code, run.stdout, run.stderr));
        self.judge(command, &before, &dump, Some(&run), (skips, in_batches));
        run.code
    }

    fn judge(
        &mut self,
        command: &str,
        before: &State,
        dump: &str,
        run: Option<&Run>,
        (skips_changed, in_batches): (bool, bool),
    ) {
        let after = self.world.state(self.case.layout);
        let dumps_differ = self.world.dump() != dump;
        let is_alone = !self.is_disturbed;
        let ran = Ran { before, after: &after, run, skips_changed, in_batches, is_alone, dumps_differ };
        match command {
            "apply" => self.case.judge_apply(&ran),
            _ => self.case.judge_undo(&ran),
        }
    }
}

/// Returns a random statement of the application; `None` if it has no row to work on.
pub(crate) fn meddling(
    random: &mut Rng,
    layout: &Layout<'_>,
    plan: &BTreeMap<RowId, Planned>,
    state: &State,
) -> Option<String> {
    let orphans: Vec<Orphan> = layout.orphans(state).into_iter().collect();
    let rows: Vec<&RowId> = state.keys().collect();
    let planned: Vec<&RowId> = plan.keys().filter(|id| state.contains_key(*id)).collect();
    let wanted = if random.u8(0..4) > 0 && !planned.is_empty() { &planned } else { &rows };
    let hit = random.choice(wanted).copied();
    let at = |id: &RowId| -> String {
        let table = layout.table(&id.0).unwrap();
        let key = table.key.iter().zip(&id.1).map(|(column, value)| format!("{column} = {value}"));
        key.collect::<Vec<_>>().join(" AND ")
    };
    match random.u8(0..10) {
        // Inserts a missing parent.
        0 | 1 => {
            let (relation, _, key) = random.choice(&orphans)?;
            let relation = &layout.relations[*relation];
            let given = relation.parent_columns.iter().cloned().zip(key.iter().cloned()).collect();
            Some(insertion(random, layout, layout.table(&relation.parent)?, &given))
        }
        // Inserts the placeholder itself, or another row with its key.
        2 => {
            let made: Vec<(&RowId, &Planned)> = plan.iter().filter(|(_, planned)| planned.before.is_none()).collect();
            let (id, planned) = random.choice(&made)?;
            let table = layout.table(&id.0)?;
            let given: BTreeMap<String, String> = if random.bool() {
                planned
                    .after
                    .iter()
                    .flatten()
                    .filter_map(|(column, value)| Some((column.clone(), value.clone()?)))
                    .collect()
            } else {
                table.key.iter().map(|column| (*column).to_owned()).zip(id.1.iter().cloned()).collect()
            };
            let columns: Vec<&str> = given.keys().map(String::as_str).collect();
            let values: Vec<&str> = given.values().map(String::as_str).collect();
            Some(format!("INSERT INTO {}({}) VALUES ({})", table.name, columns.join(", "), values.join(", ")))
        }
        // Deletes a child or a parent.
        3 | 4 => {
            let id = hit?;
            Some(format!("DELETE FROM {} WHERE {}", id.0, at(id)))
        }
        // Changes a reference.
        5 => {
            let id = hit?;
            let table = layout.table(&id.0)?;
            let (columns, ..) = random.choice(&table.references)?;
            let column = random.choice(columns)?;
            let number = random.u8(1..9);
            let value = if random.bool() { "NULL".to_owned() } else { layout.literals.number(table, column, number) };
            Some(format!("UPDATE {} SET {column} = {value} WHERE {}", id.0, at(id)))
        }
        // Changes another column of a row.
        6 => {
            let id = hit?;
            let set = if random.bool() { format!("label = 'x{}'", random.u8(..)) } else { "n = 1".to_owned() };
            Some(format!("UPDATE {} SET {set} WHERE {}", id.0, at(id)))
        }
        // Inserts a child of a missing key, or of a row that the plan deletes or inserts.
        7 | 8 => {
            let relation = random.choice(&layout.relations)?;
            let missing = orphans.iter().filter(|(of, ..)| layout.relations[*of].id == relation.id);
            let there = keys_of(state, &relation.parent, &relation.parent_columns);
            let there = there.into_iter().filter(|(id, _)| plan.contains_key(*id)).map(|(_, key)| key);
            let keys: Vec<Vec<String>> = missing.map(|(_, _, key)| key.clone()).chain(there).collect();
            let key = random.choice(&keys)?;
            let given = relation.columns.iter().cloned().zip(key.iter().cloned()).collect();
            Some(insertion(random, layout, layout.table(&relation.child)?, &given))
        }
        // Advances a counter.
        _ => {
            let table = layout.made.tables.iter().find(|table| table.columns[0].contains("AUTOINCREMENT"))?;
            let number = layout.literals.number(table, "id", random.u8(20..40));
            let given = [("id".to_owned(), number)].into();
            let insertion = insertion(random, layout, table, &given);
            let name = &table.name;
            let number = &given["id"];
            Some(if random.bool() { insertion } else { format!("{insertion}; DELETE FROM {name} WHERE id = {number}") })
        }
    }
}

/// Returns an INSERT of a row with these values, and any others.
fn insertion(random: &mut Rng, layout: &Layout<'_>, table: &Table, given: &BTreeMap<String, String>) -> String {
    let columns = Layout::columns(table);
    let value = |column: &String| match (given.get(column), column.as_str()) {
        (Some(value), _) => value.clone(),
        (None, "label") => format!("'m{}'", random.u8(..)),
        (None, "n") => layout.literals.number(table, "n", random.u8(0..4)),
        (None, "id" | "a" | "b") => layout.literals.number(table, column, random.u8(1..15)),
        _ if random.u8(0..3) > 0 => "NULL".to_owned(),
        _ => layout.literals.number(table, column, random.u8(1..9)),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    format!("INSERT INTO {}({}) VALUES ({})", table.name, columns.join(", "), values.join(", "))
}

/// The faults of many cases, by their names.
#[derive(Default)]
pub(crate) struct Tally {
    by_name: BTreeMap<&'static str, (usize, Vec<u64>, String)>,
}

impl Tally {
    /// Adds a fault. The context of its first case is kept.
    pub(crate) fn add(&mut self, number: u64, faults: Vec<(&'static str, String)>, context: impl Fn() -> String) {
        for (name, shown) in faults {
            let entry = self.by_name.entry(name).or_default();
            entry.0 += 1;
            if entry.1.last() != Some(&number) {
                entry.1.push(number);
            }
            if entry.2.is_empty() {
                entry.2 = format!("{shown}\n{}", context());
            }
        }
    }

    pub(crate) fn assert_none(&self) {
        let shown = self.by_name.iter().map(|(name, (count, cases, first))| {
            let cases: Vec<String> = cases.iter().take(12).map(u64::to_string).collect();
            format!("--- {name}: {count} times, cases {}\n{first}\n", cases.join(" "))
        });
        let shown: String = shown.collect();
        let names: String = self.by_name.iter().map(|(name, (count, ..))| format!("{count:6}  {name}\n")).collect();
        assert!(self.by_name.is_empty(), "{shown}\n{names}");
    }
}
