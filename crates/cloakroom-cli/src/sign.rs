//! `cloakroom cookie sign`: the cookie for a session.

use clap::Args;
use cloakroom::format::TaggedJson;
use cloakroom::token::payload::{self, Compression};
use cloakroom::token::signed::{SignerOptions, TimestampSigner};
use serde_json::Map;

use crate::decode::{BROWSER_LIMIT, USUAL_NAME, bad_payload};
use crate::input;
use crate::keys::KeyArguments;
use crate::output::{Answer, Failure, warn};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    keys: KeyArguments,

    /// Sign as of this Unix time instead of now
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let keys = arguments.keys.verifying()?;
    let text = input::standard_input("the session as tagged JSON")?;
    let format = TaggedJson::new();
    let session = format
        .from_slice(text.as_bytes())
        .map_err(|error| bad_payload(&error))?;
    if session.as_dict().is_none() {
        return Err(bad_payload(&format!(
            "a session is an object, and this is of type {}",
            session.type_name()
        )));
    }
    let json = format
        .to_bytes(&session)
        .map_err(|error| bad_payload(&error))?;

    let options = SignerOptions::flask().digest(arguments.keys.digest.into());
    let signer = TimestampSigner::with_options(keys[0].key.clone(), &arguments.keys.salt, &options);
    let now = input::now(arguments.now);
    let mut cookie = Vec::new();
    payload::encode_into(&mut cookie, &json, Compression::Auto);
    signer.sign_into(&mut cookie, 0, now);
    let cookie = String::from_utf8_lossy(&cookie).into_owned();

    let size = USUAL_NAME.len() + cookie.len();
    if size > BROWSER_LIMIT {
        warn(&format!(
            "with its name the cookie has {size} bytes; browsers keep no more than {BROWSER_LIMIT}"
        ));
    }
    Ok(Answer {
        json: Map::from_iter([
            ("cookie".to_owned(), cookie.as_str().into()),
            ("signed_at".to_owned(), now.into()),
        ]),
        text: cookie,
        session: None,
        notes: Vec::new(),
    })
}
