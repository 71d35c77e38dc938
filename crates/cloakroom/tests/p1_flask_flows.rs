//! P1: one request through the layer sends the headers that Flask sends.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use cloakroom::{Clock, ConfigError, FlaskSettings, KeyRing, SecretKey, SessionLayer, Value};
use flow::{differs, ops, session_cookies};
use serde_json::{Value as Json, json};
use support::{
    differences::{Differences, Rule},
    is_oddly_spelt, only_in_python, python_value, rows, text,
};

#[path = "support/flow.rs"]
mod flow;
mod support;

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
    flow::NESTED_CHANGE,
    flow::FORCED_UNMODIFIED,
    flow::NO_SUCH_SAME_SITE,
    flow::FILTER_IS_TEXT,
    flow::FILTER_OF_NO_TEXT,
    flow::SEVERAL_COOKIES,
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
    flow::VARY_AS_WRITTEN,
    flow::CONTRADICTION,
    flow::EMPTY_UPDATE,
    flow::NO_FLASH,
    flow::PERMANENT_IS_A_TRUTH,
];

async fn flow(row: &Json) -> Result<flow::Outcome, ConfigError> {
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

    Ok(flow::request(layer, row).await)
}

/// Whether a flow cannot even be tried.
fn impossible(row: &Json) -> bool {
    row["secret_key"].is_null()
        || row["secret_key"] == ""
        || only_in_python(&row["ops"])
        || ops(row).any(|op| op[0] == "append" || op[0] == "modified")
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
