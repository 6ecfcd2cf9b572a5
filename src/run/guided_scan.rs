//! Scans a database to see how it can be repaired: for suggested rules and for the guided repair.

use std::time::Duration;
use std::time::Instant;

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Environment;
use super::RunError;
use super::config_file;
use super::database;
use super::scan_run;
use crate::cli;
use crate::engine::Deadline;
use crate::engine::WaitLimits;
use crate::examine;
use crate::model::examination::Examination;
use crate::model::scan_run::ScanRun;
use crate::scan::Progress;
use crate::scan::ScanOptions;
use crate::source::Source;

pub(super) fn scan(
    source: &Source,
    typed: Option<&str>,
    timeout: Option<Duration>,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Examination, RunError> {
    let begun = Instant::now();
    let wait_limits = WaitLimits { lock_wait: DEFAULT_WAIT, deadline: Deadline::after(timeout) };
    let mut database = database::open(source, &wait_limits, environment)?;
    let config = config_file::read(source, global, environment)?;
    let schema = config.resolve(database.as_mut(), environment)?;
    let mut sessions = super::sessions(database.as_mut(), &schema, None, environment)?;
    let options = ScanOptions {
        samples: DEFAULT_SAMPLES,
        memory: DEFAULT_MEMORY,
        threads: environment.cores,
        progress,
        is_known: None,
    };
    let examination = examine::examine(schema, &mut sessions, &options);
    let run = scan_run::about(&examination, source, typed, global, sessions[0].as_mut());
    Ok(Examination { run: Some(ScanRun { elapsed: begun.elapsed(), ..run }), ..examination })
}
