//! The table of the statements that each engine has.
//!
//! The match is exhaustive: a new engine does not compile until it names its capabilities. An engine whose SQL only
//! reads has a [`Scan`] and nothing else, so no code can ask it for a statement that writes.

use std::sync::Arc;

use crate::model::catalog::Engine;
use crate::sql::batch::Batch;
use crate::sql::grammar::mysql::MARIADB;
use crate::sql::grammar::mysql::MYSQL;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::grammar::spark::Spark;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::load::TreatableLoad;
use crate::sql::recorder::Recorder;
use crate::sql::repair::Repair;
use crate::sql::scan::Scan;
use crate::sql::scratch::Scratch;
use crate::sql::sqlite::load::CopyLoad;
use crate::sql::sqlite::recorder::TriggerRecorder;

/// The statements of one engine.
pub(super) struct Capabilities {
    pub(super) scan: &'static dyn Scan,
    pub(super) repair: Option<&'static dyn Repair>,
    /// Changes all rows of a group in one statement.
    pub(super) batch: Option<&'static dyn Batch>,
    pub(super) load: Option<LoadedInto>,
    /// Forecasts what a statement would do, without running it.
    pub(super) forecast: Option<&'static dyn Scratch>,
    /// Records the changes that a statement makes in the trial of a file.
    pub(super) recorder: Option<fn() -> Arc<dyn Recorder>>,
}

/// The tables into which a check loads rows.
#[derive(Clone, Copy)]
pub(super) enum LoadedInto {
    /// The tables of the trial of a file.
    Copy(fn() -> Box<dyn TreatableLoad>),
    /// Temporary tables beside the tables of the database.
    TemporaryLoad(&'static dyn Scratch),
}

pub(super) fn of(engine: Engine) -> &'static Capabilities {
    match engine {
        Engine::Sqlite => &Capabilities {
            scan: &Sqlite,
            repair: Some(&Sqlite),
            batch: None,
            load: Some(LoadedInto::Copy(|| Box::new(CopyLoad))),
            forecast: None,
            recorder: Some(|| Arc::new(TriggerRecorder::default())),
        },
        // They run in a private database of SQLite.
        Engine::Files => {
            &Capabilities { scan: &Sqlite, repair: None, batch: None, load: None, forecast: None, recorder: None }
        }
        Engine::Spark => {
            &Capabilities { scan: &Spark, repair: None, batch: None, load: None, forecast: None, recorder: None }
        }
        Engine::Postgres => const { &on_server(&POSTGRES, &POSTGRES, &POSTGRES, &POSTGRES) },
        Engine::Mysql => const { &on_server(&MYSQL, &MYSQL, &MYSQL, &MYSQL) },
        Engine::Mariadb => const { &on_server(&MARIADB, &MARIADB, &MARIADB, &MARIADB) },
    }
}

/// Returns the capabilities of a server: it repairs, and uses temporary tables for loads and forecasts.
const fn on_server(
    scan: &'static dyn Scan,
    repair: &'static dyn Repair,
    batch: &'static dyn Batch,
    scratch: &'static dyn Scratch,
) -> Capabilities {
    Capabilities {
        scan,
        repair: Some(repair),
        batch: Some(batch),
        load: Some(LoadedInto::TemporaryLoad(scratch)),
        forecast: Some(scratch),
        recorder: None,
    }
}
