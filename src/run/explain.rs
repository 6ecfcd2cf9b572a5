//! `explain`: why statements fail, and which rows they would change. It tries them in a copy of the database, or in a
//! transaction that it rolls back.

use std::io::IsTerminal;
use std::io::Read;
use std::path::Path;

use super::Environment;
use super::Outcome;
use super::RunError;
use super::command_setup::CommandSetup;
use super::database;
use crate::cli;
use crate::engine::Trial;
use crate::exit::Exit;
use crate::explain;
use crate::explain::ExplainOptions;
use crate::explain::error_text;
use crate::explain::error_text::ReportedError;
use crate::model::explanation::Explanation;
use crate::model::explanation::StatementVerdict;
use crate::model::facts::TrialKind;
use crate::model::progress::ProgressStep;
use crate::model::progress::RunPhase;
use crate::model::resolve;
use crate::model::statement::Statement;
use crate::model::text::io_reason;
use crate::model::value::Value;
use crate::report;
use crate::scan::Progress;
use crate::source::Source;
use crate::sql::read::statements;

/// The longest text that is read as statements, in bytes.
const LONGEST_TEXT: u64 = 64 * 1024 * 1024;

pub fn explain(
    typed: &cli::ExplainArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let (database, statement) = split_arguments(typed, environment);
    let setup = CommandSetup::new(&database, &typed.answer, global, environment)?;
    let request = request(typed, statement)?;
    let trial_options = setup.trial_options(&typed.trial, ("explain", "the statements"), environment)?;
    let mut database = database::open(&setup.source, &setup.wait_limits, environment)?;
    let address = setup.source.to_string();
    let options = ExplainOptions { database: &address, samples: setup.samples, redaction: &setup.redaction };
    let copied = |pages: usize, all: usize| progress(&ProgressStep::of(RunPhase::CopyDatabase, pages, all));
    let explanation = match request {
        Request::Statements(text, parameters) => {
            let mut trial = database.trial(&trial_options, &copied)?;
            // Configured relations concern only the scan. Here the engine decides.
            let schema = resolve::resolve(trial.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
            let statements = statements::statements(schema.database.engine, &text);
            let with_parameters = |statement| Statement { parameters: parameters.clone(), ..statement };
            let statements = statements.into_iter().map(with_parameters).collect();
            explain::explain(trial.as_mut(), schema, statements, &options)?
        }
        Request::Errors(reported_errors) => {
            let schema = resolve::resolve(database.catalog()?, &[]).map_err(|_| RunError::unresolved())?;
            let mut trial = match schema.database.engine.facts().trial {
                TrialKind::Copy => Some(database.trial(&trial_options, &copied)?),
                TrialKind::OnServer => None,
            };
            let mut session = database.session()?;
            let trial = trial.as_mut().map(|trial| trial.as_mut() as &mut dyn Trial);
            explain::explain_errors(trial, session.as_mut(), schema, &reported_errors, &options)?
        }
    };
    let exit = exit(&explanation);
    Ok(setup.outcome(exit, environment, |format, terminal| report::explanation(&explanation, format, terminal)))
}

/// Returns the database and the statement. If `DATABASE_URL` is set, a single argument is the statement.
fn split_arguments(typed: &cli::ExplainArgs, environment: &Environment) -> (Option<String>, Option<String>) {
    // `host=localhost dbname=shop` has a space too.
    let is_server = |text: &str| Source::parse(text).is_ok_and(|source| source.file().is_none());
    let is_statement = |text: &str| text.contains(char::is_whitespace) && !Path::new(text).exists() && !is_server(text);
    match (&typed.database, &typed.statement) {
        (Some(only), None) if environment.database_url.is_some() && is_statement(only) => (None, Some(only.clone())),
        (database, statement) => (database.clone(), statement.clone()),
    }
}

enum Request {
    /// The text of the statements, and a value for each placeholder.
    Statements(String, Vec<Value>),
    Errors(Vec<ReportedError>),
}

fn request(typed: &cli::ExplainArgs, statement: Option<String>) -> Result<Request, RunError> {
    let Some(error) = &typed.error else {
        let parameters: Vec<Value> = typed.param.iter().map(|text| literal(text)).collect();
        return Ok(Request::Statements(statements(statement, typed.file.as_deref())?, parameters));
    };
    let text = if error == "-" { text_of(Ok(std::io::stdin()), "standard input")? } else { error.clone() };
    let reported_errors = error_text::reported_errors(&text);
    if reported_errors.is_empty() {
        return Err(RunError::Input {
            what: "the error".to_owned(),
            why: "no error about a foreign key was found in the text".to_owned(),
            help: "give the whole message with its details, or a log on standard input: --error -".to_owned(),
        });
    }
    Ok(Request::Errors(reported_errors))
}

fn statements(typed: Option<String>, file: Option<&Path>) -> Result<String, RunError> {
    let text = match (typed, file) {
        (Some(text), _) if text != "-" => text,
        (None, Some(path)) if path != Path::new("-") => {
            text_of(std::fs::File::open(path), &path.display().to_string())?
        }
        (None, None) if std::io::stdin().is_terminal() => {
            return Err(RunError::Input {
                what: "a statement".to_owned(),
                why: "none was given".to_owned(),
                help: "write it after the database, or name a file with --file, or pipe it in".to_owned(),
            });
        }
        _ => text_of(Ok(std::io::stdin()), "standard input")?,
    };
    // SQLite would ignore the text after a NUL.
    if text.contains('\0') {
        return Err(RunError::Input {
            what: "the statements".to_owned(),
            why: "the text contains a NUL character".to_owned(),
            help: "remove it: an engine would ignore the text after it".to_owned(),
        });
    }
    Ok(text)
}

fn text_of<R: Read>(opened: std::io::Result<R>, name: &str) -> Result<String, RunError> {
    let unreadable = |why: String| RunError::Input {
        what: name.to_owned(),
        why,
        help: "give a text file of SQL statements in UTF-8".to_owned(),
    };
    let mut text = String::new();
    let mut reader = opened.map_err(|error| unreadable(io_reason(&error)))?.take(LONGEST_TEXT + 1);
    reader.read_to_string(&mut text).map_err(|error| unreadable(io_reason(&error)))?;
    if text.len() as u64 > LONGEST_TEXT {
        return Err(unreadable("it is longer than 64 MiB".to_owned()));
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Returns the value of a parameter: a number, `NULL`, `x'00ff'`, or text. In quotes it is always text.
fn literal(text: &str) -> Value {
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(inner) = quoted('\'').or_else(|| quoted('"')) {
        return Value::text(inner.replace("''", "'"));
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    let blob =
        text.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.strip_suffix('\''));
    if let Some(digits) = blob.filter(|digits| digits.len() % 2 == 0 && digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        let byte = |index: usize| u8::from_str_radix(&digits[index..index + 2], 16).unwrap_or(0);
        return Value::Blob((0..digits.len()).step_by(2).map(byte).collect());
    }
    let number = || text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::Integer(whole),
        (_, Ok(real)) if number() => Value::Real(real),
        _ => Value::text(text),
    }
}

fn exit(explanation: &Explanation) -> Exit {
    let forbidden = |verdict: &StatementVerdict| matches!(verdict, StatementVerdict::Forbidden(_));
    if explanation.statements.iter().any(|explained| forbidden(&explained.verdict)) {
        Exit::Refused
    } else if explanation.statements.iter().all(|explained| explained.is_fine()) {
        Exit::Clean
    } else {
        Exit::Findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_has_the_class_of_its_literal() {
        for (text, value) in [
            ("22", Value::Integer(22)),
            ("-1.5", Value::Real(-1.5)),
            ("null", Value::Null),
            ("'22'", Value::text("22")),
            ("it's", Value::text("it's")),
            ("x'00fF'", Value::Blob(vec![0, 255])),
            ("x'0'", Value::text("x'0'")),
            ("inf", Value::text("inf")),
        ] {
            assert_eq!(literal(text), value, "{text}");
        }
    }
}
