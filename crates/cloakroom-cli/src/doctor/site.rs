//! Asking a site for its pages, as a visitor who has just come and one who comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom::doctor::Exchange;
use http::header::{ACCEPT, COOKIE, HOST, LOCATION, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use url::Url;

use super::uri;
use crate::output::Failure;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Enough to tell one page from another.
const MOST_BODY: usize = 1 << 20;
const MOST_REDIRECTS: usize = 5;

/// Each page without cookies and, where the site sets any or a visitor has lent some, with them and without them again.
pub(super) async fn visit(
    pages: &[Url],
    lent: &str,
    insecure: bool,
) -> Result<Vec<Exchange>, Failure> {
    let visitor = Visitor(client(insecure)?);
    let mut exchanges = Vec::new();
    let mut jar = Jar::default();
    let mut arrived = Vec::new();
    for page in pages {
        arrived.push(visitor.follow(page, &mut jar, &mut exchanges).await?);
    }
    // Only now, or the session that a stranger gets would take the place of the visitor's.
    jar.lend(lent)?;
    if let Some(cookies) = jar.header() {
        for page in arrived {
            exchanges.push(visitor.get(&page, Some(&cookies)).await?);
            exchanges.push(visitor.get(&page, None).await?);
        }
    }
    Ok(exchanges)
}

struct Visitor(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Visitor {
    /// Goes where redirects lead on the same host, looking at each answer, and says where that is.
    async fn follow(
        &self,
        page: &Url,
        jar: &mut Jar,
        exchanges: &mut Vec<Exchange>,
    ) -> Result<Url, Failure> {
        let mut page = page.clone();
        for hop in 0.. {
            let exchange = self.get(&page, None).await?;
            jar.store(&exchange.headers);
            let next = target(&page, &exchange).filter(|_| hop < MOST_REDIRECTS);
            exchanges.push(exchange);
            match next {
                Some(next) => page = next,
                None => break,
            }
        }
        Ok(page)
    }

    async fn get(&self, page: &Url, cookies: Option<&HeaderValue>) -> Result<Exchange, Failure> {
        let mut without_fragment = page.clone();
        without_fragment.set_fragment(None);
        let uri = uri(&without_fragment)?;
        let mut request = Request::get(uri.clone())
            .header(ACCEPT, "text/html,*/*;q=0.8")
            .header(
                USER_AGENT,
                concat!("cloakroom-doctor/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(host) = uri.authority() {
            request = request.header(HOST, host.as_str());
        }
        if let Some(cookies) = cookies {
            request = request.header(COOKIE, cookies);
        }
        let request = request
            .body(Empty::new())
            .map_err(|_| Failure::Misuse("the URL can't be asked for".to_owned()))?;
        let answer = async {
            let response = self
                .0
                .request(request)
                .await
                .map_err(|error| reason(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_BODY).collect().await;
            Ok((head, body.map(http_body_util::Collected::to_bytes)))
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let (head, body) = answer
            .unwrap_or_else(|_| Err(format!("no answer within {} seconds", PATIENCE.as_secs())))
            .map_err(|reason| Failure::Refused {
                code: "site_unreachable",
                reason: format!("{}: {reason}", place(page)),
            })?;
        Ok(Exchange {
            uri,
            with_cookies: cookies.is_some(),
            status: head.status,
            headers: head.headers,
            // One that is too long, or breaks off, says nothing; its headers do.
            body: body.unwrap_or_default(),
        })
    }
}

/// Scheme, host and port, without what else is in a URL.
fn place(page: &Url) -> String {
    page.origin().ascii_serialization()
}

/// What went wrong below, which the client's own error does not say.
fn reason(error: &dyn std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        reason = below.to_string();
        source = below.source();
    }
    reason
}

/// Where a redirect leads, if that is on the same host.
fn target(page: &Url, exchange: &Exchange) -> Option<Url> {
    if !exchange.status.is_redirection() {
        return None;
    }
    let location = exchange.headers.get(LOCATION)?.to_str().ok()?;
    let target = page.join(location).ok()?;
    let same_host = target.host_str() == page.host_str()
        && matches!(target.scheme(), "http" | "https")
        && target.username().is_empty()
        && target.password().is_none();
    same_host.then_some(target)
}

/// The cookies that the site has set, for the second visit. They are sent whatever their attributes say: that a browser
/// would not is for the checks to find.
#[derive(Default)]
struct Jar(BTreeMap<Vec<u8>, Vec<u8>>);

impl Jar {
    fn store(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let pair = header.as_bytes().split(|byte| *byte == b';').next();
            let pair = pair.unwrap_or_default().trim_ascii();
            let Some(end) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, value) = (&pair[..end], &pair[end + 1..]);
            // Removed, or as good as that.
            if value.is_empty() || value == b"\"\"" {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_vec(), value.to_vec());
            }
        }
    }

    /// The pairs of a `Cookie` header, with or without its name.
    fn lend(&mut self, header: &str) -> Result<(), Failure> {
        let named = header
            .get(..7)
            .is_some_and(|name| name.eq_ignore_ascii_case("cookie:"));
        let pairs = if named { &header[7..] } else { header };
        for pair in pairs.split(';').map(str::trim) {
            match pair.split_once('=') {
                Some((name, value)) if pair.bytes().all(|byte| byte >= b' ' && byte != 0x7f) => {
                    self.0.insert(name.into(), value.into());
                }
                _ if pair.is_empty() => {}
                _ => {
                    return Err(Failure::Misuse(
                        "standard input is no Cookie header: it holds NAME=VALUE, separated by semicolons, on one line"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }

    fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<Vec<u8>> = self
            .0
            .iter()
            .map(|(name, value)| [name.as_slice(), value].join(&b'='))
            .collect();
        let mut header = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
        header.set_sensitive(true);
        (!pairs.is_empty()).then_some(header)
    }
}

fn client(insecure: bool) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, Failure> {
    let provider = aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Misuse(format!("https can't be used: {error}")))?;
    let tls = match insecure {
        true => tls
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        false => tls.with_root_certificates(system_roots()),
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

/// Whom this machine trusts. A machine that trusts nobody can still ask over plain http.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Takes a site's word for who it is: `--insecure`. The signatures of the handshake are checked all the same.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
