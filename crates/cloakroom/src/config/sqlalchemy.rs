//! Databases as SQLAlchemy names them.

use crate::store::Kind;

/// SQLAlchemy's `dialect+driver://…` as a URL that the stores take; none for what they do not.
///
/// `instance` is the folder in which a relative path to SQLite begins.
pub(super) fn translate(url: &str, instance: Option<&str>) -> Option<(Kind, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let dialect = scheme
        .split_once('+')
        .map_or(scheme, |(dialect, _)| dialect);
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    match dialect {
        "postgresql" | "postgres" => Some((Kind::Postgres, format!("postgres://{rest}"))),
        "mysql" | "mariadb" => {
            let options = mysql_options(query)?;
            Some((Kind::MySql, format!("mysql://{before}{options}")))
        }
        "sqlite" => {
            let known = |option: &str| {
                let name = option.split('=').next();
                // Of Python's sqlite3, about waiting, threads and its own caches.
                matches!(
                    name,
                    Some(
                        "" | "timeout"
                            | "check_same_thread"
                            | "isolation_level"
                            | "cached_statements"
                    )
                )
            };
            if !query.split('&').all(known) {
                return None;
            }
            Some((
                Kind::Sqlite,
                format!("sqlite:{}", sqlite_path(before, instance)?),
            ))
        }
        _ => None,
    }
}

/// The part after `sqlite://`: nothing or `/:memory:`, `/relative`, `//absolute`.
fn sqlite_path(rest: &str, instance: Option<&str>) -> Option<String> {
    if matches!(rest, "" | "/" | "/:memory:") {
        return Some(":memory:".to_owned());
    }
    let path = rest.strip_prefix('/')?;
    // What the store takes is percent-decoded, which SQLAlchemy's is not.
    let path = path.replace('%', "%25");
    Some(match (path.starts_with('/'), instance) {
        (false, Some(instance)) => format!("{instance}/{path}"),
        (true, _) | (false, None) => path,
    })
}

/// Options of Python's MySQL drivers under the names that the store knows.
fn mysql_options(query: &str) -> Option<String> {
    let mut options = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=')?;
        let name = match name {
            "charset" => "charset",
            "unix_socket" => "socket",
            "ssl_ca" => "ssl-ca",
            "ssl_cert" => "ssl-cert",
            "ssl_key" => "ssl-key",
            _ => return None,
        };
        options.push(format!("{name}={value}"));
    }
    Some(match options.as_slice() {
        [] => String::new(),
        options => format!("?{}", options.join("&")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_sqlalchemy_become_ours() {
        for (theirs, kind, ours) in [
            (
                "postgresql+psycopg2://u:p%40@h:5/d?sslmode=require",
                Kind::Postgres,
                "postgres://u:p%40@h:5/d?sslmode=require",
            ),
            ("postgresql://h/d", Kind::Postgres, "postgres://h/d"),
            ("postgres://h/d", Kind::Postgres, "postgres://h/d"),
            (
                "mysql+pymysql://u:p@h/d?charset=utf8mb4&unix_socket=/s",
                Kind::MySql,
                "mysql://u:p@h/d?charset=utf8mb4&socket=/s",
            ),
            ("mariadb+mysqldb://h/d", Kind::MySql, "mysql://h/d"),
            ("sqlite://", Kind::Sqlite, "sqlite::memory:"),
            ("sqlite:///:memory:", Kind::Sqlite, "sqlite::memory:"),
            ("sqlite:///a%20b.db", Kind::Sqlite, "sqlite:a%2520b.db"),
            (
                "sqlite+pysqlite:////var/a.db?timeout=5",
                Kind::Sqlite,
                "sqlite:/var/a.db",
            ),
        ] {
            assert_eq!(
                translate(theirs, None),
                Some((kind, ours.to_owned())),
                "{theirs}"
            );
        }
        assert_eq!(
            translate("sqlite:///app.db", Some("instance")),
            Some((Kind::Sqlite, "sqlite:instance/app.db".to_owned()))
        );
        assert_eq!(
            translate("sqlite:////app.db", Some("instance")),
            Some((Kind::Sqlite, "sqlite:/app.db".to_owned()))
        );
    }

    #[test]
    fn what_the_stores_do_not_take_is_no_url() {
        for url in [
            "",
            "app.db",
            "oracle://h/d",
            "mssql+pyodbc://h/d",
            "sqlite://host/app.db",
            "sqlite:///file:app.db?uri=true",
            "mysql://h/d?read_timeout=5",
        ] {
            assert_eq!(translate(url, None), None, "{url}");
        }
    }
}
