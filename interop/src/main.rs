//! Cloakroom behind the line protocol of `oracle.py`: one question per line in, one answer per line out.
//!
//! Everything goes the way of a request: cookies come in with a `Cookie` header, sessions are changed as handlers change
//! them, and what is told is what the `Set-Cookie` header says.

mod encrypted;

use std::error::Error;
use std::io::{self, BufRead, BufWriter, Write};
use std::time::{Duration, SystemTime};

use cloakroom::format::TaggedJson;
use cloakroom::{
    Clock, Cookie, CookieLimit, Cookies, KeyRing, Refresh, SameSite, SecretKey, Session,
    SessionConfig, SessionManager, Status, Value, testing,
};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

/// Flask's `PERMANENT_SESSION_LIFETIME`.
const THIRTY_ONE_DAYS: u64 = 31 * 24 * 60 * 60;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let answer = answer(serde_json::from_str(&line?)?)?;
        serde_json::to_writer(&mut out, &answer)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Question {
    Dumps {
        key: String,
        now: u64,
        session: String,
    },
    Loads(Opening),
    Touch(Opening),
    Rebuild(Opening),
    ParseCookie {
        header: String,
    },
    DumpCookie(Attributes),
    Seal(encrypted::Sealing),
    Unseal(encrypted::Unsealing),
}

/// A cookie to open.
#[derive(Deserialize)]
struct Opening {
    key: String,
    #[serde(default)]
    fallbacks: Vec<String>,
    now: u64,
    max_age: Option<u64>,
    cookie: String,
}

#[derive(Deserialize)]
struct Attributes {
    name: String,
    value: String,
    now: u64,
    max_age: Option<u64>,
    path: Option<String>,
    domain: Option<String>,
    #[serde(default)]
    secure: bool,
    #[serde(default)]
    httponly: bool,
    samesite: Option<String>,
    #[serde(default)]
    partitioned: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Cookie(String),
    Session(String),
    Refused(&'static str),
    Pairs(Vec<(String, String)>),
    Header(String),
    Content {
        content: String,
        key_index: usize,
        issued_at: u64,
        expires_at: u64,
    },
}

fn answer(question: Question) -> Result<Answer, Box<dyn Error>> {
    match question {
        Question::Dumps { key, now, session } => {
            let manager = manager(KeyRing::new(SecretKey::new(key)?), now, THIRTY_ONE_DAYS)?;
            let content = TaggedJson::new().from_slice(session.as_bytes())?;
            let session = at_once(manager.open(&HeaderMap::new()))?;
            insert_all(&session, &content)?;
            cookie(&manager, &session)
        }
        Question::Loads(opening) => opening.with(|_, session| {
            let decoded = Value::Dict(session.snapshot());
            let text = TaggedJson::new().to_bytes(&decoded)?;
            Ok(Answer::Session(String::from_utf8(text)?))
        }),
        Question::Touch(opening) => opening.with(|manager, session| {
            let value = manager
                .cookie_value(session)
                .ok_or("no cookie can hold it")?;
            Ok(Answer::Cookie(value))
        }),
        Question::Rebuild(opening) => opening.with(|manager, session| {
            insert_all(session, &Value::Dict(session.snapshot()))?;
            cookie(manager, session)
        }),
        Question::ParseCookie { header } => {
            let header: Vec<u8> = header.chars().map(u8::try_from).collect::<Result<_, _>>()?;
            Ok(Answer::Pairs(grouped(&Cookies::parse_header(header))))
        }
        Question::DumpCookie(attributes) => attributes.header().map(Answer::Header),
        Question::Seal(sealing) => sealing.answer(),
        Question::Unseal(unsealing) => unsealing.answer(),
    }
}

impl Opening {
    /// Opens the session of a request that brought the cookie, and goes on with it unless it was refused.
    fn with(
        self,
        then: impl FnOnce(&SessionManager, &Session) -> Result<Answer, Box<dyn Error>>,
    ) -> Result<Answer, Box<dyn Error>> {
        let ring = self
            .fallbacks
            .into_iter()
            .rev() // the protocol has the oldest first, a key ring the newest
            .try_fold(KeyRing::new(SecretKey::new(self.key)?), |ring, old| {
                SecretKey::new(old).map(|old| ring.fallback(old))
            })?;
        let manager = manager(ring, self.now, self.max_age.unwrap_or(THIRTY_ONE_DAYS))?;
        let mut headers = HeaderMap::new();
        let header = format!("{}={}", manager.cookie_name(), self.cookie);
        headers.insert(COOKIE, HeaderValue::from_bytes(header.as_bytes())?);
        let session = at_once(manager.open(&headers))?;
        match session.status() {
            Status::Loaded { .. } => then(&manager, &session),
            Status::Refused(refusal) => Ok(Answer::Refused(refusal.code())),
            status => Err(format!("the cookie was not looked at: {status:?}").into()),
        }
    }
}

/// Flask's own settings, at a clock that stands still; sessions of any size.
fn manager(keys: KeyRing, now: u64, max_age: u64) -> Result<SessionManager, Box<dyn Error>> {
    let config = SessionConfig::flask()
        .clock(Clock::manual(now))
        .lifetime(Duration::from_secs(max_age))
        .cookie_limit(CookieLimit::Warn(0))
        .refresh(Refresh::OnChange);
    Ok(SessionManager::signed(keys, config)?)
}

fn insert_all(session: &Session, content: &Value) -> Result<(), Box<dyn Error>> {
    let entries = content.as_dict().ok_or("a session is an object")?;
    for (key, value) in entries {
        session.insert(key.as_str().ok_or("keys of a session are text")?, value)?;
    }
    Ok(())
}

/// The value that the response sets for the session.
fn cookie(manager: &SessionManager, session: &Session) -> Result<Answer, Box<dyn Error>> {
    let mut headers = HeaderMap::new();
    at_once(manager.close(session, &mut headers))?;
    let header = headers
        .get(SET_COOKIE)
        .ok_or("the response sets no cookie")?;
    let value = header
        .to_str()?
        .strip_prefix("session=")
        .and_then(|rest| rest.split(';').next())
        .ok_or("the response sets another cookie")?;
    Ok(Answer::Cookie(value.to_owned()))
}

/// All cookies, those of one name together, in the order in which the names first came.
fn grouped(cookies: &Cookies) -> Vec<(String, String)> {
    let mut names: Vec<&str> = Vec::new();
    for name in cookies.names() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .flat_map(|name| {
            let values = cookies.get_all(name);
            values.map(move |value| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

impl Attributes {
    fn header(self) -> Result<String, Box<dyn Error>> {
        let mut cookie = Cookie::new(self.name)
            .secure(self.secure)
            .http_only(self.httponly)
            .partitioned(self.partitioned);
        if let Some(seconds) = self.max_age {
            cookie = cookie.max_age(Duration::from_secs(seconds));
        }
        if let Some(path) = self.path {
            cookie = cookie.path(path);
        }
        if let Some(domain) = self.domain {
            cookie = cookie.domain(domain);
        }
        cookie = match self.samesite.as_deref() {
            None => cookie,
            Some("Strict") => cookie.same_site(SameSite::Strict),
            Some("Lax") => cookie.same_site(SameSite::Lax),
            Some("None") => cookie.same_site(SameSite::None),
            Some(other) => return Err(format!("no SameSite is called {other:?}").into()),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(self.now);
        let set = cookie.set_at(self.value, now)?;
        Ok(set
            .header_value()
            .as_bytes()
            .iter()
            .copied()
            .map(char::from)
            .collect())
    }
}

/// What a session in the cookie gives, for which nothing waits.
fn at_once<T>(
    future: impl Future<Output = Result<T, cloakroom::Error>>,
) -> Result<T, Box<dyn Error>> {
    Ok(testing::now(future).ok_or("a cookie never waits")??)
}
