//! Starts the tour: `cargo run --release`, then open the printed address.

use std::process::ExitCode;

use clap::Parser;
use tour::{Settings, StartError};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Settings::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("tour: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> Result<(), StartError> {
    let listener = tour::listen(settings.port).await?;
    let keys = tour::keys(&settings.data)?;
    let kept = match &settings.sessions {
        Some(url) => Some(tour::store(url).await?),
        None => None,
    };
    let app = tour::app(keys.ring, kept.as_ref(), tour::todos(&settings.data).await?)?;

    println!("Listening on http://{}", listener.local_addr()?);
    match &kept {
        Some(kept) => println!("{kept}"),
        None => println!("{}", keys.origin),
    }
    axum::serve(listener, app)
        .with_graceful_shutdown(tour::stopped())
        .await?;
    Ok(())
}
