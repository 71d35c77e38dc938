//! A visitor of the tour: a browser with its cookies, posting forms as a browser does.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by several test crates, each of which uses its part"
)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use cloakroom::SecretKey;
use cloakroom::testing::Browser;
use tower::ServiceExt;

pub(crate) const SECRET: &str = "the secret of these tests, and of nothing else";

/// A running tour with a database of its own, which goes when this does.
pub(crate) struct Site {
    app: Router,
    folder: PathBuf,
    /// Its sweeper stops when it goes.
    _kept: tour::Kept,
}

impl Site {
    /// With sessions in the cookie.
    pub(crate) async fn open() -> Self {
        Self::in_cookie(false).await
    }

    /// With sessions in an encrypted cookie.
    pub(crate) async fn encrypted() -> Self {
        Self::in_cookie(true).await
    }

    async fn in_cookie(encrypted: bool) -> Self {
        let folder = folder();
        let kept = tour::cookie(&folder, encrypted).await.unwrap();
        Self::keeping(folder, kept).await
    }

    /// With sessions in the store at this URL; `FOLDER` in it is a folder of the site's own.
    pub(crate) async fn stored(url: &str) -> Self {
        Self::in_store(url, false).await
    }

    /// The same, sealed.
    pub(crate) async fn sealed(url: &str) -> Self {
        Self::in_store(url, true).await
    }

    async fn in_store(url: &str, sealed: bool) -> Self {
        let folder = folder();
        std::fs::create_dir_all(&folder).unwrap();
        let url = url.replace("FOLDER", folder.to_str().unwrap());
        let kept = tour::store(&url, sealed).await.unwrap();
        Self::keeping(folder, kept).await
    }

    async fn keeping(folder: PathBuf, kept: tour::Kept) -> Self {
        let todos = tour::todos(&folder).await.unwrap();
        let key = SecretKey::new(SECRET).unwrap();
        let app = tour::app(key, &kept, todos).unwrap();
        Self {
            app,
            folder,
            _kept: kept,
        }
    }

    pub(crate) fn router(&self) -> &Router {
        &self.app
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            app: self.app.clone(),
            browser: Browser::new(),
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A folder that no other test has.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("tour-test-{}-{number}", std::process::id()))
}

pub(crate) struct Visitor {
    app: Router,
    pub(crate) browser: Browser,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The text of the element with this `data-testid`, without markup.
    pub(crate) fn element(&self, id: &str) -> String {
        let start = self
            .text
            .find(&format!("data-testid=\"{id}\""))
            .unwrap_or_else(|| {
                panic!("the page has no {id}: {}", self.text);
            });
        let tag = &self.text[self.text[..start].rfind('<').unwrap() + 1..];
        let tag = &tag[..tag.find(' ').unwrap()];
        let inner = &self.text[start..];
        let inner = &inner[inner.find('>').unwrap() + 1..];
        let end = inner.find(&format!("</{tag}>")).unwrap();
        words(&inner[..end])
    }

    /// The value of the first hidden field of this name.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let value = self.text.split(&field).nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.text.contains(&format!("data-testid=\"{id}\""))
    }

    /// Where it sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }
}

/// The text without its markup and with single spaces.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => {
                inside = true;
                text.push(' ');
            }
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Visitor {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Posts a form of the site's own.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        let request = form_request(path)
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }

    /// Posts a form and goes where the answer sends.
    pub(crate) async fn submit(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.post(path, form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let location = answer.location().to_owned();
        self.get(&location).await
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Answer {
        let response = self
            .app
            .clone()
            .oneshot(self.browser.request(request))
            .await
            .unwrap();
        self.browser.store(&response);
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn ticket(&self) -> &str {
        self.browser.cookie("session").unwrap_or("")
    }
}

/// A form post to 127.0.0.1:5000 that does not yet say where it comes from.
pub(crate) fn form_request(path: &str) -> axum::http::request::Builder {
    Request::post(path)
        .header(header::HOST, "127.0.0.1:5000")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}
