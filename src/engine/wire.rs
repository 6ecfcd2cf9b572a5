//! Waiting for a server: the one place where answers that come some day become answers that are there.
//!
//! A connection keeps its runtime to itself, so that it can be used by whichever thread holds it, and nothing outside
//! of the servers' engines knows that there is such a thing.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;

pub(super) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Waits for an answer; `None` if it did not come within the limit, where there is one. What was under way is then
/// broken off, so that the connection it used must not be used again.
pub(super) fn within<T>(runtime: &Runtime, limit: Option<Duration>, answer: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
            None => Some(answer.await),
        }
    })
}
