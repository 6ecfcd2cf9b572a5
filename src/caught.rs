//! A panic is a fault of ours: here it becomes an error with a way to report it. Panics of worker threads arrive here
//! too, because whoever waits for a worker goes on with its panic.

use std::panic::AssertUnwindSafe;

use crate::exit::Exit;

/// Asks for the details of a fault, as for every program written in Rust.
const DETAILS: &str = "RUST_BACKTRACE";

/// fk-doctor stopped in the middle of its work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("fk-doctor stopped because of a fault of its own")]
pub struct Stopped;

impl Stopped {
    pub fn because(&self) -> String {
        "its code met a state that it takes to be impossible; a transaction that was open is rolled back".to_owned()
    }

    /// The details may quote a value of the database, so they are shown only to who asks for them.
    pub fn help(&self) -> String {
        format!(
            "please report it: set {DETAILS}=1, repeat the command, and open an issue with the command, its output and \
             the version, fk-doctor {}; the output may quote values of the database",
            env!("CARGO_PKG_VERSION")
        )
    }

    pub fn exit(&self) -> Exit {
        Exit::Unreadable
    }
}

/// Runs something that may be faulty.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Stopped> {
    // What was half done is never looked at again: the program ends.
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| Stopped)
}

/// Keeps the details of a fault to itself, unless they are asked for.
pub fn keep_details_quiet() {
    let is_asked_for = std::env::var_os(DETAILS).is_some_and(|value| !value.is_empty() && value != "0");
    if !is_asked_for {
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
    fn panic_becomes_an_error_with_a_way_to_report_it() {
        let stopped = caught(|| panic!("secret value")).unwrap_err();
        assert!(!format!("{stopped} {} {}", stopped.because(), stopped.help()).contains("secret"));
        let help = stopped.help();
        assert!(help.contains("RUST_BACKTRACE=1") && help.contains(env!("CARGO_PKG_VERSION")), "{help}");
        assert_eq!(stopped.exit(), Exit::Unreadable);
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn panic_of_a_worker_arrives() {
        let mut sessions: Vec<Box<dyn Session>> = vec![Box::new(Idle), Box::new(Idle)];
        let fails_once = |_: &mut dyn Session, index: usize| assert_ne!(index, 5);
        assert_eq!(caught(|| scan::across(&mut sessions, 9, fails_once, |_| {})), Err(Stopped));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let judged = caught(|| pool.install(|| (0..9).into_par_iter().for_each(|index| assert_ne!(index, 5))));
        assert_eq!(judged, Err(Stopped));
    }
}
