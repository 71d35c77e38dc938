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
    let keys = match &settings.keys {
        Some(file) => tour::keys_in(file)?,
        None => tour::keys(&settings.data)?,
    };
    let kept = match &settings.sessions {
        Some(url) => {
            let from = settings.sessions_from.as_deref();
            tour::moving_store(url, from, settings.encrypted).await?
        }
        None => tour::cookie(&settings.data, settings.encrypted).await?,
    };
    let todos = tour::todos(&settings.data).await?;
    let address = listener.local_addr()?;
    let app = match settings.inspector {
        true => tour::inspected(keys.keys.clone(), &kept, todos, address)?,
        false => tour::app(keys.keys.clone(), &kept, todos)?,
    };

    println!("Listening on http://{address}");
    if settings.inspector {
        println!("What happens to sessions: http://{address}/_sessions");
    }
    println!("{kept}");
    println!("{}", keys.origin);
    axum::serve(listener, app)
        .with_graceful_shutdown(tour::stopped())
        .await?;
    Ok(())
}
