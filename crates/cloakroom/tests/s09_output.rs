//! S09: nothing secret is in any output. Everything that the library and its clients log at any level, `Debug` and
//! `Display` of every public type, every error with its sources, events, reports and error pages are kept and searched
//! for every key, id, cookie, store key and value that was used, as it is and encoded.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

#[path = "support/recording.rs"]
mod recording;
#[path = "support/secrets.rs"]
mod secrets;

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    fmt::{Debug, Display, Write},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body, routing::get};
use cloakroom::{
    Clock, Cookie, Cookies, Error, FlaskSettings, Handle, Key, KeyFile, KeyRing, Keys, Layout,
    Login, PendingUser, Refresh, ScheduledKey, SecretKey, Session, SessionConfig, SessionLayer,
    SessionManager, StoredEntry, Typed, User, Value,
    doctor::{Exchange, Site, check_site},
    format::{Serialization, TaggedJson},
    store::{
        CreateError, DeleteError, Driver, MemoryStore, ReplaceError, Store, StoreError, TouchError,
    },
    testing::Browser,
    token::signed::{Serializer, Signer, SignerOptions, TimedSerializer, TimestampSigner},
};
use http::{HeaderMap, HeaderValue, Request, header};
use recording::Recording;
use secrets::{Output, Secrets};
use serde::{Deserialize, Serialize};
use support::app::NOW;
use tower::ServiceExt;

/// One list for all tests of this file: what one uses, no other may show.
struct Watch {
    secrets: Secrets,
    output: Output,
}

impl Watch {
    fn get() -> &'static Self {
        static WATCH: OnceLock<Watch> = OnceLock::new();
        WATCH.get_or_init(|| {
            let output = Output::default();
            tracing::subscriber::set_global_default(output.clone()).unwrap();
            Self {
                secrets: Secrets::default(),
                output,
            }
        })
    }

    /// A secret of this kind that nothing else contains.
    fn secret(&self, what: &str) -> String {
        let random = SecretKey::generate().unwrap();
        let text = String::from_utf8_lossy(random.expose_secret()).into_owned();
        self.secrets
            .add(what, format!("{}\"é{}", what.replace(' ', "-"), text))
    }

    fn key(&self, what: &str) -> SecretKey {
        SecretKey::new(self.secret(what)).unwrap()
    }

    fn show<T: Debug + ?Sized>(&self, value: &T) {
        self.output.add(&format!("{value:?}\n{value:#?}"));
    }

    fn tell<E: StdError + ?Sized>(&self, error: &E) {
        self.output.add(&format!("{error}\n{error:?}\n{error:#?}"));
        let mut source = error.source();
        while let Some(inner) = source {
            self.output.add(&format!("{inner}\n{inner:?}"));
            source = inner.source();
        }
    }

    fn display<T: Display + ?Sized>(&self, value: &T) {
        self.output.add(&value.to_string());
    }

    /// Nothing of any secret is in what was written so far.
    fn assert_clean(&self, about: &str) {
        let written = self.output.take();
        let found = self.secrets.found_in(&written);
        if found.is_empty() {
            return;
        }
        // Where: the beginning of the line, which names the type or the place, and nothing after it.
        let lines: Vec<&str> = written
            .lines()
            .filter(|line| !self.secrets.found_in(line).is_empty())
            .map(|line| line.split(['=', ':', '{', '(']).next().unwrap_or_default())
            .take(20)
            .collect();
        assert!(found.is_empty(), "{about} shows {found:?} in {lines:?}");
    }
}

/// A site that does with a session what there is to do, and fails in every way.
fn routes() -> Router {
    async fn fill(session: Session) -> Result<(), Error> {
        let watch = Watch::get();
        session.insert("note", watch.secret("a value"))?;
        session.insert("bytes", Value::Bytes(watch.secret("bytes").into_bytes()))?;
        session.flash("info", watch.secret("a flash"));
        watch.show(&session);
        Ok(())
    }
    async fn login(session: Session) -> Result<(), Error> {
        let watch = Watch::get();
        let login = Login::new(watch.secret("a user id"));
        watch.show(&login);
        session.login(login)?;
        watch.show(&User::of(session)?);
        Ok(())
    }
    async fn pending(session: Session) -> Result<(), Error> {
        let watch = Watch::get();
        session.begin_login(watch.secret("a pending user id"))?;
        watch.show(&PendingUser::of(session)?);
        Ok(())
    }
    async fn wrong_type(session: Session) -> Result<(), Error> {
        session.insert("note", Watch::get().secret("a text"))?;
        let error = session.get::<u64>("note").unwrap_err();
        Watch::get().tell(&error);
        session.get::<Vec<Flag>>("note").map(drop)
    }
    async fn too_large(session: Session) -> Result<(), Error> {
        let value = Watch::get().secret("a large value").repeat(100);
        session.insert("large", value)?;
        session.save().await
    }
    async fn unwritable(session: Session) -> Result<(), Error> {
        let nested = (0..400).fold(
            Value::from(Watch::get().secret("a nested value")),
            |value, _| Value::List(vec![value]),
        );
        session.insert("nested", nested)
    }
    async fn typed(session: Session) -> Result<(), Error> {
        session.insert("flag", Watch::get().secret("no flag"))?;
        Typed::<Flag>::open(session).map(drop)
    }
    async fn look(session: Session) -> String {
        Watch::get().show(&session.status());
        session.len().to_string()
    }
    Router::new()
        .route("/fill", get(fill))
        .route("/login", get(login))
        .route("/pending", get(pending))
        .route("/wrong-type", get(wrong_type))
        .route("/too-large", get(too_large))
        .route("/unwritable", get(unwritable))
        .route("/typed", get(typed))
        .route("/look", get(look))
        .route("/logout", get(async |session: Session| session.logout()))
        .route("/panic-free", get(async || "nothing"))
}

#[derive(Serialize, Deserialize)]
struct Flag {
    flag: bool,
}

/// A visitor of the site: remembers every cookie as a secret, and everything else of an answer as output.
struct Visitor {
    site: Router,
    manager: SessionManager,
    browser: Browser,
}

impl Visitor {
    fn new(manager: &SessionManager) -> Self {
        let layer = SessionLayer::new(manager.clone());
        Watch::get().show(&layer);
        let site = routes().layer(layer);
        Self {
            site,
            manager: manager.clone(),
            browser: Browser::new(),
        }
    }

    async fn get(&mut self, path: &str) {
        let watch = Watch::get();
        let request = self
            .browser
            .request(Request::get(path).body(Body::empty()).unwrap());
        watch.show(&Cookies::parse(request.headers()));
        let mut response = self.site.clone().oneshot(request).await.unwrap();
        self.browser.store(&response);
        // `Debug` of a header that holds a cookie says that it is sensitive.
        watch.show(response.headers());
        if let Some(cookie) = self.browser.cookie(self.manager.cookie_name()) {
            watch.secrets.add("a cookie", cookie);
            if let Ok(session) = self.manager.open_value(cookie).await {
                if let Some(key) = self.manager.store_key(&session) {
                    watch.secrets.add("a key in the store", key);
                }
                watch.show(&session);
            }
        }
        response.headers_mut().remove(header::SET_COOKIE);
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        watch.show(&parts);
        watch.output.add(&String::from_utf8_lossy(&body));
        watch.show(&self.browser);
    }

    async fn everything(&mut self) {
        for path in [
            "/look",
            "/fill",
            "/look",
            "/login",
            "/look",
            "/fill",
            "/pending",
            "/login",
            "/wrong-type",
            "/too-large",
            "/unwritable",
            "/typed",
            "/panic-free",
            "/logout",
            "/look",
        ] {
            self.get(path).await;
        }
    }
}

/// Settings whose events are output too.
fn config() -> SessionConfig {
    let watch = Watch::get();
    SessionConfig::default().on_event(move |event| {
        watch.show(event);
        watch.show(&event.kind);
        watch.output.add(event.kind.name());
        if let Some(handle) = event.session {
            watch.display(&handle);
        }
    })
}

async fn every_flow(manager: &SessionManager, about: &str) {
    let watch = Watch::get();
    watch.show(manager);
    watch.show(manager.config());
    watch.display(&manager.report());
    watch.show(&manager.report());
    let mut visitor = Visitor::new(manager);
    visitor.everything().await;
    // Cookies that are refused: altered at every tenth place, cut, of another site, old, several at once.
    visitor.get("/fill").await;
    let name = manager.cookie_name().to_owned();
    let good = visitor.browser.cookie(&name).unwrap().to_owned();
    for place in (0..good.len()).step_by(10) {
        let mut altered = good.clone().into_bytes();
        altered[place] = if altered[place] == b'x' { b'y' } else { b'x' };
        let altered = String::from_utf8(altered).unwrap();
        watch.secrets.add("an altered cookie", altered.clone());
        visitor.browser.set_cookie(name.clone(), altered);
        visitor.get("/look").await;
    }
    for bad in [
        good[..good.len() - 3].to_owned(),
        format!(
            "{good}; {name}={good}x; {name}={}",
            watch.secret("no cookie")
        ),
        watch.secret("nothing at all"),
    ] {
        visitor.browser.set_cookie(name.clone(), bad);
        visitor.get("/look").await;
    }
    if let Err(error) = manager.open_value(watch.secret("an id of nobody")).await {
        watch.tell(&error);
    }
    watch.assert_clean(about);
}

#[tokio::test]
async fn s09_cookie_sessions_show_nothing_secret() {
    let watch = Watch::get();
    for config in [
        config(),
        config()
            .refresh(Refresh::EachRequest)
            .lifetime(Duration::from_secs(60)),
        SessionConfig::flask(),
    ] {
        let keys = KeyRing::new(watch.key("the key")).fallback(watch.key("the old key"));
        watch.show(&keys);
        let manager = SessionManager::signed(keys, config).unwrap();
        every_flow(&manager, "a session in a cookie").await;
    }
}

#[cfg(feature = "encrypted")]
#[tokio::test]
async fn s09_encrypted_sessions_show_nothing_secret() {
    use cloakroom::token::encrypted::{Purpose, Sealer};

    let watch = Watch::get();
    let native = || {
        let tenant = SessionConfig::native().tenant("a tenant");
        tenant.on_event(|event| watch.show(event))
    };
    let key = watch.key("the key");
    let flask = watch.key("the key of Flask");
    let manager = SessionManager::encrypted(key.clone(), native()).unwrap();
    every_flow(&manager, "a session in an encrypted cookie").await;

    // What Flask has signed is taken over.
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let config = native()
        .cookie_name("session")
        .accept_signed(flask.clone(), until);
    watch.show(&config);
    let manager = SessionManager::encrypted(key.clone(), config).unwrap();
    let signed = SessionManager::signed(flask, SessionConfig::default()).unwrap();
    let session = signed.new_session();
    session.insert("note", watch.secret("a value")).unwrap();
    let cookie = watch
        .secrets
        .add("a cookie", signed.cookie_value(&session).unwrap());
    let mut visitor = Visitor::new(&manager);
    visitor.browser.set_cookie("session", cookie);
    visitor.everything().await;

    let purpose = Purpose::new("invitation");
    let sealer = Sealer::new(key, &purpose);
    watch.show(&purpose);
    watch.show(&sealer);
    let content = watch.secret("what is sealed");
    let token = sealer.seal(&content, Duration::from_secs(60)).unwrap();
    watch.secrets.add("a token", token.clone());
    watch.show(&sealer.open(&token).unwrap());
    watch.tell(&sealer.open(&token[..token.len() - 2]).unwrap_err());
    watch.tell(&sealer.open_at(&token, NOW * 2).unwrap_err());
    watch.tell(
        &sealer
            .seal("x".repeat(1 << 20), Duration::from_secs(60))
            .unwrap_err(),
    );
    watch.assert_clean("encrypted sessions");
}

#[test]
fn s09_keys_with_times_show_nothing_secret() {
    let watch = Watch::get();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let scheduled = ScheduledKey::new("one", watch.key("a scheduled key")).not_after(4_000_000_000);
    watch.show(&scheduled);
    let other = ScheduledKey::new("two", watch.key("a revoked key")).revoked();
    let lasting = ScheduledKey::new("three", watch.key("a lasting key")).not_before(1000);
    let keys = Keys::scheduled([scheduled, other, lasting]).unwrap();
    watch.show(&keys);
    watch.show(&keys.usage_at(NOW));
    watch.show(&keys.ring_at(NOW));
    let twice = [0, 1].map(|_| ScheduledKey::new("one", watch.key("a second key")));
    watch.tell(&Keys::scheduled(twice).unwrap_err());
    for text in [
        watch.secret("a key file's line"),
        format!(
            "[{{\"id\": \"a\", \"secret\": \"{}\"",
            watch.secret("a broken file")
        ),
        format!("{{\"keys\": \"{}\"}}", watch.secret("a wrong file")),
        format!(
            "{{\"keys\": [{{\"id\": \"a\", \"sekret\": \"{}\"}}]}}",
            watch
                .secrets
                .add("a misspelt member", "word-in-a-misspelt-member")
        ),
    ] {
        fs::write(&file, text).unwrap();
        match Keys::from_file(&file) {
            Ok(keys) => watch.show(&keys),
            Err(error) => watch.tell(&error),
        }
    }
    let mut key_file = KeyFile::new(folder.path().join("new"));
    let lasting = ScheduledKey::new("four", watch.key("a key in a file"));
    key_file.save(vec![lasting.clone()]).unwrap();
    watch.show(&key_file);
    watch.show(&KeyFile::read(folder.path().join("new")).unwrap());
    watch.tell(&key_file.save(vec![lasting.clone(), lasting]).unwrap_err());
    watch.tell(
        &KeyFile::new(folder.path().join("new"))
            .save(Vec::new())
            .unwrap_err(),
    );
    watch.assert_clean("keys with times");
}

#[test]
fn s09_what_the_doctor_looks_at_and_finds_shows_nothing_secret() {
    let watch = Watch::get();
    let mut headers = HeaderMap::new();
    for cookie in [
        format!("a=0123456789{}", watch.secret("a cookie of another site")),
        format!("session={}", "v".repeat(5000)),
        format!("{}; Path=/", watch.secret("a cookie without a name")),
    ] {
        let cookie = HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
        headers.append(header::SET_COOKIE, cookie);
    }
    watch.secrets.add("an id in a URL", "an-id-in-a-url");
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
    let page = Exchange {
        uri: "https://shop.example/page;jsessionid=an-id-in-a-url?token=an-id-in-a-url"
            .parse()
            .unwrap(),
        with_cookies: true,
        status: http::StatusCode::OK,
        headers,
        body: watch.secret("a page").into(),
    };
    watch.show(&page);
    let checkup = check_site(&[page], None);
    assert!(!checkup.findings().is_empty());
    watch.show(&checkup);
    for finding in checkup.findings() {
        watch.display(finding);
    }
    let weak = SecretKey::new(&watch.secret("a short key")[..5]).unwrap();
    let manager = SessionManager::signed(weak, SessionConfig::default()).unwrap();
    watch.show(&manager.checkup(&Site::unknown()));
    watch.assert_clean("the doctor");
}

/// Flask-WTF's tokens and Flask-Login's remembered logins.
#[tokio::test]
async fn s09_form_tokens_and_remembered_logins_show_nothing_secret() {
    use cloakroom::{
        csrf::CsrfTokens,
        flask_login::{Client, FlaskLogin, Remember},
    };

    let watch = Watch::get();
    let key = watch.key("the key");
    let manager = SessionManager::signed(key.clone(), config()).unwrap();
    let tokens = CsrfTokens::new(key.clone());
    watch.show(&tokens);
    let session = manager.new_session();
    let token = watch
        .secrets
        .add("a form's token", tokens.token(&session).unwrap());
    let value: String = session.get("csrf_token").unwrap().unwrap();
    watch.secrets.add("a session's random value", value);
    assert!(tokens.verify(&session, token.as_str()).is_ok());
    let other = manager.new_session();
    for wrong in [&token[1..], &token[..token.len() - 1], ""] {
        for session in [&session, &other] {
            watch.tell(&tokens.verify(session, wrong).unwrap_err());
        }
    }
    let logins = FlaskLogin::new(key);
    watch.show(&logins);
    let cookies = Cookies::parse_header("a=b");
    let client = Client::default();
    let mut visitor = logins.visitor(&session, &cookies, &client).unwrap();
    let user = watch.secret("a user id");
    visitor.login(&user, Remember::Yes).unwrap();
    watch.show(&visitor);
    let cookie = visitor.set_cookie().unwrap().unwrap();
    watch.show(&cookie);
    let text = cookie.header_value().to_str().unwrap().to_owned();
    let remembered = text.split([';', '=']).nth(1).unwrap();
    watch.secrets.add("a remembered login", remembered);
    for cookies in [
        format!("remember_token={remembered}"),
        format!("remember_token={remembered}x"),
    ] {
        let session = manager.new_session();
        let cookies = Cookies::parse_header(&cookies);
        watch.show(&logins.visitor(&session, &cookies, &client).unwrap());
        watch.show(&session);
    }
    watch.assert_clean("form tokens and remembered logins");
}

#[tokio::test]
async fn s09_native_records_show_nothing_secret() {
    for layout in [
        Layout::Native,
        #[cfg(feature = "encrypted")]
        Layout::Sealed,
    ] {
        let manager = SessionManager::stored(MemoryStore::new(), config().layout(layout)).unwrap();
        every_flow(&manager, "native records").await;
    }
}

#[tokio::test]
async fn s09_stored_sessions_show_nothing_secret() {
    let watch = Watch::get();
    let folder = tempfile::tempdir().unwrap();
    let mut stores: Vec<Store> = vec![MemoryStore::new().into()];
    #[cfg(feature = "file")]
    {
        use cloakroom::store::FileStore;
        let native = FileStore::open(folder.path().join("native")).unwrap();
        watch.show(&native);
        stores.push(native.into());
        stores.push(
            FileStore::cachelib(folder.path().join("cachelib"))
                .unwrap()
                .into(),
        );
    }
    #[cfg(feature = "sqlite")]
    {
        let url = format!("sqlite:{}/s.db?mode=rwc", folder.path().display());
        let sqlite = cloakroom::store::SqliteStore::connect(&url).await.unwrap();
        sqlite.migrate().await.unwrap();
        watch.show(&sqlite);
        stores.push(sqlite.into());
    }
    for store in stores {
        watch.show(&store);
        let name = store.name();
        let manager = SessionManager::stored(store.clone(), config()).unwrap();
        every_flow(&manager, name).await;
        let signed = config().sign_ids(watch.key("the key of ids"));
        let manager = SessionManager::stored(store.clone(), signed).unwrap();
        every_flow(&manager, name).await;

        // What an operator sees of a store.
        let page = match store.list("", None, 100).await {
            Ok(page) => page,
            Err(error) => {
                watch.tell(&error);
                continue;
            }
        };
        watch.show(&page);
        for entry in &page.entries {
            watch.secrets.add("a key in the store", entry.key.clone());
            watch.show(entry);
            if let Some(record) = store.load(&entry.key).await.unwrap() {
                watch.show(&record);
                let value = record.value.clone();
                let again = store.create(&entry.key, value.clone(), Duration::from_secs(9));
                watch.tell(&again.await.unwrap_err());
                let other = cloakroom::store::Record::new("something else");
                let ttl = Duration::from_secs(9);
                let replaced = store.replace(&entry.key, &other, value, ttl).await;
                watch.tell(&replaced.unwrap_err());
                let deleted = store.delete(&entry.key, Some(&other), ttl).await;
                watch.tell(&deleted.unwrap_err());
            }
        }
        let sweeper = store.sweep_every(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
        watch.show(&sweeper);
        drop(sweeper);
        watch.assert_clean(name);
    }
}

/// Requests that get in each other's way, a session that ends under another request, an entry that is no session.
#[tokio::test]
async fn s09_conflicts_and_broken_entries_show_nothing_secret() {
    let watch = Watch::get();
    let store = Arc::new(MemoryStore::new());
    let (recording, calls) = Recording::new(store.clone());
    let manager = SessionManager::stored(recording, config()).unwrap();
    for ends in [false, true] {
        let session = manager.new_session();
        session.insert("n", watch.secret("a value")).unwrap();
        session.save().await.unwrap();
        let id = watch
            .secrets
            .add("an id", manager.cookie_value(&session).unwrap());
        let (one, other) = (
            manager.open_value(&id).await.unwrap(),
            manager.open_value(&id).await.unwrap(),
        );
        one.insert("n", watch.secret("a value")).unwrap();
        if ends {
            one.destroy();
        }
        other.insert("m", watch.secret("a value")).unwrap();
        for session in [&one, &other] {
            let mut headers = HeaderMap::new();
            manager.close(session, &mut headers).await.unwrap();
            watch.show(&headers);
            watch.show(session);
        }
        if let Err(error) = one.insert("late", 1) {
            watch.tell(&error);
        }
    }
    let id = watch.secrets.add("an id", "B".repeat(43));
    let entry = format!("session:{id}");
    let broken = watch.secret("a broken entry");
    let ttl = Duration::from_secs(9);
    store.create(&entry, broken.into(), ttl).await.unwrap();
    watch.tell(&manager.open_value(&id).await.unwrap_err());
    calls.take();
    for format in [
        Serialization::Pickle,
        Serialization::Json,
        Serialization::MessagePack,
    ] {
        let secret = watch.secret("a document");
        for document in [
            format!("{{\"a\": \"{secret}\", "),
            format!("\u{80}\u{4}{secret}"),
            secret.clone(),
            format!("[\"{secret}\"]"),
        ] {
            if let Err(error) = format.from_slice(document.as_bytes()) {
                watch.tell(&error);
            }
            if let Err(error) = TaggedJson::new().from_slice(document.as_bytes()) {
                watch.tell(&error);
            }
        }
    }
    watch.assert_clean("conflicts and broken entries");
}

/// Stores that cannot be reached, with passwords in their addresses.
#[tokio::test]
async fn s09_failing_stores_show_nothing_secret() {
    let watch = Watch::get();
    let password = watch.secrets.add(
        "a password",
        format!("word{}", std::process::id()) + "markedpassword",
    );
    for url in [
        format!("redis://user:{password}@127.0.0.1:1"),
        format!("redis://:{password}@127.0.0.1:1/0?{password}"),
        format!("rediss://:{password}@127.0.0.1:1"),
        format!("memcached://user:{password}@127.0.0.1:1"),
        format!("postgres://user:{password}@127.0.0.1:1/db"),
        format!("postgres://user:{password}@127.0.0.1:1/db?sslmode={password}"),
        format!("mysql://user:{password}@127.0.0.1:1/db"),
        format!(
            "dynamodb://access-key-id:{password}@us-west-2/sessions?endpoint=http://127.0.0.1:1"
        ),
        format!("sqlite:/nowhere/{password}/sessions.db"),
        format!("file:/proc/{password}"),
        format!("cachelib:/proc/{password}"),
        format!("nonsense://{password}"),
        password.clone(),
    ] {
        match Store::from_url(&url).await {
            Err(error) => watch.tell(&error),
            Ok(store) => {
                watch.show(&store);
                let manager = SessionManager::stored(store, config()).unwrap();
                watch.show(&manager);
                let mut visitor = Visitor::new(&manager);
                visitor.browser.set_cookie("session", "C".repeat(43));
                visitor.get("/look").await;
                visitor.browser.remove_cookie("session");
                visitor.get("/fill").await;
            }
        }
    }
    for error in [
        StoreError::unreachable("down"),
        StoreError::refused("full"),
        StoreError::timed_out("slow"),
    ] {
        watch.tell(&error);
        watch.tell(&CreateError::from(error.clone()));
        watch.tell(&ReplaceError::from(error.clone()));
        watch.tell(&TouchError::from(error.clone()));
        watch.tell(&DeleteError::from(error));
    }
    watch.assert_clean("stores that fail");
}

/// Settings that are wrong, with the secret in them.
#[test]
fn s09_keys_tokens_and_settings_show_nothing_secret() {
    let watch = Watch::get();
    let key = watch.key("a key");
    watch.show(&key);
    for settings in [
        vec![("SECRET_KEY", watch.secret("a setting"))],
        vec![
            ("SECRET_KEY", watch.secret("a setting")),
            ("SECRET_KEYS", watch.secret("a misspelt setting")),
        ],
        vec![
            ("SECRET_KEY", watch.secret("a setting")),
            ("SECRET_KEY_FALLBACKS", watch.secret("a fallback")),
        ],
        vec![
            ("SECRET_KEY", watch.secret("a setting")),
            ("SESSION_COOKIE_SAMESITE", watch.secret("a wrong value")),
        ],
        vec![
            ("SECRET_KEY", watch.secret("a setting")),
            ("PERMANENT_SESSION_LIFETIME", watch.secret("a wrong time")),
        ],
        vec![
            ("SECRET_KEY", watch.secret("a setting")),
            ("SESSION_TYPE", watch.secret("a wrong type")),
        ],
    ] {
        let settings = FlaskSettings::from_map(
            settings
                .into_iter()
                .map(|(name, value)| (name, value.into())),
        );
        watch.show(&settings);
        match settings.keys() {
            Ok(keys) => watch.show(&keys),
            Err(error) => watch.tell(&error),
        }
        match settings.session() {
            Ok(config) => watch.show(&config),
            Err(error) => watch.tell(&error),
        }
    }
    #[cfg(feature = "toml")]
    for text in [
        "SECRET_KEY = \"{}\"\n[broken",
        "SECRET_KEY = {}",
        "SECRET_KEY = [\"{}\"]",
    ] {
        match FlaskSettings::from_toml(&text.replace("{}", &watch.secret("a line"))) {
            Ok(settings) => watch.show(&settings),
            Err(error) => watch.tell(&error),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    for content in [
        watch.secret("a file")[..15].to_owned(),
        String::new(),
        watch.secret("a file").repeat(2000),
    ] {
        fs::write(&file, content).unwrap();
        match SecretKey::from_file(&file) {
            Ok(key) => watch.show(&key),
            Err(error) => watch.tell(&error),
        }
    }
    let signer = Signer::new(key.clone(), "salt");
    let timed = TimestampSigner::with_options(key.clone(), "salt", &SignerOptions::flask());
    let serializer: Serializer = Serializer::new(key.clone(), "salt");
    let timed_serializer: TimedSerializer = TimedSerializer::new(key.clone(), "salt");
    watch.show(&signer);
    watch.show(&timed);
    watch.show(&serializer);
    watch.show(&timed_serializer);
    let value = watch.secret("a token's content");
    let tokens = [
        signer.sign(&value),
        timed.sign_at(&value, NOW),
        serializer.dumps(&value).unwrap().into(),
        timed_serializer.dumps_at(&value, NOW).unwrap().into(),
    ];
    for mut token in tokens {
        watch
            .secrets
            .add("a token", String::from_utf8(token.clone()).unwrap());
        let last = token.len() - 1;
        token[last] ^= 3;
        if let Err(error) = signer.unsign(&token) {
            watch.tell(&error);
        }
        if let Err(error) = timed.unsign_parts(&token, NOW + 100, Some(10)) {
            watch.tell(&error);
        }
        if let Err(error) = serializer.loads::<String>(&token) {
            watch.tell(&error);
        }
    }
    let cookie = Cookie::new("a").domain("example.com");
    let set = cookie.set(watch.secret("a value of a cookie")).unwrap();
    watch.show(&set);
    watch.show(set.header_value());
    let header = format!("a={}; b=1", watch.secret("a value of a cookie"));
    let cookies = Cookies::parse_header(&header);
    watch.show(&cookies);
    watch.show(&cookies.iter());
    if let Err(error) = cookie.set(watch.secret("a value of a cookie").repeat(100)) {
        watch.tell(&error);
    }
    let text = watch.secret("no handle");
    if let Err(error) = text.parse::<Handle>() {
        watch.tell(&error);
    }
    watch.show(&Clock::manual(NOW));
    watch.show(&Key::<u64>::new("visits"));
    let mut headers = HeaderMap::new();
    headers.insert(
        header::COOKIE,
        HeaderValue::from_str("session=marked").unwrap(),
    );
    watch.assert_clean("keys, tokens and settings");
}

/// What operators and developers look into shows itself no more than the rest.
#[tokio::test]
async fn s09_stored_entries_and_the_inspector_show_nothing_secret() {
    let watch = Watch::get();
    let store = Store::from(MemoryStore::new());
    let sessions = SessionLayer::stored_with(store.clone(), config()).unwrap();
    let session = sessions.manager().new_session();
    session.login(watch.secret("a user id")).unwrap();
    let key = watch.secret("the name of a key");
    session.insert(&key, watch.secret("a value")).unwrap();
    session.save().await.unwrap();
    let listed = store.list("session:", None, 10).await.unwrap().entries;
    for listed in &listed {
        let record = store.load(&listed.key).await.unwrap().unwrap();
        let entry = StoredEntry::read(&record.value).unwrap().unwrap();
        watch.show(&entry);
        watch.show(&entry.layout());
        watch.display(&entry.layout());
        entry.keys().for_each(|key| watch.show(&key));
        watch.display(&Handle::of_key(&listed.key));
    }
    assert_eq!(listed.len(), 1);
    #[cfg(feature = "inspector")]
    {
        use cloakroom::inspector::Inspector;

        let inspector = Inspector::new(&sessions, "127.0.0.1:0".parse().unwrap()).unwrap();
        watch.show(&inspector);
        watch.show(&tower::Layer::layer(&inspector, ()));
        let elsewhere = "0.0.0.0:80".parse().unwrap();
        watch.tell(&Inspector::new(&sessions, elsewhere).unwrap_err());
    }
    watch.assert_clean("stored entries and the inspector");
}

/// The search finds what it should: a leak of each kind is seen, in each form.
#[test]
fn s09_the_search_itself_finds_what_leaks() {
    use base64::{
        Engine,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };

    let (secrets, output) = (Secrets::default(), Output::default());
    let secret = secrets.add("a key", "k3y-that-\"must\"-not-show-é".to_owned());
    let bytes = secret.as_bytes();
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    for leak in [
        format!("signed with {secret}"),
        format!("signed with {secret:?}"),
        format!("signed with {bytes:?}"),
        format!("signed with {hex}"),
        format!("signed with {}…", &secret[..15]),
        STANDARD.encode(bytes),
        URL_SAFE_NO_PAD.encode(format!("{{\"key\":\"{secret}\"}}")),
        URL_SAFE_NO_PAD.encode(format!("key={secret}!")),
        URL_SAFE_NO_PAD.encode(format!("ke={secret}!?")),
        serde_json::to_string(&secret).unwrap(),
    ] {
        assert!(!secrets.found_in(&leak).is_empty(), "{leak}");
        assert!(!secrets.found_in(&leak).join("").contains("k3y"));
    }
    assert!(secrets.found_in("signed with a key").is_empty());
    tracing::subscriber::with_default(output.clone(), || {
        tracing::trace!(key = %secret, "signing");
        let _span = tracing::trace_span!("sign", ?bytes).entered();
    });
    assert_eq!(
        secrets.found_in(&output.take()).len(),
        3,
        "as it is, in half, and as a list"
    );
}

/// Types whose `Debug` is looked at above, in this file.
const SHOWN: &[&str] = &[
    "Inspector",
    "InspectorError",
    "InspectorService",
    "StoredEntry",
    "StoredKey",
    "StoredLayout",
    "Browser",
    "Clock",
    "ConfigError",
    "Cookie",
    "CookieError",
    "CreateError",
    "DeleteError",
    "Error",
    "Event",
    "EventKind",
    "FileStore",
    "FlaskSettings",
    "FormatError",
    "Handle",
    "HandleError",
    "Iter",
    "JsonError",
    "Key",
    "CsrfError",
    "CsrfTokens",
    "FlaskLogin",
    "Visitor",
    "KeyRing",
    "KeyState",
    "KeyUsage",
    "Keys",
    "KeysError",
    "OpenError",
    "Opened",
    "Purpose",
    "KeyFile",
    "ScheduledKey",
    "Checkup",
    "Exchange",
    "Finding",
    "SealError",
    "Sealer",
    "Listed",
    "Login",
    "MemoryStore",
    "Page",
    "PendingUser",
    "Record",
    "Refusal",
    "ReplaceError",
    "RequestCookies",
    "SecretKey",
    "SecretKeyError",
    "Serializer",
    "Session",
    "SessionConfig",
    "SessionLayer",
    "SessionManager",
    "SessionReport",
    "SetCookie",
    "Signer",
    "SqliteStore",
    "Status",
    "Store",
    "StoreError",
    "Sweeper",
    "TimedSerializer",
    "TimestampSigner",
    "TokenError",
    "TokenErrorReason",
    "TouchError",
    "User",
];

/// Types that hold nothing but what the application, or an operator, has asked to see: values of a session and their
/// errors of form, and settings that are no secrets.
const DATA: &[&str] = &[
    "Conversion",
    // Values, messages and what holds them.
    "Value",
    "Dict",
    "Text",
    "Int",
    "IntError",
    "Date",
    "DateError",
    "DateTime",
    "DateTimeError",
    "Decimal",
    "DecimalError",
    "Time",
    "TimeError",
    "TimeDelta",
    "TimeDeltaError",
    "Uuid",
    "UuidError",
    "Extension",
    "Markup",
    "Flash",
    "Typed",
    "Timestamped",
    "Unverified",
    "Unsigned",
    "ConversionError",
    "Globals",
    // Settings and enumerations without content.
    "AssuranceLevel",
    "Checked",
    "ClearSiteData",
    "Compression",
    "CookieLimit",
    "Cursor",
    "Digest",
    "Harness",
    "KeyDerivation",
    "Leniency",
    "Limits",
    "Outcome",
    "PlainJson",
    "Prepared",
    "ExpiryIndex",
    "Severity",
    "Site",
    "Refresh",
    "Report",
    "Rules",
    "SameSite",
    "Separator",
    "SeparatorError",
    "Serialization",
    "SignerOptions",
    "StoreErrorKind",
    "Style",
    "Subject",
    "TaggedJson",
    "TagError",
    "TokenErrorKind",
    "UnknownSerialization",
    "UrlSafe",
    "Base64Error",
    "PayloadError",
    "SerializeError",
    "SessionFuture",
    "SessionService",
    "KeyWatcher",
    "Layout",
    "MaxSessions",
    "Padding",
    "Protection",
    "Reloaded",
    // A page shows the token, and that is what it is for; `Debug` does not (`s09_tokens_are_not_shown_by_debug`).
    "CsrfToken",
    "Breaker",
    "Client",
    "CrossSiteFuture",
    "CrossSiteLayer",
    "CrossSiteService",
    "CsrfChecked",
    "CsrfForm",
    "CsrfLayer",
    "CsrfRejection",
    "CsrfService",
    "OriginError",
    "SessionProtection",
    "OutagePolicy",
    "Remember",
    "UserSessions",
    // What an operator, or the user, has asked for about a session; no credential is in it.
    "RecordHeader",
    "SessionInfo",
    // Stores with a server: `p10_…` tests of their own show them, with a server behind them.
    "DynamoDbStore",
    "MemcachedStore",
    "MySqlStore",
    "PostgresStore",
    "RedisStore",
];

/// A new public type is either shown above or said to hold nothing secret.
#[test]
fn s09_the_lists_name_every_public_type() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut unknown = BTreeSet::new();
    for file in rust_files(&source) {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let line = line.trim_start();
            let rest = line
                .strip_prefix("pub struct ")
                .or(line.strip_prefix("pub enum "));
            let Some(name) =
                rest.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
            else {
                continue;
            };
            if !SHOWN.contains(&name) && !DATA.contains(&name) {
                unknown.insert(name.to_owned());
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "show these, or say why they hold nothing secret: {unknown:?}"
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
