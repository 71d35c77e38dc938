//! Flask's names in minijinja templates: `session`, `get_flashed_messages`, `request.cookies`, `csrf_token`.

use std::{fmt, sync::Arc};

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use minijinja::{
    Error as TemplateError, ErrorKind, HtmlEscape, Value as TemplateValue,
    value::{Enumerator, Kwargs, Object, ObjectRepr},
};

use crate::{
    Error, Session,
    cookie::RequestCookies,
    csrf_token::CsrfTokens,
    session::Flash,
    value::{Dict, Markup, Value},
};

/// What Flask puts into every template, as an extractor: pass it on to `render`.
///
/// - `session`: `{% if 'firstName' in session %}`, `session['firstName']`, `session.firstName`,
///   `session|length`, `{% for key in session %}`; read only.
/// - `get_flashed_messages(with_categories=true, category_filter=['error'])`: takes the messages out of
///   the session, as in Flask, wherever in the page it is called.
/// - `request.cookies`: what the browser sent.
/// - `csrf_token()`: the token for a form's hidden field, and `csrf_meta_tag()`: the same for scripts, as with Flask-WTF;
///   only on routes with a [`CsrfLayer`](crate::csrf::CsrfLayer). Empty if the session is
///   [unknown](Session::is_unknown).
///
/// [`Markup`] goes into HTML as it is; everything else is escaped by the template engine.
///
/// ```
/// use axum::response::Html;
/// use cloakroom::{Error, template::Globals};
/// use minijinja::{Environment, context};
///
/// async fn page(globals: Globals) -> Html<String> {
///     let mut environment = Environment::new();
///     environment.add_template("page.html", "Hello {{ session.firstName }}{{ title }}").unwrap();
///     let page = environment.get_template("page.html").unwrap();
///     Html(page.render(context! { title => "!", ..globals.into_value() }).unwrap())
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(page));
/// ```
#[derive(Clone, Debug)]
pub struct Globals {
    session: Session,
    cookies: RequestCookies,
    tokens: Option<Arc<CsrfTokens>>,
}

impl Globals {
    /// From a session and cookies that are at hand already.
    pub fn new(session: Session, cookies: RequestCookies) -> Self {
        Self {
            session,
            cookies,
            tokens: None,
        }
    }

    /// With `csrf_token()` of these tokens.
    #[must_use]
    pub fn csrf_tokens(mut self, tokens: CsrfTokens) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self
    }

    /// The session itself, for the handler.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The cookies themselves, for the handler.
    pub fn cookies(&self) -> &RequestCookies {
        &self.cookies
    }

    /// `session`, `request`, `get_flashed_messages` and the others as one context, to spread into another with
    /// `..globals.into_value()`.
    pub fn into_value(self) -> TemplateValue {
        let messages = self.session.clone();
        let forms = self.session.clone();
        let cookies: Vec<(TemplateValue, TemplateValue)> = {
            let mut seen: Vec<&str> = Vec::new();
            self.cookies
                .iter()
                .filter(|(name, _)| {
                    let first = !seen.contains(name);
                    seen.push(name);
                    first
                })
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let request = TemplateValue::from_pairs([("cookies", TemplateValue::from_pairs(cookies))]);
        let names = [
            (
                "session",
                TemplateValue::from_object(SessionObject(self.session)),
            ),
            ("request", request),
            (
                "get_flashed_messages",
                TemplateValue::from_function(move |options: Kwargs| {
                    get_flashed_messages(&messages, &options)
                }),
            ),
        ];
        let tokens = self.tokens.map(|tokens| token_functions(&tokens, &forms));
        TemplateValue::from_pairs(names.into_iter().chain(tokens.into_iter().flatten()))
    }
}

impl<S: Sync> FromRequestParts<S> for Globals {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let session = Session::from_request_parts(parts, state).await?;
        Ok(Self {
            session,
            cookies: RequestCookies::parse(&parts.headers),
            tokens: super::csrf::tokens_of(&parts.extensions),
        })
    }
}

/// Flask-WTF's `csrf_token` and `csrf_meta_tag`.
fn token_functions(
    tokens: &Arc<CsrfTokens>,
    session: &Session,
) -> [(&'static str, TemplateValue); 2] {
    let token = {
        let (tokens, session) = (tokens.clone(), session.clone());
        move || {
            // The page is of use without its form, and the form would be refused.
            if session.is_unknown() {
                return Ok(String::new());
            }
            tokens.token(&session).map_err(|error| {
                TemplateError::new(ErrorKind::InvalidOperation, "no token for the form")
                    .with_source(error)
            })
        }
    };
    let name = HtmlEscape(&tokens.meta).to_string();
    let again = token.clone();
    // A token has no character that HTML knows.
    let meta_tag = move || {
        again().map(|token| {
            TemplateValue::from_safe_string(format!(r#"<meta name="{name}" content="{token}">"#))
        })
    };
    [
        ("csrf_token", TemplateValue::from_function(token)),
        ("csrf_meta_tag", TemplateValue::from_function(meta_tag)),
    ]
}

fn get_flashed_messages(
    session: &Session,
    options: &Kwargs,
) -> Result<TemplateValue, TemplateError> {
    let with_categories = options
        .get::<Option<bool>>("with_categories")?
        .unwrap_or(false);
    let filter = options.get::<Option<TemplateValue>>("category_filter")?;
    options.assert_all_used()?;
    let flashes = match filter {
        None => session.flashes(),
        // Flask takes a bare string for a text to search in; here it is one category.
        Some(filter) => match filter.as_str() {
            Some("") => session.flashes(),
            Some(category) => session.flashes_in(&[category]),
            None => {
                let categories: Vec<String> = filter
                    .try_iter()
                    .map_err(|_| {
                        TemplateError::new(
                            ErrorKind::InvalidOperation,
                            "category_filter must be a list of categories",
                        )
                    })?
                    .map(|category| category.to_string())
                    .collect();
                session.flashes_in(&categories.iter().map(String::as_str).collect::<Vec<_>>())
            }
        },
    };
    let shown = |flash: Flash| match with_categories {
        true => TemplateValue::from(vec![
            template_value(flash.category),
            template_value(flash.message),
        ]),
        false => template_value(flash.message),
    };
    Ok(flashes.into_iter().map(shown).collect())
}

/// A session as templates see it: a map whose values are decoded when they are asked for.
struct SessionObject(Session);

impl fmt::Debug for SessionObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Object for SessionObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    /// An entry; where there is none of the name, what Flask's session has as attributes.
    fn get_value(self: &Arc<Self>, key: &TemplateValue) -> Option<TemplateValue> {
        let key = key.as_str()?;
        if let Some(value) = self.0.get::<Value>(key).ok().flatten() {
            return Some(template_value(value));
        }
        match key {
            "permanent" => Some(self.0.permanent().into()),
            "new" => Some(self.0.is_new().into()),
            "modified" => Some(self.0.is_modified().into()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().into_iter().map(TemplateValue::from).collect())
    }
}

/// A value as templates see it; Markup is safe, dates and UUIDs are text.
fn template_value(value: Value) -> TemplateValue {
    match value {
        Value::None => TemplateValue::from(()),
        Value::Bool(value) => value.into(),
        Value::Int(value) => match (value.as_i64(), value.as_i128()) {
            (Some(value), _) => value.into(),
            (None, Some(value)) => value.into(),
            (None, None) => value.to_string().into(),
        },
        Value::Float(value) => value.into(),
        Value::Text(text) => text.to_string().into(),
        Value::Markup(Markup(text)) => TemplateValue::from_safe_string(text.to_string()),
        Value::Bytes(bytes) => TemplateValue::from_bytes(bytes),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            items.into_iter().map(template_value).collect()
        }
        Value::Dict(dict) => template_dict(dict),
        Value::Uuid(uuid) => uuid.to_string().into(),
        Value::DateTime(value) => value.to_string().into(),
        Value::Decimal(value) => value.to_string().into(),
        Value::Date(value) => value.to_string().into(),
        Value::Time(value) => value.to_string().into(),
        Value::TimeDelta(value) => value.to_string().into(),
        Value::Extension(value) => TemplateValue::from_bytes(value.data().to_vec()),
    }
}

fn template_dict(dict: Dict) -> TemplateValue {
    TemplateValue::from_pairs(
        dict.into_iter()
            .map(|(key, value)| (template_value(key), template_value(value))),
    )
}
