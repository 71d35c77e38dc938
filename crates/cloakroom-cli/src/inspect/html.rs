//! The frame that all pages have, and text in them.

use std::fmt::{self, Display};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::server::Settings;
use crate::terminal::plain;

/// Text in a page, or in an attribute in double quotes: it stays text, and nothing in it hides.
pub(super) fn text(text: impl Display) -> String {
    let mut safe = plain(&text.to_string());
    for (letter, entity) in [
        // First of all, for the others hold it.
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ] {
        if safe.contains(letter) {
            safe = safe.replace(letter, entity);
        }
    }
    safe
}

/// A page.
pub(super) struct Page {
    settings: Settings,
    title: &'static str,
    status: StatusCode,
    /// Whether it is for somebody who may not look: then it says nothing of the store.
    pub(super) for_stranger: bool,
    /// Whether the browser is to look again by itself.
    pub(super) refreshes: bool,
    /// What is between the title and the end.
    pub(super) body: String,
}

impl Page {
    pub(super) fn new(settings: Settings, title: &'static str) -> Self {
        Self {
            settings,
            title,
            status: StatusCode::OK,
            for_stranger: false,
            refreshes: false,
            body: String::with_capacity(16 * 1024),
        }
    }

    /// A page that says why there is no other.
    pub(super) fn refusal(
        settings: Settings,
        status: StatusCode,
        title: &'static str,
        reason: &str,
    ) -> Self {
        Self {
            status,
            body: format!(
                r#"<p class="refusal" role="alert" data-testid="refusal">{}</p>"#,
                text(reason)
            ),
            ..Self::new(settings, title)
        }
    }

    fn html(&self) -> Result<String, fmt::Error> {
        use fmt::Write;
        let mut out = String::with_capacity(self.body.len() + 2048);
        out.push_str(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
"#,
        );
        if self.refreshes {
            out.push_str("<meta http-equiv=\"refresh\" content=\"2\">\n");
        }
        write!(
            out,
            r##"<title>{} · Cloakroom inspector</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
<link rel="stylesheet" href="/inspect.css">
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header class="top">
<a class="brand" href="/"><svg viewBox="0 0 34 20" aria-hidden="true"><use href="/icon.svg#ticket"/></svg>Cloakroom</a>
"##,
            text(self.title),
        )?;
        if !self.for_stranger {
            writeln!(
                out,
                "<p class=\"strapline\">Inspector of a store: {}</p>",
                text(self.settings.store)
            )?;
            out.push_str("<nav class=\"places\" aria-label=\"Pages\">");
            for (path, name) in [("/", "Overview"), ("/sessions", "Sessions")] {
                let current = match name == self.title {
                    true => " aria-current=\"page\"",
                    false => "",
                };
                write!(out, r#"<a href="{path}"{current}>{name}</a>"#)?;
            }
            out.push_str("</nav>\n");
        }
        write!(
            out,
            "</header>\n<main id=\"main\" tabindex=\"-1\">\n<h1>{}</h1>\n",
            text(self.title)
        )?;
        if self.settings.reveal && !self.for_stranger {
            out.push_str(
                r#"<p class="notice" data-testid="revealed"><b>Revealed:</b> users, values and the keys of entries are shown.</p>"#,
            );
        }
        out.push_str(&self.body);
        out.push_str("\n</main>\n</body>\n</html>\n");
        Ok(out)
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        match self.html() {
            Ok(html) => {
                let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
                (self.status, kind, html).into_response()
            }
            Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            text("<script>alert('&\"')</script>\u{202e}\u{0}"),
            "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\\u{202e}\\u{0}"
        );
    }
}
