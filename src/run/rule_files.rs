//! Reads rule files and the rules that come with the program. Every fault is shown with file, line and caret.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::RunError;
use crate::config;
use crate::config::rules;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::ids::IdVec;
use crate::model::ids::RuleId;
use crate::model::plan::RuleDigest;
use crate::model::rule::KeyMap;
use crate::model::rule::Remap;
use crate::model::rule::RemapHow;
use crate::model::rule::Repoint;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::rule::Treatment;
use crate::model::rule::TwinSource;
use crate::model::text::io_reason;
use crate::plan_file;

/// The rules that come with the program: name and text.
pub(super) const SHIPPED: [(&str, &str); 6] = [
    ("follow-declared", include_str!("../../rules/follow-declared.toml")),
    ("media-sources", include_str!("../../rules/media-sources.toml")),
    ("multi-source-sync", include_str!("../../rules/multi-source-sync.toml")),
    ("near-misses", include_str!("../../rules/near-misses.toml")),
    ("placeholders", include_str!("../../rules/placeholders.toml")),
    ("video-upscales", include_str!("../../rules/video-upscales.toml")),
];

/// Returns the rules that come with the program, each with its name.
pub(super) fn shipped() -> Vec<(&'static str, Rule)> {
    let rules = SHIPPED.iter().flat_map(|(name, text)| {
        let rules = rules::parse(text).unwrap_or_default();
        rules.into_iter().map(|rule| (*name, rule))
    });
    rules.collect()
}

/// The rules, and the texts that their faults point into.
#[derive(Default)]
pub(super) struct RuleFiles {
    files: Vec<RuleFile>,
    pub(super) rules: Rules,
    /// The position of each rule's file in `files`.
    file_of: IdVec<RuleId, usize>,
}

/// The text that rules were read from: a file, or an option.
struct RuleFile {
    shown: String,
    text: String,
    digest: String,
}

/// A rule that was typed as an option.
pub(super) struct TypedRule {
    pub(super) option: String,
    /// The text that faults point into.
    pub(super) text: String,
    /// The option with everything that the rule depends on, for the digest in a plan.
    pub(super) command: String,
    pub(super) rule: Result<Rule, Vec<Fault>>,
}

/// Reads all rules. The error has the faults of all files.
pub(super) fn read(paths: &[PathBuf], environment: &Environment) -> Result<RuleFiles, RunError> {
    read_with(paths, Vec::new(), environment)
}

/// Reads all rules, and adds those that were typed as options.
pub(super) fn read_with(
    paths: &[PathBuf],
    typed: Vec<TypedRule>,
    environment: &Environment,
) -> Result<RuleFiles, RunError> {
    let mut reading = Reading::default();
    for (path, text) in texts(paths)? {
        let shown = path.strip_prefix(&environment.directory).unwrap_or(&path).display().to_string();
        let digest = plan_file::digest([text.as_bytes()]);
        let parsed = rules::parse(&text);
        reading.add(RuleFile { shown, text, digest }, &path, parsed);
    }
    for typed in typed {
        let digest = plan_file::digest([typed.command.as_bytes()]);
        let file = RuleFile { shown: typed.option, text: typed.text, digest };
        reading.add(file, Path::new(""), typed.rule.map(|rule| vec![rule]));
    }
    let Reading { read, faults } = reading;
    if faults.is_empty() { Ok(read) } else { Err(read.render(&faults, environment)) }
}

#[derive(Default)]
struct Reading {
    read: RuleFiles,
    /// Each fault with the position of its file.
    faults: Vec<(usize, Fault)>,
}

impl Reading {
    fn add(&mut self, file: RuleFile, path: &Path, parsed: Result<Vec<Rule>, Vec<Fault>>) {
        let number = self.read.files.len();
        self.read.files.push(file);
        let rules = match parsed {
            Ok(rules) => rules,
            Err(found) => {
                self.faults.extend(found.into_iter().map(|fault| (number, fault)));
                return;
            }
        };
        for mut rule in rules {
            self.faults.extend(load_maps(&mut rule, path).into_iter().map(|fault| (number, fault)));
            if let Some(first) = self.read.rules.position(|other| other.id.value == rule.id.value) {
                let used_in = &self.read.files[self.read.file_of[first]].shown;
                let message = format!("the id `{}` is already used in {used_in}", rule.id.value);
                let help = Some("give each rule a different id".to_owned());
                self.faults.push((number, Fault { span: rule.id.span.clone(), message, help }));
            }
            self.read.rules.push(rule);
            self.read.file_of.push(number);
        }
    }
}

impl RuleFiles {
    /// Returns the error for faults that were found later, each with its rule.
    pub(super) fn faulty(&self, faults: &[(RuleId, Fault)], environment: &Environment) -> RunError {
        let by_file: Vec<(usize, Fault)> =
            faults.iter().map(|(rule, fault)| (self.file_of[*rule], fault.clone())).collect();
        self.render(&by_file, environment)
    }

    /// Returns the file and the line of each rule by its id, such as `rules.toml:14`. A rule that was typed has none.
    pub(super) fn locations(&self) -> BTreeMap<String, String> {
        let rules = self.rules.iter().zip(&self.file_of).map(|(rule, file)| (rule, &self.files[*file]));
        let in_files = rules.filter(|(_, file)| !file.shown.starts_with("--"));
        let location = |(rule, file): (&Rule, &RuleFile)| {
            let line = config::fault::line_number(&file.text, rule.id.span.start);
            (rule.id.value.clone(), format!("{}:{line}", file.shown))
        };
        in_files.map(location).collect()
    }

    pub(super) fn digests(&self) -> Vec<RuleDigest> {
        let digest = |file: &usize| self.files[*file].digest.clone();
        let rules = self.rules.iter().zip(&self.file_of);
        rules.map(|(rule, file)| RuleDigest { id: rule.id.value.clone(), digest: digest(file) }).collect()
    }

    fn render(&self, faults: &[(usize, Fault)], environment: &Environment) -> RunError {
        let mut rendered = String::new();
        for (position, file) in self.files.iter().enumerate() {
            let own: Vec<Fault> =
                faults.iter().filter(|(of, _)| *of == position).map(|(_, fault)| fault.clone()).collect();
            if !own.is_empty() {
                rendered.push_str(&config::fault::render(&own, &file.text, &file.shown, environment.terminal.color));
            }
        }
        RunError::Config { rendered }
    }
}

/// Returns each file with its text. A folder stands for its `.toml` files, in order of name.
fn texts(paths: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, RunError> {
    let mut texts = Vec::new();
    for path in paths {
        let unreadable =
            |path: &Path, error: &std::io::Error| RunError::Rules { path: path.to_owned(), why: io_reason(error) };
        let shipped = path.to_str().and_then(|name| SHIPPED.iter().find(|(known, _)| *known == name));
        if let (Some((name, text)), false) = (shipped, path.exists()) {
            texts.push((PathBuf::from(format!("rules/{name}.toml")), (*text).to_owned()));
        } else if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
            let mut files: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
                .collect();
            files.sort();
            if files.is_empty() {
                return Err(RunError::Rules {
                    path: path.clone(),
                    why: "there is no .toml file in this folder".to_owned(),
                });
            }
            for file in files {
                let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
                texts.push((file, text));
            }
        } else {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            texts.push((path.clone(), text));
        }
    }
    Ok(texts)
}

/// Reads the CSV files of a rule, relative to the rule's file.
fn load_maps(rule: &mut Rule, path: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    for treatment in &mut rule.treatments {
        let map = match &mut treatment.value {
            Treatment::Remap(Remap { how: Spanned { value: RemapHow::File(map), span }, .. }) => Some((map, span)),
            Treatment::Repoint(Repoint { twins: Spanned { value: TwinSource::File(map), span }, .. }) => {
                Some((map, span))
            }
            _ => None,
        };
        if let Some((map, span)) = map {
            let file = path.parent().unwrap_or(Path::new(".")).join(&map.file);
            if let Err(why) = load_map(map, &file) {
                let help = "give a CSV file with a header line: the columns of the old key, then those of the new key"
                    .to_owned();
                faults.push(Fault { span: span.clone(), message: format!("`map`: {why}"), help: Some(help) });
            }
        }
    }
    faults
}

/// Reads the CSV file of a map. The error is a message.
fn load_map(map: &mut KeyMap, file: &Path) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::None)
        .from_path(file)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    for record in reader.records() {
        let record = record.map_err(|error| format!("{}: {error}", file.display()))?;
        let fields: Vec<String> = record.iter().map(str::to_owned).collect();
        if !fields.len().is_multiple_of(2) || fields.is_empty() {
            return Err(format!(
                "{} has {} columns, but half of them must be the new key",
                file.display(),
                fields.len()
            ));
        }
        let (old, new) = fields.split_at(fields.len() / 2);
        let line = record.position().map_or(0, csv::Position::line);
        if map.entries.insert(old.to_vec(), new.to_vec()).is_some_and(|other| other != new) {
            return Err(format!("line {line} of {} gives a second new key for {}", file.display(), old.join(", ")));
        }
    }
    Ok(())
}
