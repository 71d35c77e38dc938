//! P1: one request through the layer sends the headers that Flask sends.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::convert::Infallible;

use cloakroom::{
    Clock, FlaskSettings, KeyRing, SecretKey, Session, SessionLayer, Value, value::Dict,
};
use http::{Request, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use support::{only_in_python, python_value, rows, same, text};
use tower::{Layer, ServiceExt, service_fn};

/// Rows that go another way than in Flask, and why.
const DIFFERENT: [(&str, &str); 11] = [
    (
        "nested change is not noticed",
        "values are copies, so a nested change is always written back with `insert` or `update`",
    ),
    (
        "nested change with modified = True",
        "values are copies; `insert` marks the session modified by itself",
    ),
    (
        "modified forced to False after a set",
        "there is no way to keep a change back by accident",
    ),
    (
        "samesite invalid",
        "refused at start, not with the first response",
    ),
    (
        "TRAP: a string filter matches substrings",
        "T28: a filter is a list of categories",
    ),
    (
        "two session cookies: a bad first one is not skipped",
        "T9: every cookie of the name is tried",
    ),
    (
        "no secret key: reading works",
        "a layer cannot be made without a key",
    ),
    (
        "no secret key: writing fails",
        "a layer cannot be made without a key",
    ),
    (
        "no secret key: every writing method fails",
        "a layer cannot be made without a key",
    ),
    (
        "value cannot be serialised: 500",
        "no value here can be a set",
    ),
    (
        "signed cookie with broken JSON: 500",
        "T7: an empty session with a reason",
    ),
];

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
        other => panic!("{other} is no op"),
    })
}

/// The answer of the layer: status, Set-Cookie, Vary, what the ops gave, what the session holds then.
struct Outcome {
    status: u16,
    set_cookie: Vec<String>,
    vary: Option<String>,
    results: Vec<Result<Value, String>>,
    after: Option<Session>,
}

async fn flow(row: &Json) -> Outcome {
    let mut config = match python_value(
        &json!({"$dict": row["config"].as_object().unwrap().iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>()}),
    ) {
        Value::Dict(config) => config,
        other => panic!("{other:?}"),
    };
    let short = |text: &str| SecretKey::insecure_for_development(text).unwrap();
    let fallbacks = config.remove("SECRET_KEY_FALLBACKS").unwrap_or_default();
    let keys = fallbacks
        .as_items()
        .unwrap_or_default()
        .iter()
        .fold(KeyRing::new(short(text(row, "secret_key"))), |keys, old| {
            keys.fallback(short(old.as_str().unwrap()))
        });
    let settings = FlaskSettings::from_map(
        config
            .into_iter()
            .map(|(name, value)| (name.as_str().unwrap().to_owned(), value)),
    );
    let config = settings
        .session()
        .unwrap_or_else(|error| panic!("{error}: {row}"));
    let layer = SessionLayer::signed_with(
        keys,
        config.clock(Clock::manual(row["now"].as_u64().unwrap())),
    )
    .unwrap();

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
                use axum::extract::FromRequestParts;
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

/// Why a flow cannot even be tried.
fn impossible(row: &Json) -> bool {
    row["secret_key"].is_null()
        || only_in_python(&row["ops"])
        || row["config"]["SESSION_COOKIE_SAMESITE"] == "invalid"
        || row["ops"]
            .as_array()
            .unwrap()
            .iter()
            .any(|op| op[0] == "append" || op[0] == "modified")
}

fn differs(row: &Json, outcome: &Outcome) -> Option<String> {
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

#[tokio::test]
async fn p1_flask_flows_send_the_same_headers() {
    let mut different = Vec::new();
    for row in rows("flask_flows", "flows") {
        let note = text(&row, "note").to_owned();
        let difference = match impossible(&row) {
            true => Some("impossible".to_owned()),
            false => differs(&row, &flow(&row).await),
        };
        if let Some(difference) = difference {
            let known = DIFFERENT.iter().any(|(listed, _)| *listed == note);
            assert!(known, "{difference}: {row:#}");
            different.push(note);
        }
    }
    let listed: Vec<&str> = DIFFERENT.iter().map(|(note, _)| *note).collect();
    assert_eq!(
        different, listed,
        "the list of differences has to be what differs"
    );
}
