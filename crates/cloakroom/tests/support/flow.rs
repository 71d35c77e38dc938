//! One request through the layer, told in the notation of the flows.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use cloakroom::{Session, SessionLayer, Value, cookie::RequestCookies, value::Dict};
use http::{Request, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{differences::Rule, python_value, same};

pub(crate) fn ops(row: &Json) -> impl Iterator<Item = &Json> {
    row["ops"].as_array().unwrap().iter()
}

/// The filters of `get_flashed_messages` in a row.
pub(crate) fn filters(row: &Json) -> impl Iterator<Item = Value> {
    let options = ops(row).filter(|op| op[0] == "get_flashed");
    let options = options.filter_map(|op| op.get(1)).map(python_value);
    options.filter_map(|options| options.as_dict()?.get("category_filter").cloned())
}

pub(crate) fn session_cookies(row: &Json) -> Vec<String> {
    let name = row["config"]["SESSION_COOKIE_NAME"].as_str();
    let header = row["cookie_header"].as_str().unwrap_or_default();
    let cookies = RequestCookies::parse_header(header);
    let values = cookies.get_all(name.unwrap_or("session"));
    values.map(str::to_owned).collect()
}

/// The answer of the layer: status, Set-Cookie, Vary, what the ops gave, what the session holds then.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) set_cookie: Vec<String>,
    pub(crate) vary: Option<String>,
    pub(crate) results: Vec<Result<Value, String>>,
    pub(crate) after: Option<Session>,
}

/// Sends the request of a row through the layer, to a view that does what the row says.
pub(crate) async fn request(layer: SessionLayer, row: &Json) -> Outcome {
    let mut request = Request::get("/");
    if let Some(cookie) = row["cookie_header"].as_str() {
        request = request.header(header::COOKIE, cookie);
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let plan = row.clone();
    let service = layer.layer(service_fn(move |request: Request<()>| {
        let (plan, sender) = (plan.clone(), sender.clone());
        async move {
            let (mut parts, ()) = request.into_parts();
            let mut response = Response::new(String::new());
            for name in plan["vary_before"].as_array().unwrap() {
                response
                    .headers_mut()
                    .append(header::VARY, name.as_str().unwrap().parse().unwrap());
            }
            let ops = plan["ops"].as_array().unwrap();
            let touches = ops.iter().any(|op| op[0] != "noop" && op[0] != "raise");
            let mut session = None;
            let mut results = Vec::new();
            if touches {
                let opened = Session::from_request_parts(&mut parts, &()).await.unwrap();
                for op in ops.iter().filter(|op| op[0] != "raise") {
                    results.push(run(&opened, op));
                }
                session = Some(opened);
            } else {
                results.push(Ok(Value::None));
            }
            if ops.iter().any(|op| op[0] == "raise") {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            sender.send((results, session)).unwrap();
            Ok::<_, Infallible>(response)
        }
    }));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let (results, after) = receiver.recv().unwrap();
    let texts = |name| {
        response
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let vary = texts(header::VARY);
    Outcome {
        status: response.status().as_u16(),
        set_cookie: texts(header::SET_COOKIE),
        vary: (!vary.is_empty()).then(|| vary.join(", ")),
        results,
        after,
    }
}

/// What is different from what Flask answered.
pub(crate) fn differs(row: &Json, outcome: &Outcome) -> Option<String> {
    let expect = &row["expect"];
    let strings = |json: &Json| {
        json.as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    if expect["status"] != outcome.status {
        return Some(format!("status {}", outcome.status));
    }
    if strings(&expect["set_cookie"]) != outcome.set_cookie {
        return Some(format!("Set-Cookie {:?}", outcome.set_cookie));
    }
    if expect["vary"].as_str() != outcome.vary.as_deref() {
        return Some(format!("Vary {:?}", outcome.vary));
    }
    // Null if the view raised.
    for (found, expected) in outcome
        .results
        .iter()
        .zip(expect["op_results"].as_array().into_iter().flatten())
    {
        let equal = match found {
            Ok(found) => expected
                .get("value")
                .is_some_and(|value| same(found, &python_value(value))),
            Err(_) => expected.get("error").is_some(),
        };
        if !equal {
            return Some(format!("result {found:?}"));
        }
    }
    match &outcome.after {
        Some(after)
            if !same(
                &Value::Dict(after.snapshot()),
                &python_value(&expect["session_after"]),
            ) =>
        {
            Some(format!("holds {:?}", after.snapshot()))
        }
        _ => None,
    }
}

/// What the view of a flow does to the session; the results as Flask's would be.
fn run(session: &Session, op: &Json) -> Result<Value, String> {
    let argument = |place: usize| op[place].as_str().unwrap();
    Ok(match argument(0) {
        "noop" => Value::None,
        "get" => session
            .get::<Value>(argument(1))
            .unwrap()
            .unwrap_or_default(),
        "getitem" => session
            .get::<Value>(argument(1))
            .unwrap()
            .ok_or("KeyError")?,
        "contains" => session.contains_key(argument(1)).into(),
        "len" => session.len().into(),
        "set" => {
            session.insert(argument(1), python_value(&op[2])).unwrap();
            Value::None
        }
        "pop" => session.remove(argument(1)).unwrap_or_default(),
        "del" | "pop_strict" => {
            let removed = session.remove(argument(1)).ok_or("KeyError")?;
            if argument(0) == "del" {
                Value::None
            } else {
                removed
            }
        }
        "clear" => {
            session.clear();
            Value::None
        }
        "update" => {
            let Value::Dict(dict) = python_value(&op[1]) else {
                panic!("{op}")
            };
            for (key, value) in dict {
                session.insert(key.as_str().unwrap(), value).unwrap();
            }
            Value::None
        }
        "setdefault" => session
            .get_or_insert_with(argument(1), || python_value(&op[2]))
            .unwrap(),
        "permanent" => {
            session.set_permanent(op[1].as_bool().unwrap());
            Value::None
        }
        "get_permanent" => session.permanent().into(),
        "flash" => {
            let category = op.get(2).map_or(Value::from("message"), python_value);
            session.flash(category, python_value(&op[1]));
            Value::None
        }
        "get_flashed" => {
            let options = op
                .get(1)
                .map_or_else(Dict::new, |options| match python_value(options) {
                    Value::Dict(options) => options,
                    other => panic!("{other:?}"),
                });
            let filter = options
                .get("category_filter")
                .and_then(Value::as_items)
                .unwrap_or_default();
            let filter: Vec<&str> = filter.iter().filter_map(Value::as_str).collect();
            let with_categories = options.get("with_categories").is_some_and(Value::is_truthy);
            let shown =
                session
                    .flashes_in(&filter)
                    .into_iter()
                    .map(|flash| match with_categories {
                        true => Value::Tuple(vec![flash.category, flash.message]),
                        false => flash.message,
                    });
            Value::List(shown.collect())
        }
        "regenerate" => {
            session.regenerate();
            Value::None
        }
        other => panic!("{other} is no op"),
    })
}

// What goes another way than in Flask wherever sessions are kept, and why.

pub(crate) const NESTED_CHANGE: Rule = Rule::always(
    "values are copies, so a nested change is always written back with `insert` or `update`",
    |row| ops(row).any(|op| op[0] == "append"),
    &[
        "nested change is not noticed",
        "nested change with modified = True",
    ],
);

pub(crate) const FORCED_UNMODIFIED: Rule = Rule::always(
    "there is no way to keep a change back by accident: `insert` marks the session modified",
    |row| ops(row).any(|op| op[0] == "modified"),
    &["modified forced to False after a set"],
);

pub(crate) const NO_SUCH_SAME_SITE: Rule = Rule::always(
    "a SameSite that does not exist is refused at start, not with the first response",
    |row| {
        let same_site = row["config"]["SESSION_COOKIE_SAMESITE"].as_str();
        same_site
            .is_some_and(|name| !["strict", "lax", "none"].contains(&name.to_lowercase().as_str()))
    },
    &["samesite invalid"],
);

pub(crate) const FILTER_IS_TEXT: Rule = Rule::sometimes(
    "T28: a filter is a list of categories",
    |row| filters(row).any(|filter| matches!(filter, Value::Text(_)) && filter.is_truthy()),
    &["TRAP: a string filter matches substrings"],
);

pub(crate) const FILTER_OF_NO_TEXT: Rule = Rule::sometimes(
    "the categories that a filter names are text",
    |row| {
        filters(row).any(|filter| {
            let categories = filter.as_items().unwrap_or_default();
            categories
                .iter()
                .any(|category| category.as_str().is_none())
        })
    },
    &["a filter for a category that is a number"],
);

pub(crate) const SEVERAL_COOKIES: Rule = Rule::sometimes(
    "T9: every cookie of the name is tried",
    |row| session_cookies(row).len() > 1,
    &["two session cookies: a bad first one is not skipped"],
);

pub(crate) const VARY_AS_WRITTEN: Rule = Rule::sometimes(
    "what the application wrote into Vary stays as it is; Flask writes the list anew",
    |row| {
        let mut names = row["vary_before"].as_array().unwrap().iter();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !names.all(|name| {
            !name.as_str().unwrap().is_empty() && name.as_str().unwrap().bytes().all(token)
        })
    },
    &["vary with spaces before a comma"],
);

pub(crate) const CONTRADICTION: Rule = Rule::always(
    "a contradiction is refused at start: SameSite=None or a prefix without Secure",
    |row| {
        let config = &row["config"];
        let given = |name: &str| config[name].as_str().unwrap_or_default().to_lowercase();
        let secure =
            config["SESSION_COOKIE_SECURE"] == true || config["SESSION_COOKIE_PARTITIONED"] == true;
        let host = given("SESSION_COOKIE_NAME").starts_with("__host-");
        let secure_only = host
            || given("SESSION_COOKIE_NAME").starts_with("__secure-")
            || given("SESSION_COOKIE_SAMESITE") == "none";
        let elsewhere = !config["SESSION_COOKIE_DOMAIN"].is_null()
            || !["", "/"].contains(&given("SESSION_COOKIE_PATH").as_str());
        (secure_only && !secure) || (host && elsewhere)
    },
    &["samesite none without secure"],
);

pub(crate) const EMPTY_UPDATE: Rule = Rule::sometimes(
    "there is no `update` for a whole dictionary, so an empty one changes nothing",
    |row| ops(row).any(|op| op[0] == "update" && op[1]["$dict"] == json!([])),
    &["update with nothing"],
);

pub(crate) const NO_FLASH: Rule = Rule::sometimes(
    "what is no message among the flashes is passed over, where Flask fails",
    |row| ops(row).any(|op| op[0] != "get_flashed" && op.to_string().contains("\"_flashes\"")),
    &["flashes replaced by something else"],
);

pub(crate) const PERMANENT_IS_A_TRUTH: Rule = Rule::sometimes(
    "`permanent` is true or false, where Flask gives whatever stands under `_permanent`",
    |row| ops(row).any(|op| op[0] == "get_permanent") && row.to_string().contains("\"_permanent\""),
    &["permanent of something else"],
);
