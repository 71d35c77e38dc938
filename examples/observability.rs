//! What whoever runs the site sees: numbers for Prometheus, traces for OpenTelemetry.
//!
//! Start it with `cargo run --example observability`, open <http://127.0.0.1:3000> a few times and then
//! <http://127.0.0.1:3000/metrics>: sessions opened, saved and refused, and how long the store took. The dashboard in
//! `docs/grafana` shows them. With `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318` each request's spans go to a collector.

use axum::{Router, routing::get};
use cloakroom::store::{SqliteStore, Store};
use cloakroom::{Error, Session, SessionConfig, SessionLayer};
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

async fn counter(session: Session) -> Result<String, Error> {
    let visits = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)?;
    Ok(format!("Number of visits: {visits}\n"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers = PrometheusBuilder::new().install_recorder()?;
    cloakroom::metrics::describe();

    // The exporter has threads of its own, so it is made before the runtime.
    let mut traces = SdkTracerProvider::builder();
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
        let exporter = SpanExporter::builder().with_http().build()?;
        traces = traces.with_batch_exporter(exporter);
    }
    let traces = traces.build();
    let ours = Targets::new().with_target("cloakroom", LevelFilter::DEBUG);
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("shop"));
    tracing_subscriber::registry()
        .with(spans.with_filter(ours))
        .init();

    let serve = async {
        let store = Store::new(SqliteStore::connect("sqlite::memory:").await?);
        store.prepare().await?;
        let config = SessionConfig::default().secure(false); // plain http, on this machine only
        let app = Router::new()
            .route("/", get(counter))
            .layer(SessionLayer::stored_with(store, config)?)
            .route("/metrics", get(async move || numbers.render()));

        let port = std::env::var("PORT").unwrap_or("3000".into());
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        println!("Listening on http://{}", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    };
    tokio::runtime::Runtime::new()?.block_on(serve)
}
