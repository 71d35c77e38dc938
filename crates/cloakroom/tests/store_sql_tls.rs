//! TLS to SQL databases: encrypted where it is asked for, and never silently not.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[cfg(not(feature = "sql-tls"))]
mod without_the_feature {
    use cloakroom::store::{MySqlStore, PostgresStore, StoreError, StoreErrorKind};

    #[track_caller]
    fn refused(error: Option<StoreError>) {
        let error = error.unwrap();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(error.to_string().contains("`sql-tls`"), "{error}");
    }

    // No server is needed to say so.
    #[tokio::test]
    async fn p7_a_url_that_asks_for_tls_is_refused_by_the_name_of_the_feature() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://app@127.0.0.1:1/app?sslmode={mode}");
            refused(PostgresStore::connect(&url).await.err());
        }
        for mode in ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
            let url = format!("mysql://app@127.0.0.1:1/app?ssl-mode={mode}");
            refused(MySqlStore::connect(&url).await.err());
        }
    }
}

#[cfg(feature = "sql-tls")]
mod with_the_feature {
    use std::{fs, time::Duration};

    use base64::{Engine, engine::general_purpose::STANDARD};
    use cloakroom::store::{Driver, PostgresStore, StoreErrorKind};
    use sqlx::{Connection, Executor, PgConnection, Row};

    /// Gives a server a certificate of its own making; returns the certificate's file.
    async fn secure(server: &servers::Server, folder: &std::path::Path) -> String {
        let [certificate, key] = servers::certificate(folder, "DNS:localhost");
        let mut connection = PgConnection::connect(server.url()).await.unwrap();
        // The server writes them itself, so that they are its own.
        for file in [&certificate, &key] {
            let name = file.file_name().unwrap().to_str().unwrap();
            let text = STANDARD.encode(fs::read(file).unwrap());
            let copy = format!("COPY (SELECT '{text}') TO PROGRAM 'umask 077; base64 -d > {name}'");
            let copy = sqlx::raw_sql(sqlx::AssertSqlSafe(copy));
            connection.execute(copy).await.unwrap();
        }
        for sql in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
            connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        }
        loop {
            let shown = connection.fetch_one(sqlx::raw_sql("SHOW ssl")).await;
            if shown.unwrap().get::<&str, _>(0) == "on" {
                return certificate.display().to_string();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn p7_postgres_is_spoken_to_in_tls_and_the_server_is_the_one_meant() {
        let server = servers::postgres::start().unwrap();
        let required = format!("{}?sslmode=require", server.url());
        let error = PostgresStore::connect(&required).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreachable);
        assert!(error.to_string().contains("TLS"), "{error}");

        let folder = tempfile::tempdir().unwrap();
        let certificate = secure(&server, folder.path()).await;
        let store = PostgresStore::connect(&required).await.unwrap();
        store.migrate().await.unwrap();
        let hour = Duration::from_secs(3600);
        store.create("session:a", "a".into(), hour).await.unwrap();
        assert_eq!(store.load("session:a").await.unwrap().unwrap().value, "a");
        let mut connection = PgConnection::connect(server.url()).await.unwrap();
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let encrypted = connection.fetch_one(sqlx::raw_sql(encrypted)).await;
        assert!(encrypted.unwrap().get::<bool, _>(0));

        // Anybody can make a certificate: nobody vouches for this one unless it is named.
        let named = server.url().replace("127.0.0.1", "localhost");
        let error = PostgresStore::connect(&format!("{named}?sslmode=verify-full")).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
        let verified = format!("{named}?sslmode=verify-full&sslrootcert={certificate}");
        let store = PostgresStore::connect(&verified).await.unwrap();
        assert!(store.load("session:a").await.unwrap().is_some());
        // It is for this name only.
        let elsewhere = verified.replace("localhost", "127.0.0.1");
        assert!(PostgresStore::connect(&elsewhere).await.is_err());
    }
}
