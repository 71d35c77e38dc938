//! A subject's server: one thread, HTTP/1.1, on 127.0.0.1, for as long as whoever started it holds its standard input open.

use std::{
    io::{self, Read},
    net::Ipv4Addr,
    process, thread,
};

use actix_web::rt::System;
use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, runtime};

use crate::{
    Entry, Failure, Subject,
    actix::{Running, Ways},
};

/// Serves a subject on a free port, whose number it prints. Ends the process when standard input closes.
///
/// # Errors
///
/// The store could not be opened, or there is no port.
pub fn serve(subject: &Subject, store: &str) -> Result<(), Failure> {
    end_with_input();
    match subject.entry {
        Entry::Axum(open) => {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async { serve_axum(open(store).await?).await })
        }
        Entry::Actix(start) => System::new().block_on(async {
            match start(store, Ways::Server).await? {
                Running::Server(server) => Ok(server.await?),
                Running::Called(_) => Ok(()),
            }
        }),
    }
}

async fn serve_axum(router: Router) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    let listener = listener.tap_io(|connection| {
        // Without it, it would only be slower.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

/// So that no server outlives its runner, however that ends.
fn end_with_input() {
    thread::spawn(|| {
        let mut ignored = [0; 64];
        let mut input = io::stdin().lock();
        while matches!(input.read(&mut ignored), Ok(1..)) {}
        process::exit(0);
    });
}
