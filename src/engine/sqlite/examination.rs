//! Examines the whole file beside the writer, which compares rows meanwhile. The lock of the writer keeps the file as it is.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::InterruptHandle;

use super::open;
use super::session;

/// The interval of the attempts to end an examination.
const INTERVAL: Duration = Duration::from_millis(1);

/// An examination that may still run. It ends when it is dropped, because its lock would keep the writer from committing.
pub(super) struct Examination {
    interrupt: InterruptHandle,
    thread: Option<JoinHandle<rusqlite::Result<Option<String>>>>,
}

impl Examination {
    pub(super) fn begin(path: &Path) -> rusqlite::Result<Examination> {
        let connection = open::again(path, open::Access::Locked)?;
        let interrupt = connection.get_interrupt_handle();
        let thread = std::thread::spawn(move || session::integrity(&connection));
        Ok(Examination { interrupt, thread: Some(thread) })
    }

    /// Waits for the end. Returns the damage, if there is any; an outer `None` if the file could not be examined beside the writer.
    pub(super) fn damage(mut self) -> Option<Option<String>> {
        self.thread.take()?.join().ok()?.ok()
    }
}

impl Drop for Examination {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // An interrupt before the query begins has no effect.
            while !thread.is_finished() {
                self.interrupt.interrupt();
                std::thread::sleep(INTERVAL);
            }
        }
    }
}
