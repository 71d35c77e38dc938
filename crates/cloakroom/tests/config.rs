//! Settings: Flask's names from everywhere, and mistakes found at start with the name in the message.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;
use support::now::Now;

use cloakroom::{
    ConfigError, FlaskSettings, SameSite, SecretKey, SessionConfig, SessionLayer, SessionManager,
    Value, value::Dict,
};
use http::HeaderMap;
use support::app::{NOW, header, key};

const KEY: &str = "6af7b8a2f0c94e6db3c2a1d4e5f60718";

fn session(name: &'static str, value: impl Into<Value>) -> Result<SessionConfig, ConfigError> {
    FlaskSettings::from_map([(name, value.into())]).session()
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

/// The Set-Cookie header of a permanent session.
fn set_cookie(config: SessionConfig) -> String {
    let manager =
        SessionManager::signed(key(), config.clock(cloakroom::Clock::manual(NOW))).unwrap();
    let session = manager.new_session();
    session.set_permanent(true);
    let mut response = http::Response::new(());
    manager.close_now(&session, response.headers_mut()).unwrap();
    header(&response, "set-cookie")[0]
        .split_once("; ")
        .unwrap()
        .1
        .to_owned()
}

#[test]
fn flask_names_do_what_they_do_in_flask() {
    let all = FlaskSettings::from_map([
        ("SESSION_COOKIE_DOMAIN", Value::from("example.com")),
        ("SESSION_COOKIE_PATH", "/app".into()),
        ("APPLICATION_ROOT", "/ignored".into()),
        ("SESSION_COOKIE_HTTPONLY", false.into()),
        ("SESSION_COOKIE_SECURE", true.into()),
        ("SESSION_COOKIE_SAMESITE", "strict".into()),
        ("SESSION_COOKIE_PARTITIONED", 1.into()),
        ("PERMANENT_SESSION_LIFETIME", Value::Float(3600.9)),
        ("DEBUG", true.into()),
    ]);
    assert_eq!(
        set_cookie(all.session().unwrap()),
        "Domain=example.com; Expires=Tue, 14 Nov 2023 23:13:20 GMT; Secure; Path=/app; SameSite=Strict; Partitioned"
    );
    assert_eq!(
        set_cookie(FlaskSettings::default().session().unwrap()),
        set_cookie(SessionConfig::flask())
    );
    assert_eq!(
        set_cookie(session("APPLICATION_ROOT", "/root").unwrap()),
        "Expires=Fri, 15 Dec 2023 22:13:20 GMT; HttpOnly; Path=/root"
    );
}

#[test]
fn mistakes_name_the_setting() {
    let table = [
        (
            session("SESSION_COOKIE_SECRE", true),
            "SESSION_COOKIE_SECRE is not a setting; did you mean SESSION_COOKIE_SECURE?",
        ),
        (
            session("SESSION_COLOUR", "red"),
            "SESSION_COLOUR is not a setting",
        ),
        (
            session("SECRET_KEYS", "x"),
            "SECRET_KEYS is not a setting; did you mean SECRET_KEY?",
        ),
        (
            session("SESSION_TYPE", "null"),
            "SESSION_TYPE must be redis, memcached, filesystem, cachelib, sqlalchemy or dynamodb; without it, sessions live in the cookie",
        ),
        (
            session("SESSION_TIPE", "redis"),
            "SESSION_TIPE is not a setting; did you mean SESSION_TYPE?",
        ),
        (
            session("SESSION_ID_LENGTH", 8),
            "SESSION_ID_LENGTH must be 16 to 128 random bytes",
        ),
        (
            session("SESSION_SERIALIZATION_FORMAT", "pickle"),
            "SESSION_SERIALIZATION_FORMAT must be msgpack or json",
        ),
        (
            session("SESSION_KEY_PREFIX", 1),
            "SESSION_KEY_PREFIX must be text",
        ),
        (
            session("SESSION_USE_SIGNER", true),
            "SESSION_USE_SIGNER: it needs SECRET_KEY, which is missing",
        ),
        (
            session("SESSION_COOKIE_SECURE", "True"),
            "SESSION_COOKIE_SECURE must be true or false",
        ),
        (
            session("SESSION_COOKIE_NAME", 5),
            "SESSION_COOKIE_NAME must be text",
        ),
        (
            session("SESSION_COOKIE_SAMESITE", "sometimes"),
            "SESSION_COOKIE_SAMESITE must be Strict, Lax or None",
        ),
        (
            session("PERMANENT_SESSION_LIFETIME", -1),
            "PERMANENT_SESSION_LIFETIME must be a number of seconds, not negative",
        ),
        (
            session("PERMANENT_SESSION_LIFETIME", "31 days"),
            "PERMANENT_SESSION_LIFETIME must be a number of seconds, not negative",
        ),
        (
            session("MAX_COOKIE_SIZE", -5),
            "MAX_COOKIE_SIZE must be a number of bytes, 0 for no limit",
        ),
    ];
    for (result, message) in table {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
}

#[test]
fn contradictions_name_the_setting_that_has_to_change() {
    for (name, value, culprit) in [
        (
            "SESSION_COOKIE_SAMESITE",
            "None",
            "SESSION_COOKIE_SAMESITE: SameSite=None needs Secure",
        ),
        (
            "SESSION_COOKIE_NAME",
            "__Host-session",
            "SESSION_COOKIE_NAME: a cookie whose name begins with __Host- needs",
        ),
        (
            "SESSION_COOKIE_NAME",
            "my session",
            "SESSION_COOKIE_NAME: \"my session\" is not a cookie name",
        ),
        ("SESSION_COOKIE_PATH", "app", "SESSION_COOKIE_PATH: "),
        (
            "SESSION_COOKIE_DOMAIN",
            "exam ple.com",
            "SESSION_COOKIE_DOMAIN: ",
        ),
    ] {
        let message = session(name, value).unwrap_err().to_string();
        assert!(message.starts_with(culprit), "{message}");
    }
    // The same rules hold for settings made in code.
    let config = SessionConfig::default()
        .secure(false)
        .same_site(SameSite::None);
    assert!(matches!(
        SessionManager::signed(key(), config),
        Err(ConfigError::Cookie(_))
    ));
    let config = SessionConfig::default()
        .cookie_name("__Host-session")
        .domain("example.com");
    assert!(matches!(
        SessionLayer::signed_with(key(), config),
        Err(ConfigError::Cookie(_))
    ));
    assert!(
        SessionLayer::signed_with(
            key(),
            SessionConfig::default().cookie_name("__Host-session")
        )
        .is_ok()
    );
}

#[test]
fn s57_keys_come_from_the_settings_and_weak_ones_are_refused() {
    let keys = |map: Vec<(&'static str, Value)>| FlaskSettings::from_map(map).keys();
    assert!(matches!(keys(vec![]), Err(ConfigError::MissingKey)));
    assert!(matches!(
        keys(vec![("SECRET_KEY", Value::None)]),
        Err(ConfigError::MissingKey)
    ));
    for weak in [
        "",
        "dev",
        "hunter2",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    ] {
        let error = keys(vec![("SECRET_KEY", weak.into())]).unwrap_err();
        assert!(error.to_string().starts_with("SECRET_KEY: "), "{error}");
        assert!(
            weak.len() < 5 || !format!("{error} {error:?}").contains(weak),
            "P10: {error}"
        );
    }
    let ring = keys(vec![
        ("SECRET_KEY", KEY.into()),
        ("SECRET_KEY_FALLBACKS", list(&["an old key of some length"])),
    ])
    .unwrap();
    assert_eq!(ring.fallbacks().len(), 1);
    let bytes = Value::Bytes(vec![0xff; 16]);
    assert_eq!(
        keys(vec![("SECRET_KEY", bytes)])
            .unwrap()
            .signing()
            .expose_secret(),
        [0xff; 16]
    );
    // T27: Flask takes one text apart into keys of one character.
    let error = keys(vec![
        ("SECRET_KEY", KEY.into()),
        ("SECRET_KEY_FALLBACKS", "an old key of some length".into()),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "SECRET_KEY_FALLBACKS must be a list of keys, the oldest first"
    );
    let error = keys(vec![
        ("SECRET_KEY", KEY.into()),
        ("SECRET_KEY_FALLBACKS", list(&["old"])),
    ])
    .unwrap_err();
    assert!(
        error.to_string().starts_with("SECRET_KEY_FALLBACKS: "),
        "{error}"
    );
    let settings = FlaskSettings::from_map(
        [("SECRET_KEY", KEY)].map(|(name, value)| (name, Value::from(value))),
    );
    assert_eq!(format!("{settings:?}"), "{\"SECRET_KEY\"}", "P10");
}

#[cfg(feature = "toml")]
#[test]
fn toml_files_serve_both_applications() {
    let text = format!(
        "SECRET_KEY = \"{KEY}\"\nSESSION_COOKIE_SECURE = true\nPERMANENT_SESSION_LIFETIME = 60\n[other]\nkey = 1\n"
    );
    let settings = FlaskSettings::from_toml(&text).unwrap();
    assert_eq!(
        settings.keys().unwrap().signing().expose_secret(),
        KEY.as_bytes()
    );
    assert_eq!(
        set_cookie(settings.session().unwrap()),
        "Expires=Tue, 14 Nov 2023 22:14:20 GMT; Secure; HttpOnly; Path=/"
    );

    let error = FlaskSettings::from_toml("SECRET_KEY = \"s3cret\nx").unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("cannot be read") && !shown.contains("s3cret"),
        "P10: {shown}"
    );

    let folder = std::env::temp_dir().join(format!("cloakroom-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    std::fs::write(&file, text).unwrap();
    assert!(
        FlaskSettings::from_toml_file(&file)
            .unwrap()
            .session()
            .is_ok()
    );
    std::fs::remove_dir_all(&folder).unwrap();
    let missing = FlaskSettings::from_toml_file(&file)
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with(&format!("{} cannot be read: ", file.display())),
        "{missing}"
    );
}

/// Environment variables belong to a process, so the test runs itself again with its own.
#[test]
fn environment_variables_are_read_as_flask_reads_them() {
    if std::env::var_os("CLOAKROOM_TEST_CHILD").is_some() {
        let settings = FlaskSettings::from_env();
        assert_eq!(settings.keys().unwrap().fallbacks().len(), 1);
        let attributes = set_cookie(settings.session().unwrap());
        assert_eq!(
            attributes,
            "Expires=Tue, 14 Nov 2023 22:14:20 GMT; Secure; HttpOnly; Path=/; SameSite=Lax"
        );
        return;
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "environment_variables_are_read_as_flask_reads_them",
        ])
        .env("CLOAKROOM_TEST_CHILD", "1")
        .env("FLASK_SECRET_KEY", KEY)
        .env(
            "FLASK_SECRET_KEY_FALLBACKS",
            "[\"an old key of some length\"]",
        )
        .env("FLASK_SESSION_COOKIE_SECURE", "true")
        .env("FLASK_SESSION_COOKIE_SAMESITE", "Lax")
        .env("FLASK_PERMANENT_SESSION_LIFETIME", "60")
        .env("FLASK_DEBUG", "1")
        .env("SESSION_COOKIE_NAME", "without the prefix")
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_manager_serves_frameworks_that_have_no_door() {
    let manager = SessionManager::signed(
        SecretKey::generate().unwrap(),
        SessionConfig::default().lifetime(Duration::from_secs(60)),
    )
    .unwrap();
    let session = manager.open_now(&HeaderMap::new());
    session.insert("a", Dict::from_iter([("b", 1)])).unwrap();
    let mut headers = HeaderMap::new();
    manager.close_now(&session, &mut headers).unwrap();
    let cookie = headers["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let request = HeaderMap::from_iter([(http::header::COOKIE, cookie.parse().unwrap())]);
    assert_eq!(
        manager.open_now(&request).to_tagged_json(),
        r#"{"a":{"b":1}}"#
    );
}

fn settings<const N: usize>(settings: [(&'static str, Value); N]) -> FlaskSettings {
    FlaskSettings::from_map(settings)
}

/// What a visitor's first request under these settings leaves: the cookie's value, the store's key and entry.
#[cfg(all(feature = "file", feature = "redis", feature = "sqlite"))]
async fn first_session(settings: &FlaskSettings) -> (String, String, bytes::Bytes) {
    let manager = SessionManager::from_flask(settings).await.unwrap();
    let session = manager.open(&HeaderMap::new()).await.unwrap();
    session.insert("a", 1).unwrap();
    let mut headers = HeaderMap::new();
    manager.close(&session, &mut headers).await.unwrap();
    let key = manager.store_key(&session).unwrap();
    let entry = manager.store().unwrap().load(&key).await.unwrap().unwrap();
    (manager.cookie_value(&session).unwrap(), key, entry.value)
}

#[cfg(all(feature = "file", feature = "redis", feature = "sqlite"))]
#[tokio::test]
async fn flask_session_names_choose_the_store_and_the_form_of_its_entries() {
    const PERMANENT: &[u8] = b"\x82\xaa_permanent\xc3\xa1a\x01";
    let redis = Value::from(servers::redis::shared());
    let bare = settings([
        ("SESSION_TYPE", "Redis".into()),
        ("SESSION_REDIS", redis.clone()),
    ]);
    let (cookie, key, entry) = first_session(&bare).await;
    assert_eq!(key, format!("session:{cookie}"));
    assert_eq!((cookie.len(), &entry[..]), (43, PERMANENT));

    let all = settings([
        ("SECRET_KEY", KEY.into()),
        ("SESSION_TYPE", "redis".into()),
        ("SESSION_REDIS", redis),
        ("SESSION_PERMANENT", false.into()),
        ("SESSION_USE_SIGNER", true.into()),
        ("SESSION_KEY_PREFIX", "app:".into()),
        ("SESSION_ID_LENGTH", 16.into()),
        ("SESSION_SERIALIZATION_FORMAT", "json".into()),
    ]);
    let (cookie, key, entry) = first_session(&all).await;
    let (id, signature) = cookie.split_once('.').unwrap();
    assert_eq!((id.len(), signature.len()), (22, 27));
    assert_eq!(key, format!("app:{id}"));
    assert_eq!(entry, r#"{"a":1}"#);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let files = settings([
        ("SESSION_TYPE", "filesystem".into()),
        ("SESSION_FILE_DIR", path.into()),
        ("SESSION_FILE_MODE", 0o600.into()),
        ("SESSION_FILE_THRESHOLD", 500.into()),
        ("SESSION_SERIALIZATION_FORMAT", "json".into()),
    ]);
    let (_, _, entry) = first_session(&files).await;
    assert_eq!(entry[..2], [0x80, 4], "a pickle, whatever the format says");
    let cachelib = settings([
        ("SESSION_TYPE", "cachelib".into()),
        ("SESSION_CACHELIB", path.into()),
    ]);
    assert_eq!(first_session(&cachelib).await.2[..2], [0x80, 4]);

    let table = settings([
        ("SESSION_TYPE", "sqlalchemy".into()),
        (
            "SQLALCHEMY_DATABASE_URI",
            format!("sqlite:///{path}/app.db").as_str().into(),
        ),
        ("SESSION_SQLALCHEMY_TABLE", "logins".into()),
        ("SESSION_CLEANUP_N_REQUESTS", 100.into()),
    ]);
    table
        .store()
        .await
        .unwrap()
        .unwrap()
        .prepare()
        .await
        .unwrap();
    assert_eq!(first_session(&table).await.2, PERMANENT);

    // Without SESSION_TYPE sessions stay in the cookie.
    let cookie = settings([("SECRET_KEY", KEY.into()), ("SESSION_TYPE", Value::None)]);
    assert!(cookie.store().await.unwrap().is_none());
    let layer = SessionLayer::from_flask(&cookie).await.unwrap();
    assert!(layer.manager().store().is_none());
}

#[cfg(all(
    feature = "postgres",
    feature = "mysql",
    feature = "dynamodb",
    feature = "memcached"
))]
#[tokio::test]
async fn flask_session_names_reach_every_kind_of_server() {
    let sqlalchemy = |url: &str, driver: &str| {
        let (_, rest) = url.split_once("://").unwrap();
        Value::from(format!("{driver}://{rest}").as_str())
    };
    let endpoint = servers::dynamodb::shared();
    let dynamodb = format!("dynamodb://test:test@us-west-2?endpoint={endpoint}");
    let table = servers::unique("logins").replace('-', "_");
    let postgres = sqlalchemy(servers::postgres::shared(), "postgresql+psycopg2");
    for settings in [
        settings([
            ("SESSION_TYPE", "memcached".into()),
            ("SESSION_MEMCACHED", servers::memcached::shared().into()),
        ]),
        settings([
            ("SESSION_TYPE", "sqlalchemy".into()),
            ("SESSION_SQLALCHEMY", postgres.clone()),
            ("SESSION_SQLALCHEMY_TABLE", table.as_str().into()),
            ("SESSION_SQLALCHEMY_SCHEMA", "public".into()),
        ]),
        settings([
            ("SESSION_TYPE", "sqlalchemy".into()),
            ("SESSION_SQLALCHEMY_BIND_KEY", "auth".into()),
            (
                "SQLALCHEMY_BINDS",
                Dict::from_iter([("auth", postgres)]).into(),
            ),
            ("SESSION_SQLALCHEMY_TABLE", table.as_str().into()),
        ]),
        settings([
            ("SESSION_TYPE", "sqlalchemy".into()),
            (
                "SQLALCHEMY_DATABASE_URI",
                sqlalchemy(servers::mariadb::shared(), "mysql+pymysql"),
            ),
            ("SESSION_SQLALCHEMY_TABLE", table.as_str().into()),
        ]),
        settings([
            ("SESSION_TYPE", "dynamodb".into()),
            ("SESSION_DYNAMODB", dynamodb.as_str().into()),
            ("SESSION_DYNAMODB_TABLE", table.as_str().into()),
        ]),
    ] {
        let store = settings.store().await.unwrap().unwrap();
        store.prepare().await.unwrap();
        let manager = SessionManager::from_flask(&settings).await.unwrap();
        let session = manager.new_session();
        session.insert("a", 1).unwrap();
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        let again = manager.open_value(cookie).await.unwrap();
        assert_eq!(again.get::<u8>("a").unwrap(), Some(1), "{}", store.name());
    }
}

#[tokio::test]
async fn contradictions_between_settings_of_stores_name_the_setting_and_no_value() {
    let typed = |session_type: &'static str, name: &'static str, value: Value| {
        settings([("SESSION_TYPE", session_type.into()), (name, value)])
    };
    let secret = || Value::from("hunter2");
    for (settings, message) in [
        (
            settings([("SESSION_REDIS", secret())]),
            "SESSION_REDIS: it is for sessions in a store: set SESSION_TYPE too",
        ),
        (
            settings([("SESSION_KEY_PREFIX", secret())]),
            "SESSION_KEY_PREFIX: it is for sessions in a store",
        ),
        (
            typed("redis", "SESSION_MEMCACHED", secret()),
            "SESSION_MEMCACHED: it is of use with SESSION_TYPE=memcached only, and that is redis",
        ),
        (
            typed("redis", "SESSION_REDIS", secret()),
            "SESSION_REDIS must be the URL of a server",
        ),
        (
            typed("redis", "SESSION_REDIS", "postgres://:hunter2@h/".into()),
            "SESSION_REDIS must be the URL of a server",
        ),
        (
            typed("redis", "SESSION_REDIS", 5.into()),
            "SESSION_REDIS must be text",
        ),
        (
            typed("mongodb", "SESSION_MONGODB_DB", secret()),
            "SESSION_TYPE: there is no store for mongodb",
        ),
        (
            typed("filesystem", "SESSION_FILE_MODE", 0o644.into()),
            "SESSION_FILE_MODE must be 384",
        ),
        (
            typed("filesystem", "SESSION_FILE_THRESHOLD", secret()),
            "SESSION_FILE_THRESHOLD must be a whole number",
        ),
        (
            typed("filesystem", "SESSION_FILE_DIR", "".into()),
            "SESSION_FILE_DIR must be the folder",
        ),
        (
            typed("cachelib", "SESSION_CACHELIB", "redis://:hunter2@h".into()),
            "SESSION_CACHELIB must be the folder of a FileSystemCache",
        ),
        (
            typed("sqlalchemy", "SESSION_CLEANUP_N_REQUESTS", 5.into()),
            "SESSION_TYPE: sqlalchemy needs a database",
        ),
        (
            typed(
                "sqlalchemy",
                "SESSION_SQLALCHEMY",
                "oracle://hunter2@h/d".into(),
            ),
            "SESSION_SQLALCHEMY must be the URL of PostgreSQL",
        ),
        (
            typed("sqlalchemy", "SESSION_SQLALCHEMY_SEQUENCE", secret()),
            "SESSION_SQLALCHEMY_SEQUENCE: ids of rows come from",
        ),
        (
            typed("sqlalchemy", "SESSION_SQLALCHEMY_BIND_KEY", secret()),
            "SESSION_SQLALCHEMY_BIND_KEY: SQLALCHEMY_BINDS has no URL",
        ),
        (
            typed("dynamodb", "SESSION_DYNAMODB_TABLE_NAME", secret()),
            "SESSION_DYNAMODB_TABLE_NAME: Flask-Session 0.8 reads SESSION_DYNAMODB_TABLE",
        ),
        (
            settings([
                ("SESSION_TYPE", "dynamodb".into()),
                ("SESSION_DYNAMODB", "dynamodb://us-west-2/hunter2".into()),
                ("SESSION_DYNAMODB_TABLE", "Sessions".into()),
            ]),
            "SESSION_DYNAMODB_TABLE: SESSION_DYNAMODB names another table",
        ),
        (
            settings([
                ("SESSION_TYPE", "sqlalchemy".into()),
                ("SESSION_SQLALCHEMY", "sqlite://".into()),
                ("SESSION_SQLALCHEMY_SCHEMA", "hunter2".into()),
            ]),
            "SESSION_SQLALCHEMY_SCHEMA: only PostgreSQL has schemas",
        ),
        (
            settings([
                ("SESSION_TYPE", "sqlalchemy".into()),
                ("SESSION_SQLALCHEMY", "sqlite://".into()),
                ("SESSION_SQLALCHEMY_TABLE", "hunter2;".into()),
            ]),
            "SESSION_SQLALCHEMY_TABLE must be a name",
        ),
        #[cfg(feature = "redis")]
        (
            typed(
                "redis",
                "SESSION_REDIS",
                "redis://:hunter2@127.0.0.1:1".into(),
            ),
            "SESSION_REDIS: the store cannot be reached",
        ),
        #[cfg(not(feature = "redis"))]
        (
            typed(
                "redis",
                "SESSION_REDIS",
                "redis://:hunter2@127.0.0.1:1".into(),
            ),
            "SESSION_TYPE: the store refused: this kind of store needs cloakroom's cargo feature `redis`",
        ),
    ] {
        let error = settings.store().await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.starts_with(message), "{message}: {shown}");
        assert!(!shown.contains("hunter2"), "P10: {shown}");
    }
    // Sessions that are meant for a store never land in the cookie.
    let error = SessionLayer::signed_with(key(), session("SESSION_TYPE", "redis").unwrap());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("SESSION_TYPE: it asks for sessions in a store")
    );
}

#[cfg(feature = "file")]
#[test]
fn t16_in_cachelibs_folders_sessions_are_pickles_whatever_else_is_said() {
    use cloakroom::{format::Serialization, store::FileStore};

    let folder = tempfile::tempdir().unwrap();
    let store = || FileStore::cachelib(folder.path()).unwrap();
    assert!(SessionManager::stored(store(), SessionConfig::default()).is_ok());
    let pickle = SessionConfig::default().serialization(Serialization::Pickle);
    assert!(SessionManager::stored(store(), pickle).is_ok());
    let json = SessionConfig::default().serialization(Serialization::Json);
    let error = SessionManager::stored(store(), json).unwrap_err();
    assert!(
        error.to_string().contains("SESSION_SERIALIZATION_FORMAT"),
        "{error}"
    );
}
