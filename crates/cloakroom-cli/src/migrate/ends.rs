//! The two stores: from where, and to where.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use cloakroom::store::Store;

use crate::output::Failure;
use crate::store::{Source, failed};

#[derive(Args)]
#[group(multiple = false)]
pub(super) struct FromArguments {
    /// The environment variable with the URL of the store to copy from [default: `SESSION_STORE_FROM`]
    #[arg(long, value_name = "NAME")]
    from_env: Option<String>,

    /// The file with that URL
    #[arg(long, value_name = "PATH")]
    from_file: Option<PathBuf>,

    /// That URL, if it has no password: `cachelib:flask_session`, `redis://localhost/0`
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

#[derive(Args)]
#[group(multiple = false)]
pub(super) struct ToArguments {
    /// The environment variable with the URL of the store to copy to [default: `SESSION_STORE_TO`]
    #[arg(long, value_name = "NAME")]
    to_env: Option<String>,

    /// The file with that URL
    #[arg(long, value_name = "PATH")]
    to_file: Option<PathBuf>,

    /// That URL, if it has no password: `redis://localhost/1`, `postgres://app@localhost/app`
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

/// Both stores, connected.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) from: Store,
    pub(super) to: Store,
    /// Both URLs without logins and options, for the state file.
    pub(super) between: String,
}

/// A call may wait for a server that is busy with visitors.
const PATIENCE: Duration = Duration::from_secs(30);

impl Ends {
    pub(super) async fn open(from: &FromArguments, to: &ToArguments) -> Result<Self, Failure> {
        let from = Source {
            option: "from",
            usual: "SESSION_STORE_FROM",
            env: from.from_env.as_deref(),
            file: from.from_file.as_deref(),
            url: from.from.as_deref(),
        };
        let to = Source {
            option: "to",
            usual: "SESSION_STORE_TO",
            env: to.to_env.as_deref(),
            file: to.to_file.as_deref(),
            url: to.to.as_deref(),
        };
        let (from, to) = (from.url()?, to.url()?);
        if *from == *to {
            return Err(Failure::Misuse(
                "both stores are the same: --from and --to have to differ".to_owned(),
            ));
        }
        if from.starts_with("memcached:") {
            return Err(Failure::Refused {
                code: "cannot_list",
                reason: "memcached does not tell which entries it has, so nothing can copy them all: let your service \
                         read both stores instead, with Store::moving_from, until the old sessions have ended"
                    .to_owned(),
            });
        }
        let open = async |url: &str| {
            // Each process has its own, and this one's is about to end.
            if url.starts_with("memory:") {
                return Err(Failure::Misuse(
                    "sessions in memory: are only in the process that serves them".to_owned(),
                ));
            }
            let store = Store::from_url(url).await.map_err(failed)?;
            Ok(store.timeout(PATIENCE).without_breaker())
        };
        Ok(Self {
            between: format!("{} {}", bare(&from), bare(&to)),
            from: open(&from).await?,
            to: open(&to).await?,
        })
    }

    /// Whether the source knows only the hashes of its keys.
    pub(super) fn is_hashed(&self) -> bool {
        self.from.shares_pickles()
    }
}

/// A URL without what may be secret or may change: logins and options.
fn bare(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
            format!("{scheme}://{rest}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_what_names_the_stores_holds_no_login() {
        for (url, expected) in [
            ("redis://me:p@ss@host:1/0?password=x", "redis://host:1/0"),
            ("postgres://app:pa/ss@host/db", "postgres://host/db"),
            ("sqlite:app.db?table=x", "sqlite:app.db"),
            ("cachelib:flask_session", "cachelib:flask_session"),
        ] {
            assert_eq!(bare(url), expected);
        }
    }
}
