//! Ctrl-C and the like, while a plan is applied: the first asks the run to end after its batch, the second ends it at once.
//! It is part of the binary.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use fk_doctor::internals::run::StopRequests;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::flag;

/// A plan is being applied, and the run was asked to stop.
static IS_PENDING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The request was SIGTERM, and not ctrl-c.
static IS_TERMINATED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// True if the next signal ends the program, as it does without this module.
static ENDS_AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// True if the actions are registered.
static IS_REGISTERED: LazyLock<bool> = LazyLock::new(|| {
    // This action runs first, so that a pending request has its cause.
    let is_cause_registered = flag::register(SIGTERM, Arc::clone(&IS_TERMINATED)).is_ok();
    is_cause_registered && [SIGINT, SIGTERM].into_iter().all(register)
});

pub(crate) const REQUESTS: StopRequests = StopRequests { begin, is_pending, cause, end };

/// The actions run in this order, so that the signal that sets the flags does not itself end the program.
fn register(signal: i32) -> bool {
    let actions = [
        flag::register_conditional_default(signal, Arc::clone(&ENDS_AT_ONCE)),
        flag::register(signal, Arc::clone(&IS_PENDING)),
        flag::register(signal, Arc::clone(&ENDS_AT_ONCE)),
    ];
    actions.iter().all(Result::is_ok)
}

/// From now on, a signal is only noted.
fn begin() {
    IS_PENDING.store(false, Ordering::SeqCst);
    IS_TERMINATED.store(false, Ordering::SeqCst);
    // Without the actions, a signal ends the program at once. That is safe at any time.
    ENDS_AT_ONCE.store(!*IS_REGISTERED, Ordering::SeqCst);
}

/// True if the run should stop.
pub(crate) fn is_pending() -> bool {
    IS_PENDING.load(Ordering::SeqCst)
}

fn cause() -> &'static str {
    if IS_TERMINATED.load(Ordering::SeqCst) { "the signal SIGTERM came" } else { "ctrl-c was pressed" }
}

/// From now on, a signal ends the program.
fn end() {
    ENDS_AT_ONCE.store(true, Ordering::SeqCst);
    IS_PENDING.store(false, Ordering::SeqCst);
}
