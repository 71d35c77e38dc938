//! What has to wait for a store or a site is waited for here.

use tokio::runtime::{Builder, Runtime};

use crate::output::Failure;

/// One thread is enough for one command.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Misuse(format!("the system gives no timers: {error}")))
}

pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(work)
}
