//! Where the table is.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{Client, config::Credentials};
use url::Url;

use crate::store::StoreError;

/// What a `dynamodb://` URL says.
pub(super) struct Target {
    pub(super) table: String,
    region: Option<String>,
    endpoint: Option<String>,
    credentials: Option<Credentials>,
    connect_timeout: Duration,
    read_timeout: Duration,
}

/// Flask-Session's `SESSION_DYNAMODB_TABLE`.
const TABLE: &str = "Sessions";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Less than a store's time limit, so that the more exact reason comes first.
const READ_TIMEOUT: Duration = Duration::from_millis(1500);

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let refused = |reason: &'static str| StoreError::refused(reason);
        // Its errors may quote the URL, which may hold a password.
        let url = Url::parse(url).map_err(|_| refused("dynamodb: this is not a URL"))?;
        if url.scheme() != "dynamodb" || url.cannot_be_a_base() {
            return Err(refused(
                "dynamodb: the URL must be like dynamodb://REGION/TABLE",
            ));
        }
        if url.port().is_some() {
            return Err(refused(
                "dynamodb: the URL begins with a region, not with an address; give that as ?endpoint=http://HOST:PORT",
            ));
        }
        let table = match url.path().trim_start_matches('/') {
            "" => TABLE,
            table => table,
        };
        // DynamoDB's own rule.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !table.bytes().all(is_name) || !(3..=255).contains(&table.len()) {
            return Err(refused(
                "dynamodb: a table's name has 3 to 255 letters, digits, `_`, `-` or `.`",
            ));
        }
        let mut target = Self {
            table: table.to_owned(),
            region: url
                .host_str()
                .filter(|host| !host.is_empty())
                .map(str::to_owned),
            endpoint: None,
            credentials: credentials(&url)?,
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
        };
        for (name, value) in url.query_pairs() {
            match &*name {
                "endpoint" => target.endpoint = Some(endpoint(value.into_owned())?),
                "connect_timeout" => target.connect_timeout = seconds(&value)?,
                "read_timeout" => target.read_timeout = seconds(&value)?,
                _ => {
                    return Err(refused(
                        "dynamodb: the options of the URL are endpoint, connect_timeout and read_timeout",
                    ));
                }
            }
        }
        Ok(target)
    }

    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // A write whose answer was lost and that is sent again would take itself for another's.
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(self.connect_timeout)
                    .read_timeout(self.read_timeout)
                    // Everything together, finding the credentials and reading all of the answer too.
                    .operation_timeout(self.connect_timeout.saturating_add(self.read_timeout))
                    .build(),
            );
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(StoreError::refused(
                "dynamodb: no region: name it in the URL, dynamodb://REGION/TABLE, or in AWS_REGION",
            ));
        }
        Ok(Client::new(&config))
    }
}

fn endpoint(value: String) -> Result<String, StoreError> {
    match Url::parse(&value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(value),
        _ => Err(StoreError::refused(
            "dynamodb: the endpoint is not an http:// or https:// URL",
        )),
    }
}

fn seconds(value: &str) -> Result<Duration, StoreError> {
    let seconds: Option<f64> = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| StoreError::refused("dynamodb: a time-out is a number of seconds, above 0"))
}

fn credentials(url: &Url) -> Result<Option<Credentials>, StoreError> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (id, Some(secret)) if !id.is_empty() => {
            let credentials =
                Credentials::new(decoded(id), decoded(secret), None, None, "cloakroom");
            Ok(Some(credentials))
        }
        _ => Err(StoreError::refused(
            "dynamodb: the URL has one of access key id and secret access key and not the other",
        )),
    }
}

/// Undoes the percent-encoding, in which a plus is a plus.
fn decoded(text: &str) -> String {
    let pair = format!("={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_region_table_endpoint_and_credentials() {
        let target = Target::parse(
            "dynamodb://AKIA:a%2Fb+c@us-west-2/my.sessions?endpoint=http://127.0.0.1:8000&read_timeout=0.5",
        )
        .unwrap();
        assert_eq!(target.region.as_deref(), Some("us-west-2"));
        assert_eq!(target.table, "my.sessions");
        assert_eq!(target.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!(target.read_timeout, Duration::from_millis(500));
        assert_eq!(target.connect_timeout, Duration::from_secs(2));
        let credentials = target.credentials.unwrap();
        assert_eq!(credentials.access_key_id(), "AKIA");
        assert_eq!(credentials.secret_access_key(), "a/b+c");
    }

    #[test]
    fn a_url_may_leave_everything_to_the_environment() {
        for url in ["dynamodb://", "dynamodb:///", "dynamodb:///Sessions"] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.region, None, "{url}");
            assert_eq!(target.table, "Sessions");
            assert!(target.endpoint.is_none() && target.credentials.is_none());
        }
    }

    #[test]
    fn any_other_url_is_refused_and_not_quoted() {
        for url in [
            "hush",
            "redis://hush",
            "dynamodb:hush",
            "dynamodb://hush:8000/Sessions",
            "dynamodb://us-west-2/hu sh",
            "dynamodb://us-west-2/hush/hush",
            "dynamodb://us-west-2/no",
            "dynamodb://hush@us-west-2/Sessions",
            "dynamodb://us-west-2/Sessions?endpoint=hush",
            "dynamodb://us-west-2/Sessions?endpont=http://hush",
            "dynamodb://us-west-2/Sessions?read_timeout=hush",
            "dynamodb://us-west-2/Sessions?read_timeout=0",
            "dynamodb://us-west-2/Sessions?connect_timeout=-1",
            "dynamodb://us-west-2/Sessions?connect_timeout=1e300",
        ] {
            let error = Target::parse(url).err().unwrap();
            assert_eq!(error.kind(), crate::store::StoreErrorKind::Refused, "{url}");
            assert!(
                !format!("{error} {error:?}").contains("hu"),
                "{url}: {error}"
            );
        }
    }
}
