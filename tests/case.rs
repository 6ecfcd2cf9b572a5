//! Reads `fixtures/NAME/case.toml`: the engines of a case, its steps, and the files that belong to it.
//!
//! `CONTRIBUTING.md` shows how to write one. `case_run.rs` runs the steps.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;
use toml::de::DeValue;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    Mariadb,
    Mysql,
}

impl Engine {
    pub(crate) const ALL: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::Mariadb, Engine::Mysql];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
            Engine::Mariadb => "mariadb",
            Engine::Mysql => "mysql",
        }
    }

    /// Engines whose files this engine may use, its own first. MariaDB and MySQL share their files.
    pub(crate) fn family(self) -> &'static [Engine] {
        match self {
            Engine::Sqlite => &[Engine::Sqlite],
            Engine::Postgres => &[Engine::Postgres],
            Engine::Mariadb => &[Engine::Mariadb, Engine::Mysql],
            Engine::Mysql => &[Engine::Mysql, Engine::Mariadb],
        }
    }
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// The engines, in the order in which the case names them.
    pub(crate) engines: Vec<Engine>,
    pub(crate) steps: Vec<Step>,
    /// Files that lie beside the database while the steps run: rules, a configuration, a statement.
    pub(crate) files: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: Action,
    pub(crate) exit: i32,
    /// True if the command may write to a database.
    pub(crate) writes: bool,
    /// True if the step must change the database, false if it must not.
    pub(crate) changes: bool,
    /// The step before which the database had the content that it must have after this step.
    pub(crate) restores: Option<String>,
    /// Files that the step writes. Each is compared with its expected file.
    pub(crate) files: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Action {
    /// The arguments of the program; the output is compared with `expected/NAME.EXTENSION`.
    Run { words: Vec<String>, extension: &'static str },
    /// Statements of the application, run while no foreign key is enforced.
    Sql(String),
    /// A query with one column of text, compared with `expected/NAME.txt`.
    Query(String),
}

impl Step {
    /// Returns the name of the expected file for standard output, or for the rows of a query.
    pub(crate) fn output(&self) -> Option<String> {
        match &self.action {
            Action::Run { extension, .. } => Some(format!("{}.{extension}", self.name)),
            Action::Query(_) => Some(format!("{}.txt", self.name)),
            Action::Sql(_) => None,
        }
    }

    /// Returns the name of the expected file for standard error. Without this file the step must print nothing there.
    pub(crate) fn errors(&self) -> Option<String> {
        match &self.action {
            Action::Run { extension, .. } if *extension == "txt" => Some(format!("{}.stderr", self.name)),
            Action::Run { extension, .. } => Some(format!("{}.{extension}.stderr", self.name)),
            Action::Sql(_) | Action::Query(_) => None,
        }
    }

    pub(crate) fn words(&self) -> &[String] {
        match &self.action {
            Action::Run { words, .. } => words,
            Action::Sql(_) | Action::Query(_) => &[],
        }
    }
}

/// Returns every case of the folder `fixtures`, and a message for each case that cannot be read.
pub(crate) fn all() -> (Vec<Case>, Vec<String>) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for folder in folders {
        match Case::read(&folder) {
            Ok(case) => cases.push(case),
            Err(fault) => wrong.push(format!("{}: {fault}", folder.display())),
        }
    }
    (cases, wrong)
}

/// Returns the cases that `CASE=NAME` selects, or all of them.
pub(crate) fn selected() -> Vec<Case> {
    let (cases, wrong) = all();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let Ok(name) = std::env::var("CASE") else { return cases };
    let selected: Vec<Case> = cases.into_iter().filter(|case| case.name == name).collect();
    assert!(!selected.is_empty(), "there is no folder fixtures/{name}");
    selected
}

impl Case {
    pub(crate) fn read(folder: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(folder.join("case.toml")).map_err(|error| format!("case.toml: {error}"))?;
        let document = DeTable::parse(&text).map_err(|error| error.to_string())?;
        let table = document.get_ref();
        only_keys(table, KEYS[0])?;
        let engines = match strings(table, "engines")? {
            Some(names) => names.iter().map(|name| engine(name)).collect::<Result<_, _>>()?,
            None => vec![Engine::Sqlite],
        };
        if engines.is_empty() {
            return Err("`engines` names no engine".to_owned());
        }
        let Some(DeValue::Array(written)) = table.get("step").map(|value| value.get_ref()) else {
            return Err("the case has no [[step]]".to_owned());
        };
        let mut steps = Vec::new();
        for (index, step) in written.iter().enumerate() {
            let DeValue::Table(step) = step.get_ref() else { return Err("`step` is not a table".to_owned()) };
            steps.extend(read_step(step, &steps).map_err(|fault| format!("step {}: {fault}", index + 1))?);
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut case = Case { name, folder: folder.to_owned(), engines, steps, files: Vec::new() };
        case.find_files()?;
        case.expected_files_are_named()?;
        Ok(case)
    }

    /// Returns the statements that create the database of an engine.
    pub(crate) fn seed(&self, engine: Engine) -> String {
        let path = self.seed_path(engine).unwrap();
        std::fs::read_to_string(self.folder.join(path)).unwrap()
    }

    fn seed_path(&self, engine: Engine) -> Option<String> {
        let own = engine.family().iter().map(|engine| format!("{}.sql", engine.name()));
        own.chain(["seed.sql".to_owned()]).find(|name| self.folder.join(name).is_file())
    }

    /// Returns the possible paths of an expected file, the most specific first.
    pub(crate) fn expected(&self, engine: Engine, file: &str) -> Vec<PathBuf> {
        let folder = self.folder.join("expected");
        let own = engine.family().iter().map(|engine| folder.join(engine.name()).join(file));
        own.chain([folder.join(file)]).collect()
    }

    /// Sorts the files of the folder into seeds and files for the steps. An unused file is an error.
    fn find_files(&mut self) -> Result<(), String> {
        let mut seeds = BTreeSet::new();
        for engine in &self.engines {
            let seed = self.seed_path(*engine);
            seeds.insert(seed.ok_or_else(|| format!("there is no seed.sql or {}.sql", engine.name()))?);
        }
        for file in names(&self.folder) {
            if file == "case.toml" || file == "expected" || seeds.contains(&file) {
                continue;
            }
            let is_seed =
                file == "seed.sql" || Engine::ALL.iter().any(|engine| file == format!("{}.sql", engine.name()));
            let is_named = self.steps.iter().flat_map(Step::words).any(|word| word.contains(&file));
            if is_seed || !(is_named || file == "fk-doctor.toml") {
                return Err(format!("no engine and no step of the case uses {file}"));
            }
            self.files.push(file);
        }
        Ok(())
    }

    fn expected_files_are_named(&self) -> Result<(), String> {
        let mut named = BTreeSet::new();
        for step in &self.steps {
            for file in step.output().into_iter().chain(step.errors()).chain(step.files.iter().cloned()) {
                if !named.insert(file.clone()) {
                    return Err(format!("two steps have the expected file {file}: give one of them a `name`"));
                }
            }
        }
        let expected = self.folder.join("expected");
        for file in names(&expected) {
            let engine = self.engines.iter().flat_map(|engine| engine.family()).find(|engine| engine.name() == file);
            let within = if engine.is_some() { names(&expected.join(&file)) } else { vec![file.clone()] };
            if let Some(stray) = within.iter().find(|file| !named.contains(*file)) {
                return Err(format!("no step names the expected file {stray}"));
            }
        }
        Ok(())
    }
}

/// Returns the sorted names in a folder, and none if the folder does not exist.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn engine(name: &str) -> Result<Engine, String> {
    let known = Engine::ALL.map(Engine::name).join(", ");
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == name);
    engine.ok_or_else(|| format!("there is no engine `{name}`; the engines are {known}"))
}

/// The keys of a case, of a step that runs the program, of one that runs statements, and of one that asks a query.
pub(crate) const KEYS: [&[&str]; 4] = [
    &["engines", "step"],
    &["run", "name", "exit", "formats", "files", "changes", "restores"],
    &["sql", "name"],
    &["query", "name"],
];

/// Commands that never write to a database.
const READING: [&str; 8] = ["scan", "schema", "check", "explain", "discover", "rules", "status", "code"];

/// Reads a step. Returns it once for each of its formats.
fn read_step(table: &DeTable<'_>, before: &[Step]) -> Result<Vec<Step>, String> {
    let of_every_action = ["run", "sql", "query"];
    let given: Vec<&str> = of_every_action.into_iter().filter(|key| table.contains_key(*key)).collect();
    let [action] = given[..] else { return Err("a step has one of the keys `run`, `sql` and `query`".to_owned()) };
    match action {
        "run" => only_keys(table, KEYS[1])?,
        "sql" => only_keys(table, KEYS[2])?,
        _ => only_keys(table, KEYS[3])?,
    }
    let text = string(table, action)?.unwrap_or_default();
    let name = string(table, "name")?;
    let step = |name: &str, action, changes| Step {
        name: name.to_owned(),
        action,
        exit: 0,
        writes: false,
        changes,
        restores: None,
        files: Vec::new(),
    };
    match action {
        "sql" => return Ok(vec![step(name.as_deref().unwrap_or("sql"), Action::Sql(text), true)]),
        "query" => return Ok(vec![step(name.as_deref().unwrap_or("query"), Action::Query(text), false)]),
        _ => {}
    }
    let words = split(&text)?;
    let Some(command) = words.first() else { return Err("`run` is empty".to_owned()) };
    let exit = number(table, "exit")?.unwrap_or(0);
    let is_dry = command == "repair" && !words.iter().any(|word| word == "--apply");
    let writes = !is_dry && !READING.contains(&command.as_str());
    let changes = flag(table, "changes")?.unwrap_or(writes && [0, 6].contains(&exit));
    let restores = string(table, "restores")?;
    if let Some(unknown) = restores.as_ref().filter(|name| !before.iter().any(|step| step.name == **name)) {
        return Err(format!("`restores`: no step before this one is called `{unknown}`"));
    }
    let files = strings(table, "files")?.unwrap_or_default();
    let formats = strings(table, "formats")?.unwrap_or_else(|| vec!["table".to_owned()]);
    if formats.is_empty() {
        return Err("`formats` names no format".to_owned());
    }
    let mut steps = Vec::new();
    for format in formats {
        let mut words = words.clone();
        // The program prints a table by default.
        if format != "table" {
            words.extend(["--format".to_owned(), format.clone()]);
        }
        let action = Action::Run { words, extension: extension(&format)? };
        let files = files.clone();
        let name = name.clone().unwrap_or_else(|| command.clone());
        steps.push(Step { name, action, exit, writes, changes, restores: restores.clone(), files });
    }
    Ok(steps)
}

fn extension(format: &str) -> Result<&'static str, String> {
    Ok(match format {
        "table" => "txt",
        "json" => "json",
        "ndjson" => "ndjson",
        "mermaid" => "mmd",
        "dbml" => "dbml",
        "dbt" => "yml",
        "dot" => "dot",
        "sql" => "sql",
        "csv" => "csv",
        "markdown" => "md",
        "junit" => "xml",
        "sarif" => "sarif",
        "github" => "github",
        "html" => "html",
        "openmetrics" => "prom",
        _ => {
            return Err(format!(
                "no extension of an expected file is known for the format `{format}`: add it to tests/case.rs"
            ));
        }
    })
}

/// Splits a command line at its spaces, as a shell does. A text in '…' or "…" is one word.
fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '\'' || letter == '"' => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("`run`: a quote is not closed".to_owned()) } else { Ok(words) }
}

fn only_keys(table: &DeTable<'_>, known: &[&str]) -> Result<(), String> {
    let unknown = table.keys().map(|key| key.get_ref()).find(|key| !known.contains(&key.as_ref()));
    unknown.map_or(Ok(()), |key| Err(format!("unknown key `{key}`; the keys here are {}", known.join(", "))))
}

fn string(table: &DeTable<'_>, key: &str) -> Result<Option<String>, String> {
    match table.get(key).map(|value| value.get_ref()) {
        None => Ok(None),
        Some(DeValue::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(format!("`{key}` is not a string")),
    }
}

fn strings(table: &DeTable<'_>, key: &str) -> Result<Option<Vec<String>>, String> {
    let fault = || format!("`{key}` is not a list of strings");
    let Some(value) = table.get(key) else { return Ok(None) };
    let DeValue::Array(values) = value.get_ref() else { return Err(fault()) };
    let texts = values.iter().map(|value| match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(fault()),
    });
    texts.collect::<Result<_, _>>().map(Some)
}

fn number(table: &DeTable<'_>, key: &str) -> Result<Option<i32>, String> {
    match table.get(key).map(|value| value.get_ref()) {
        None => Ok(None),
        Some(DeValue::Integer(number)) => {
            number.as_str().parse().map(Some).map_err(|_| format!("`{key}` is too large"))
        }
        Some(_) => Err(format!("`{key}` is not a number")),
    }
}

fn flag(table: &DeTable<'_>, key: &str) -> Result<Option<bool>, String> {
    match table.get(key).map(|value| value.get_ref()) {
        None => Ok(None),
        Some(DeValue::Boolean(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("`{key}` is not true or false")),
    }
}
