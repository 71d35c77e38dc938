//! `cloakroom keygen`.

use cloakroom::SecretKey;
use serde_json::{Map, Value};

use crate::output::{Answer, Failure};

pub(crate) fn run() -> Result<Answer, Failure> {
    let key = SecretKey::generate().map_err(|error| Failure::Misuse(error.to_string()))?;
    let text = String::from_utf8_lossy(key.expose_secret()).into_owned();
    Ok(Answer {
        json: Map::from_iter([("key".to_owned(), Value::from(text.as_str()))]),
        text,
        session: None,
        notes: Vec::new(),
    })
}
