//! Changing a character of one's own ticket.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use cloakroom::{Cookie, Cookies, SameSite, Session, SetCookie, Status};
use minijinja::{Value, context};
use serde::Deserialize;

use super::Stop;
use crate::failure::Failure;
use crate::view::{Page, View};
use crate::{Place, Tour};

pub(super) static STOP: Stop = Stop {
    path: "/tamper",
    label: "Change your ticket",
    title: "Change your ticket",
    teaches: Some("and see it refused, and why"),
    file: "pages/tamper.rs",
    rust: include_str!("tamper.rs"),
    flask: include_str!("../../flask/tamper.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new()
        .route("/tamper", get(show).post(change))
        .route("/tamper/restore", post(restore))
        .route("/tamper/reset", post(reset))
}

/// The session's cookie, with the attributes that the session layer gives it.
const SESSION: &str = "session";
/// Which character was changed, and what it was: `12-x`. A plain cookie, so that it can be put back.
const CHANGED: &str = "changed";

// shown: begin
async fn show(State(tour): State<Tour>, session: Session, cookies: Cookies, view: View) -> Page {
    let refusal = match session.status() {
        Status::Refused(refusal) => {
            Some(context! { code => refusal.code(), reason => refusal.to_string() })
        }
        _ => None,
    };
    // shown: end
    let ticket = cookies.get(SESSION).filter(|ticket| !ticket.is_empty());
    let change = ticket
        .zip(cookies.get(CHANGED))
        .and_then(|(ticket, changed)| {
            let (position, before) = noted(changed)?;
            let after = ticket.chars().nth(position.checked_sub(1)?)?;
            Some(context! { position, before => before.to_string(), after => after.to_string() })
        });
    let length = ticket.map_or(0, |ticket| ticket.chars().count());
    let letters = ticket.map(|ticket| letters(ticket, tour.place));
    // shown: begin
    view.render("tamper.html", context! { refusal, change, letters, length })
}
// shown: end

/// Each part of the ticket with its colour; an id is all one, and so is what nobody can read.
fn letters(ticket: &str, place: Place) -> Vec<Value> {
    if place != Place::SignedCookie {
        return vec![context! { class => "payload", text => ticket }];
    }
    let mut colours = ["signature", "time", "payload"].into_iter();
    let mut parts: Vec<Value> = ticket
        .rsplitn(3, '.')
        .map(|text| context! { class => colours.next(), text })
        .collect();
    parts.reverse();
    parts
}

#[derive(Deserialize)]
struct Change {
    /// Which character, counted from 1.
    position: usize,
    /// What to write there; the next letter if it is empty or says the same.
    #[serde(default)]
    character: String,
}

async fn change(cookies: Cookies, Form(form): Form<Change>) -> Result<Response, Failure> {
    let back = Redirect::to("/tamper");
    let Some(ticket) = cookies.get(SESSION) else {
        return Ok(back.into_response());
    };
    let Some(before) = form
        .position
        .checked_sub(1)
        .and_then(|at| ticket.chars().nth(at))
    else {
        return Ok(back.into_response());
    };
    let wanted = form.character.chars().next().filter(char::is_ascii_graphic);
    let after = wanted
        .filter(|c| *c != before)
        .unwrap_or_else(|| next_letter(before));
    let note = format!("{}-{before}", form.position);
    Ok((
        with(ticket, form.position, after)?,
        plain(CHANGED).set(note)?,
        back,
    )
        .into_response())
}

/// The ticket with another character at `position`. This goes around the session layer: only the browser's copy changes.
fn with(ticket: &str, position: usize, character: char) -> Result<SetCookie, Failure> {
    let changed: String = ticket
        .chars()
        .zip(1..)
        .map(|(c, at)| if at == position { character } else { c })
        .collect();
    Ok(plain(SESSION).set(changed)?)
}

fn plain(name: &'static str) -> Cookie {
    Cookie::new(name).http_only(true).same_site(SameSite::Lax)
}

/// The letter after this one, and the first after the last.
fn next_letter(letter: char) -> char {
    let mut alphabet = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .skip_while(|c| *c != letter);
    alphabet.nth(1).unwrap_or('A')
}

fn noted(changed: &str) -> Option<(usize, char)> {
    let (position, before) = changed.split_once('-')?;
    Some((position.parse().ok()?, before.chars().next()?))
}

async fn restore(cookies: Cookies) -> Result<Response, Failure> {
    let back = Redirect::to("/tamper");
    let forget = plain(CHANGED).delete()?;
    let noted = cookies.get(CHANGED).and_then(noted);
    match cookies.get(SESSION).zip(noted) {
        Some((ticket, (position, before))) => {
            Ok((with(ticket, position, before)?, forget, back).into_response())
        }
        None => Ok((forget, back).into_response()),
    }
}

async fn reset(session: Session) -> Result<(SetCookie, Redirect), Failure> {
    session.clear();
    Ok((plain(CHANGED).delete()?, Redirect::to("/tamper")))
}
