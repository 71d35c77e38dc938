//! When `--follow` ends: at Ctrl-C, or the signal that process managers send.

use std::time::Duration;

use tokio::sync::watch;

use crate::output::Failure;

pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Without `--follow` the signals end the process, as always.
    pub(super) fn listen(follow: bool) -> Result<Self, Failure> {
        let (asked, stop) = watch::channel(false);
        if follow {
            let signals = signals()?;
            tokio::spawn(async move {
                signals.await;
                asked.send_replace(true);
                // For as long as somebody listens.
                asked.closed().await;
            });
        }
        Ok(Self(stop))
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits so long, or until it is asked.
    pub(super) async fn or_after(&self, time: Duration) {
        let mut stop = self.0.clone();
        let asked = async {
            if stop.wait_for(|asked| *asked).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! { () = asked => {}, () = tokio::time::sleep(time) => {} }
    }
}

#[cfg(unix)]
fn signals() -> Result<impl Future<Output = ()> + Send, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| {
        signal(kind)
            .map_err(|error| Failure::Misuse(format!("the system gives no signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

#[cfg(not(unix))]
fn signals() -> Result<impl Future<Output = ()> + Send, Failure> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
