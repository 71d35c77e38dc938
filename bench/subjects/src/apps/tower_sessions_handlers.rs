// Included by the two versions of tower-sessions, which have the same `Session`.

fn routes() -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/login", get(login))
        .route("/fill/twenty", get(fill_twenty))
        .route("/fill/large", get(fill_large))
        .route("/read_many", get(read_many))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read(session: Session) -> Result<String, StatusCode> {
    let visits: u64 = session.get("visits").await.map_err(failed)?.unwrap_or(0);
    Ok(visits.to_string())
}

async fn write(session: Session) -> Result<String, StatusCode> {
    let visits: u64 = session.get("visits").await.map_err(failed)?.unwrap_or(0);
    session.insert("visits", visits + 1).await.map_err(failed)?;
    Ok((visits + 1).to_string())
}

async fn login(session: Session) -> Result<&'static str, StatusCode> {
    session.cycle_id().await.map_err(failed)?;
    session.insert("user", "alice").await.map_err(failed)?;
    Ok("ok")
}

async fn fill_twenty(session: Session) -> Result<&'static str, StatusCode> {
    fill(&session, content::twenty()).await
}

async fn fill_large(session: Session) -> Result<&'static str, StatusCode> {
    fill(&session, content::large()).await
}

async fn fill(
    session: &Session,
    entries: impl Iterator<Item = (String, String)>,
) -> Result<&'static str, StatusCode> {
    session.insert("visits", 1).await.map_err(failed)?;
    for (key, value) in entries {
        session.insert(&key, value).await.map_err(failed)?;
    }
    Ok("ok")
}

async fn read_many(session: Session) -> Result<String, StatusCode> {
    let value: String = session
        .get(MIDDLE)
        .await
        .map_err(failed)?
        .unwrap_or_default();
    Ok(value.len().to_string())
}

fn failed(_: session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
