//! What browsers do with each `Set-Cookie` header of a site.

use http::{Uri, header::SET_COOKIE};

use super::{
    Checkup, Exchange, Finding, Severity, Site,
    finding::finding,
    known_keys,
    session_like::{is_session, is_signed},
    site::{Transport, address},
};
use crate::cookie::{Dropped, MAX_COOKIE_SIZE, MAX_LIFETIME, PrefixRule, Received, SameSite};

pub(super) fn check(exchanges: &[Exchange], session_cookie: Option<&str>, now: i64) -> Checkup {
    let mut checkup = Checkup::default();
    let mut scopes: Vec<Scope> = Vec::new();
    for exchange in exchanges {
        let mut here: Vec<Scope> = Vec::new();
        for header in exchange.headers.get_all(SET_COOKIE) {
            let cookie = match Received::read(header.as_bytes()) {
                Ok(cookie) => cookie,
                Err(dropped) => {
                    checkup.add(unreadable(dropped));
                    continue;
                }
            };
            let session = is_session(&cookie, session_cookie);
            check_one(
                &mut checkup,
                &Site::of(&exchange.uri),
                &cookie,
                session,
                now,
            );
            let scope = Scope::of(&cookie, &exchange.uri);
            if here.contains(&scope) {
                checkup.add(twice(&subject(&cookie)));
            }
            here.push(scope);
        }
        scopes.extend(here);
    }
    for (index, scope) in scopes.iter().enumerate() {
        let rival = |other: &&Scope| other.name == scope.name && *other != scope;
        if scopes[..index].iter().any(|other| rival(&other)) {
            checkup.add(two_scopes(&named(&scope.name)));
        }
    }
    checkup
}

/// What browsers keep apart: a cookie is another one if any of these differs.
#[derive(PartialEq, Eq)]
struct Scope {
    name: Vec<u8>,
    domain: Option<String>,
    path: Vec<u8>,
}

impl Scope {
    fn of(cookie: &Received<'_>, uri: &Uri) -> Self {
        // Without a path of its own a cookie gets the folder of the page (RFC 6265bis, section 5.1.4).
        let folder = || match uri.path().rfind('/') {
            None | Some(0) => b"/".to_vec(),
            Some(end) => uri.path().as_bytes()[..end].to_vec(),
        };
        Self {
            name: cookie.name.to_vec(),
            domain: cookie.domain.clone(),
            path: cookie.path.map_or_else(folder, <[u8]>::to_vec),
        }
    }
}

fn subject(cookie: &Received<'_>) -> String {
    named(cookie.name)
}

/// A name is somebody else's text and goes to a terminal.
fn named(name: &[u8]) -> String {
    format!("cookie `{}`", name.escape_ascii())
}

fn check_one(checkup: &mut Checkup, site: &Site, cookie: &Received<'_>, session: bool, now: i64) {
    let subject = subject(cookie);
    let mut count = 0;
    let mut add = |found: Option<Finding>| {
        if let Some(found) = found {
            count += 1;
            checkup.add(found);
        }
    };
    add(broken_prefix(&subject, cookie));
    add(secure(&subject, site, cookie, session));
    add(same_site(&subject, cookie, session));
    add(domain(&subject, site, cookie.domain.as_deref(), session));
    add(size(&subject, cookie));
    for attribute in &cookie.overlong {
        add(Some(overlong(&subject, attribute)));
    }
    // What is only there to be forgotten has nothing to protect.
    if cookie.is_deletion(now) {
        add(contradiction(&subject, cookie, now));
        return;
    }
    add(not_ascii(&subject, cookie));
    add((session && !cookie.http_only).then(|| script_readable(&subject)));
    let lives = cookie.lives(now).and_then(|left| u64::try_from(left).ok());
    add(lives.and_then(|seconds| long_lived(&subject, seconds)));
    add(contradiction(&subject, cookie, now));
    let published = published_key(&subject, cookie.value);
    let tried = is_signed(cookie.value) && published.is_none();
    add(published);
    if count == 0 {
        checkup.note_fine(format!("{subject}: browsers keep it as it is meant"));
    }
    if tried {
        checkup.note_fine(format!(
            "{subject}: none of {} published keys signed it",
            known_keys::count()
        ));
    }
}

fn unreadable(dropped: Dropped) -> Finding {
    finding(
        "unreadable_set_cookie",
        Severity::Problem,
        "a Set-Cookie header",
        match dropped {
            Dropped::ControlCharacter => {
                "it holds a control character, so browsers drop it whole (RFC 6265bis, section 5.6)"
            }
            Dropped::Empty => {
                "it has neither a name nor a value, so browsers drop it (RFC 6265bis, section 5.7)"
            }
        },
        "write `name=value`, with what is not printable encoded",
    )
}

fn twice(subject: &str) -> Finding {
    finding(
        "same_name_twice",
        Severity::Problem,
        subject,
        "one response sets it twice; the later header wins in most clients, and which one is later may change on the way",
        "set it once: two layers or a middleware and a handler write the same cookie",
    )
}

fn two_scopes(subject: &str) -> Finding {
    finding(
        "same_name_two_scopes",
        Severity::Problem,
        subject,
        "it is set with different Path or Domain attributes; browsers keep both and send both, and the server cannot \
         tell which is which",
        "use one Path and one Domain everywhere, also when deleting, or another name",
    )
}

fn broken_prefix(subject: &str, cookie: &Received<'_>) -> Option<Finding> {
    let (prefix, rule) = cookie.broken_prefix()?;
    let (lacks, fix) = match rule {
        PrefixRule::Secure => ("Secure", "add Secure, or take the prefix out of the name"),
        PrefixRule::HttpOnly => (
            "HttpOnly",
            "add HttpOnly, or take the prefix out of the name",
        ),
        PrefixRule::NoDomain => (
            "to have no Domain",
            "remove Domain, or use __Secure- to share the cookie with subdomains",
        ),
        PrefixRule::RootPath => ("Path=/", "set Path=/, or use __Secure- for another path"),
    };
    Some(finding(
        "prefix_rules",
        Severity::Problem,
        subject,
        format!(
            "a name that begins with {prefix} needs {lacks}, so browsers drop the cookie (RFC 6265bis, section 4.1.3)"
        ),
        fix,
    ))
}

fn secure(subject: &str, site: &Site, cookie: &Received<'_>, session: bool) -> Option<Finding> {
    if cookie.broken_prefix().is_some() {
        return None;
    }
    if cookie.partitioned && !cookie.secure {
        return Some(finding(
            "partitioned_without_secure",
            Severity::Problem,
            subject,
            "browsers drop a Partitioned cookie that is not Secure",
            "add Secure",
        ));
    }
    match cookie.secure {
        true => secure_on_plain_http(subject, site),
        // Said below, by what SameSite=None needs.
        false if cookie.same_site == Some(SameSite::None) => None,
        false if session => not_secure_on_https(subject, site),
        false => None,
    }
}

pub(super) fn secure_on_plain_http(subject: &str, site: &Site) -> Option<Finding> {
    let (severity, happens) = match site.transport()? {
        Transport::Https => return None,
        Transport::PlainHttp => (
            Severity::Problem,
            "it is Secure and the page came over plain http, so browsers drop it: nobody stays logged in",
        ),
        Transport::PlainHttpLoopback => (
            Severity::Warning,
            "it is Secure on plain http; Chrome and Firefox take that from this machine, Safari drops the cookie",
        ),
    };
    Some(finding(
        "secure_on_plain_http",
        severity,
        subject,
        happens,
        "serve the site over https, or leave Secure (and the prefixes that need it) out where there is none",
    ))
}

pub(super) fn not_secure_on_https(subject: &str, site: &Site) -> Option<Finding> {
    (site.transport()? == Transport::Https).then(|| {
        finding(
            "not_secure_on_https",
            Severity::Problem,
            subject,
            "it is not Secure, so browsers send it over plain http as well, where anybody on the way can take it",
            "add Secure (SESSION_COOKIE_SECURE = True)",
        )
    })
}

fn same_site(subject: &str, cookie: &Received<'_>, session: bool) -> Option<Finding> {
    match cookie.same_site {
        Some(SameSite::None) if !cookie.secure => Some(finding(
            "same_site_none_without_secure",
            Severity::Problem,
            subject,
            "SameSite=None without Secure: browsers drop the cookie (RFC 6265bis, section 5.7)",
            "add Secure, or use SameSite=Lax",
        )),
        None if session => Some(same_site_missing(subject)),
        _ => None,
    }
}

pub(super) fn same_site_missing(subject: &str) -> Finding {
    finding(
        "same_site_missing",
        Severity::Note,
        subject,
        "it has no SameSite: Chrome takes it as Lax, with an exception for two minutes; Firefox and Safari send the cookie \
         with requests from other sites",
        "add SameSite=Lax (SESSION_COOKIE_SAMESITE = \"Lax\")",
    )
}

/// What browsers make of a Domain attribute, in lower case and without its dot.
pub(super) fn domain(
    subject: &str,
    site: &Site,
    domain: Option<&str>,
    session: bool,
) -> Option<Finding> {
    let domain = domain?;
    let host = site.host();
    let shown = domain.escape_debug();
    if address(domain).is_some() {
        let matches = host.is_none_or(|host| address(host) == address(domain));
        let (severity, happens) = match matches {
            true => (
                Severity::Warning,
                format!("Domain={shown} is an address, which has no subdomains: it adds nothing"),
            ),
            false => (
                Severity::Problem,
                format!(
                    "Domain={shown} is another address than the page's, so browsers drop the cookie"
                ),
            ),
        };
        let fix = "leave Domain out";
        return Some(finding(
            "domain_is_ip_address",
            severity,
            subject,
            happens,
            fix,
        ));
    }
    let same = host == Some(domain);
    let parent = |host: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    if host.is_some_and(|host| host != domain && !parent(host)) {
        return Some(finding(
            "domain_mismatch",
            Severity::Problem,
            subject,
            format!(
                "Domain={shown} is not the page's host nor above it, so browsers drop the cookie"
            ),
            "leave Domain out, or name the host or a domain that it belongs to",
        ));
    }
    if !domain.trim_end_matches('.').contains('.') {
        return (!same).then(|| {
            finding(
                "domain_is_public_suffix",
                Severity::Problem,
                subject,
                format!(
                    "Domain={shown} has one label, which browsers take for a public suffix: they drop the cookie"
                ),
                "leave Domain out, or name a domain of your own",
            )
        });
    }
    session.then(|| {
        finding(
            "domain_widens",
            Severity::Warning,
            subject,
            format!(
                "with Domain={shown} every subdomain gets the cookie, and each can set one of the same name for all"
            ),
            "leave Domain out unless subdomains share the session; __Host- in the name makes sure of it",
        )
    })
}

fn size(subject: &str, cookie: &Received<'_>) -> Option<Finding> {
    cookie.is_too_large().then(|| {
        finding(
            "too_large",
            Severity::Problem,
            subject,
            format!(
                "name and value take {} bytes; browsers drop what has more than {MAX_COOKIE_SIZE} \
                 (RFC 6265bis, section 5.6) and go on sending the old one",
                cookie.size()
            ),
            "keep less in it, or keep sessions in a store",
        )
    })
}

fn overlong(subject: &str, attribute: &str) -> Finding {
    finding(
        "attribute_too_long",
        Severity::Problem,
        subject,
        format!("its {attribute} has more than 1024 bytes, so browsers do as if it were not there"),
        format!("shorten {attribute}"),
    )
}

fn not_ascii(subject: &str, cookie: &Received<'_>) -> Option<Finding> {
    let ascii = cookie.name.is_ascii() && cookie.value.is_ascii();
    (!ascii).then(|| {
        finding(
            "not_ascii",
            Severity::Warning,
            subject,
            "it holds bytes outside ASCII, which proxies, servers and scripts read in different ways",
            "percent-encode them",
        )
    })
}

pub(super) fn script_readable(subject: &str) -> Finding {
    finding(
        "script_readable",
        Severity::Problem,
        subject,
        "it has no HttpOnly, so any script in the page can read it and send it away",
        "add HttpOnly (SESSION_COOKIE_HTTPONLY = True)",
    )
}

pub(super) fn long_lived(subject: &str, seconds: u64) -> Option<Finding> {
    // A minute for clocks that differ.
    let limit = MAX_LIFETIME.as_secs() + 60;
    (seconds > limit).then(|| {
        finding(
            "lifetime_over_400_days",
            Severity::Warning,
            subject,
            "it asks to be kept for more than 400 days; browsers cut that to 400 (RFC 6265bis, section 5.5)",
            "ask for 400 days at most, and renew it",
        )
    })
}

fn contradiction(subject: &str, cookie: &Received<'_>, now: i64) -> Option<Finding> {
    let (max_age, expires) = (cookie.max_age?, cookie.expires?);
    let by_date = expires.saturating_sub(now);
    // Both say that it is over, or both say about when.
    let over = max_age <= 0 && by_date <= 0;
    let agree = over || max_age.abs_diff(by_date) <= 60 * 60;
    (!agree).then(|| {
        finding(
            "expiry_contradictory",
            Severity::Warning,
            subject,
            "Expires and Max-Age name different times; browsers go by Max-Age, other clients by what they know",
            "send one of them, or the same time in both",
        )
    })
}

fn published_key(subject: &str, value: &[u8]) -> Option<Finding> {
    known_keys::signed_by_published_key(value).map(|what| {
        finding(
            "published_key",
            Severity::Problem,
            subject,
            format!(
                "it is {what}, signed with a key that stands in a tutorial or a framework's documentation: anybody can \
                 write a session and be whoever they like"
            ),
            "make a key with `cloakroom keygen`, today; whoever is logged in has to log in again",
        )
    })
}
