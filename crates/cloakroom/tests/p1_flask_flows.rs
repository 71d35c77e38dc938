//! P1: one request through the layer sends the headers that Flask sends.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::convert::Infallible;

use cloakroom::{
    Clock, ConfigError, FlaskSettings, KeyRing, SecretKey, Session, SessionLayer, Value,
    cookie::RequestCookies, value::Dict,
};
use http::{Request, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use support::{
    differences::{Differences, Rule},
    is_oddly_spelt, only_in_python, python_value, rows, same, text,
};
use tower::{Layer, ServiceExt, service_fn};

fn ops(row: &Json) -> impl Iterator<Item = &Json> {
    row["ops"].as_array().unwrap().iter()
}

/// The filters of `get_flashed_messages` in a row.
fn filters(row: &Json) -> impl Iterator<Item = Value> {
    let options = ops(row).filter(|op| op[0] == "get_flashed");
    let options = options.filter_map(|op| op.get(1)).map(python_value);
    options.filter_map(|options| options.as_dict()?.get("category_filter").cloned())
}

fn session_cookies(row: &Json) -> Vec<String> {
    let name = row["config"]["SESSION_COOKIE_NAME"].as_str();
    let header = row["cookie_header"].as_str().unwrap_or_default();
    let cookies = RequestCookies::parse_header(header);
    let values = cookies.get_all(name.unwrap_or("session"));
    values.map(str::to_owned).collect()
}

/// Whether there is a dictionary with keys that are no text.
fn has_other_keys(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.iter().any(has_other_keys),
        Json::Object(object) => {
            let pairs = object
                .get("$dict")
                .and_then(Json::as_array)
                .into_iter()
                .flatten();
            pairs
                .clone()
                .any(|pair| !pair[0].is_string() && pair[0].get("$str_codepoints").is_none())
                || object.values().any(has_other_keys)
        }
        _ => false,
    }
}

/// Rows that go another way than in Flask, and why.
const DIFFERENT: [Rule; 16] = [
    Rule::always(
        "values are copies, so a nested change is always written back with `insert` or `update`",
        |row| ops(row).any(|op| op[0] == "append"),
        &[
            "nested change is not noticed",
            "nested change with modified = True",
        ],
    ),
    Rule::always(
        "there is no way to keep a change back by accident: `insert` marks the session modified",
        |row| ops(row).any(|op| op[0] == "modified"),
        &["modified forced to False after a set"],
    ),
    Rule::always(
        "a SameSite that does not exist is refused at start, not with the first response",
        |row| {
            let same_site = row["config"]["SESSION_COOKIE_SAMESITE"].as_str();
            same_site.is_some_and(|name| {
                !["strict", "lax", "none"].contains(&name.to_lowercase().as_str())
            })
        },
        &["samesite invalid"],
    ),
    Rule::sometimes(
        "T28: a filter is a list of categories",
        |row| filters(row).any(|filter| matches!(filter, Value::Text(_)) && filter.is_truthy()),
        &["TRAP: a string filter matches substrings"],
    ),
    Rule::sometimes(
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
    ),
    Rule::sometimes(
        "T9: every cookie of the name is tried",
        |row| session_cookies(row).len() > 1,
        &["two session cookies: a bad first one is not skipped"],
    ),
    Rule::always(
        "a layer cannot be made without a key",
        |row| row["secret_key"].is_null() || row["secret_key"] == "",
        &[
            "no secret key: reading works",
            "no secret key: writing fails",
            "no secret key: every writing method fails",
        ],
    ),
    Rule::always(
        "no value here can be a set",
        |row| only_in_python(&row["ops"]),
        &["value cannot be serialised: 500"],
    ),
    Rule::sometimes(
        "T7: a cookie that is signed but cannot be read is an empty session with a reason",
        |row| row["expect"]["status"] == 500 && row["expect"]["session_after"].is_null(),
        &["signed cookie with broken JSON: 500"],
    ),
    Rule::sometimes(
        "T4: one spelling per cookie is the strict rule; Python takes several",
        |row| {
            let cookies = session_cookies(row);
            let mut parts = cookies.iter().flat_map(|cookie| cookie.split('.'));
            parts.any(|part| is_oddly_spelt(part.as_bytes()))
        },
        &["LENIENT: one = appended"],
    ),
    Rule::sometimes(
        "P3: what nobody touched keeps its bytes; Flask's would come back as another date, and in \
         another order where keys were no text",
        |row| {
            row["start"].to_string().contains("{\"$datetime\":\"00")
                || has_other_keys(&row["start"])
        },
        &["a date before the year 100, untouched beside a change"],
    ),
    Rule::sometimes(
        "what the application wrote into Vary stays as it is; Flask writes the list anew",
        |row| {
            let mut names = row["vary_before"].as_array().unwrap().iter();
            let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !names.all(|name| {
                !name.as_str().unwrap().is_empty() && name.as_str().unwrap().bytes().all(token)
            })
        },
        &["vary with spaces before a comma"],
    ),
    Rule::always(
        "a contradiction is refused at start: SameSite=None or a prefix without Secure",
        |row| {
            let config = &row["config"];
            let given = |name: &str| config[name].as_str().unwrap_or_default().to_lowercase();
            let secure = config["SESSION_COOKIE_SECURE"] == true
                || config["SESSION_COOKIE_PARTITIONED"] == true;
            let host = given("SESSION_COOKIE_NAME").starts_with("__host-");
            let secure_only = host
                || given("SESSION_COOKIE_NAME").starts_with("__secure-")
                || given("SESSION_COOKIE_SAMESITE") == "none";
            let elsewhere = !config["SESSION_COOKIE_DOMAIN"].is_null()
                || !["", "/"].contains(&given("SESSION_COOKIE_PATH").as_str());
            (secure_only && !secure) || (host && elsewhere)
        },
        &["samesite none without secure"],
    ),
    Rule::sometimes(
        "there is no `update` for a whole dictionary, so an empty one changes nothing",
        |row| ops(row).any(|op| op[0] == "update" && op[1]["$dict"] == json!([])),
        &["update with nothing"],
    ),
    Rule::sometimes(
        "what is no message among the flashes is passed over, where Flask fails",
        |row| ops(row).any(|op| op[0] != "get_flashed" && op.to_string().contains("\"_flashes\"")),
        &["flashes replaced by something else"],
    ),
    Rule::sometimes(
        "`permanent` is true or false, where Flask gives whatever stands under `_permanent`",
        |row| {
            ops(row).any(|op| op[0] == "get_permanent")
                && row.to_string().contains("\"_permanent\"")
        },
        &["permanent of something else"],
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

async fn flow(row: &Json) -> Result<Outcome, ConfigError> {
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
    let config = settings.session()?;
    let layer = SessionLayer::signed_with(
        keys,
        config.clock(Clock::manual(row["now"].as_u64().unwrap())),
    )?;

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
    Ok(Outcome {
        status: response.status().as_u16(),
        set_cookie: texts(header::SET_COOKIE),
        vary: (!vary.is_empty()).then(|| vary.join(", ")),
        results,
        after,
    })
}

/// Whether a flow cannot even be tried.
fn impossible(row: &Json) -> bool {
    row["secret_key"].is_null()
        || row["secret_key"] == ""
        || only_in_python(&row["ops"])
        || ops(row).any(|op| op[0] == "append" || op[0] == "modified")
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
    let mut differences = Differences::new(DIFFERENT);
    for row in rows("flask_flows", "flows") {
        let difference = match impossible(&row) {
            true => Some("it cannot be tried".to_owned()),
            false => match flow(&row).await {
                Ok(outcome) => differs(&row, &outcome),
                Err(refused) => Some(refused.to_string()),
            },
        };
        differences.check(text(&row, "note"), &row, difference);
    }
    differences.finish();
}
