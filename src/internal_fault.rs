//! Turns a panic into an error that tells how to report it. A panic of a worker thread arrives here too, because the
//! thread that waits for the worker resumes its panic.

use std::panic::AssertUnwindSafe;

use crate::exit::Exit;

/// The environment variable that shows the details of a panic, as in every Rust program.
const BACKTRACE_VARIABLE: &str = "RUST_BACKTRACE";

/// The error that replaces a panic.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("fk-doctor stopped because of an internal fault")]
pub struct InternalFault;

impl InternalFault {
    pub fn because(&self) -> String {
        "its code reached a state that should be impossible; any open transaction is rolled back".to_owned()
    }

    /// Returns the command that shows the details. They may contain values of the database, so they are hidden otherwise.
    pub fn help(&self) -> String {
        format!(
            "please report it: set {BACKTRACE_VARIABLE}=1, repeat the command, and open an issue with the command, its output and \
             the version, fk-doctor {}; the output may contain values of the database",
            env!("CARGO_PKG_VERSION")
        )
    }

    pub fn exit(&self) -> Exit {
        Exit::Unreadable
    }
}

/// Runs `work`. A panic becomes an error.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, InternalFault> {
    // The program ends after a panic, so no broken state is used again.
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| InternalFault)
}

/// Suppresses the details of panics, unless the environment variable requests them.
pub fn hide_panic_details() {
    let is_requested = std::env::var_os(BACKTRACE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0");
    if !is_requested {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

#[cfg(test)]
mod tests {
    use rayon::iter::IntoParallelIterator;
    use rayon::iter::ParallelIterator;

    use super::*;
    use crate::engine::Damage;
    use crate::engine::EngineError;
    use crate::engine::Session;
    use crate::model::catalog::Table;
    use crate::model::value::Value;
    use crate::scan;
    use crate::sql::Sql;

    struct Idle;

    impl Session for Idle {
        fn each_row(&mut self, _: &Sql, _: &mut dyn FnMut(&[Value])) -> Result<(), EngineError> {
            Ok(())
        }

        fn damage(&mut self, _: &Table) -> Result<Option<Damage>, EngineError> {
            Ok(None)
        }
    }

    #[test]
    fn panic_becomes_an_error_that_tells_how_to_report_it() {
        let fault = catch_panic(|| panic!("secret value")).unwrap_err();
        assert!(!format!("{fault} {} {}", fault.because(), fault.help()).contains("secret"));
        let help = fault.help();
        assert!(help.contains("RUST_BACKTRACE=1") && help.contains(env!("CARGO_PKG_VERSION")), "{help}");
        assert_eq!(fault.exit(), Exit::Unreadable);
        assert_eq!(catch_panic(|| 7), Ok(7));
    }

    #[test]
    fn panic_of_a_worker_becomes_an_error() {
        let mut sessions: Vec<Box<dyn Session>> = vec![Box::new(Idle), Box::new(Idle)];
        let fails_once = |_: &mut dyn Session, index: usize| assert_ne!(index, 5);
        assert_eq!(catch_panic(|| scan::run_in_parallel(&mut sessions, 9, fails_once, |_| {})), Err(InternalFault));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let judged = catch_panic(|| pool.install(|| (0..9).into_par_iter().for_each(|index| assert_ne!(index, 5))));
        assert_eq!(judged, Err(InternalFault));
    }
}
