//! The client beside a real server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::*;

const WRITE: Ask = Ask {
    request: Request::get("/write"),
    visitor: Visitor::Returning,
    answer: Answer::NextNumber,
};

/// A server whose visitors count in a cookie, until the end of the test run.
fn server() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let app = Router::new()
                .route("/write", get(write))
                .route("/login", post(login))
                .route("/lossy", get(lossy))
                .with_state(Arc::default());
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    told.recv().unwrap()
}

async fn write(headers: HeaderMap) -> impl IntoResponse {
    let cookie = headers
        .get(COOKIE)
        .and_then(|cookie| cookie.to_str().ok()?.strip_prefix("visits="));
    let visits: u64 = cookie.map_or(0, |cookie| cookie.parse().unwrap()) + 1;
    let set = format!("visits={visits}; Path=/; HttpOnly");
    ([(SET_COOKIE, set)], visits.to_string())
}

/// Leads on, with what was posted.
async fn login(headers: HeaderMap, form: String) -> impl IntoResponse {
    let of_this_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "same-origin");
    match of_this_site {
        true => (StatusCode::SEE_OTHER, form),
        false => (StatusCode::FORBIDDEN, String::new()),
    }
}

/// Each tenth request fails, and each tenth after five closes its connection.
async fn lossy(State(count): State<Arc<AtomicU64>>) -> impl IntoResponse {
    match count.fetch_add(1, Ordering::Relaxed) % 10 {
        0 => (
            StatusCode::SERVICE_UNAVAILABLE,
            [("connection", "keep-alive")],
            "7",
        ),
        5 => (StatusCode::OK, [("connection", "close")], "7"),
        _ => (StatusCode::OK, [("connection", "keep-alive")], "7"),
    }
}

#[test]
fn each_browser_counts_on_with_its_newest_cookie() {
    let mut crowd = Crowd::connect(server(), 8).unwrap();
    let window = crowd
        .closed_loop(&WRITE, Until::Time(Duration::from_millis(100)))
        .unwrap();
    window.tally.all_right().unwrap();
    assert!(window.tally.answered > 8);
    assert!(window.elapsed >= Duration::from_millis(100));
    // "visits=N; Path=/; HttpOnly"
    assert!(window.tally.set_cookie_bytes >= 26 * window.tally.answered);
    let same = Ask {
        answer: Answer::SameNumber,
        ..WRITE
    };
    let tally = crowd.each(&same).unwrap();
    assert_eq!((tally.answered, tally.failed), (0, 8));
    assert!(tally.all_right().unwrap_err().contains("8 of 8 answers"));
}

#[test]
fn a_new_visitor_never_sends_a_cookie() {
    let mut crowd = Crowd::connect(server(), 3).unwrap();
    crowd.each(&WRITE).unwrap().all_right().unwrap();
    let first = Ask {
        visitor: Visitor::New,
        answer: Answer::Text("1"),
        ..WRITE
    };
    for _ in 0..3 {
        crowd.each(&first).unwrap().all_right().unwrap();
    }
    crowd.each(&WRITE).unwrap();
}

#[test]
fn a_shared_jar_makes_all_browsers_one() {
    let mut crowd = Crowd::connect(server(), 4).unwrap();
    for _ in 0..3 {
        crowd.one(&WRITE).unwrap().all_right().unwrap();
    }
    crowd.share_first_jar();
    let fourth = Ask {
        answer: Answer::Text("4"),
        ..WRITE
    };
    crowd.each(&fourth).unwrap().all_right().unwrap();
}

#[test]
fn what_fails_is_counted_and_closed_connections_are_opened_again() {
    let mut crowd = Crowd::connect(server(), 5).unwrap();
    let ask = Ask {
        request: Request::get("/lossy"),
        visitor: Visitor::Returning,
        answer: Answer::Number,
    };
    let window = crowd.closed_loop(&ask, Until::Requests(1000)).unwrap();
    assert_eq!((window.tally.answered, window.tally.failed), (900, 100));
    assert_eq!(window.tally.first_failure.as_deref(), Some("status 503"));
}

#[test]
fn a_form_is_posted_as_a_page_of_the_site_posts_it() {
    let mut crowd = Crowd::connect(server(), 1).unwrap();
    let ask = Ask {
        request: Request::post("/login", "username=alice"),
        visitor: Visitor::Returning,
        answer: Answer::Text("username=alice"),
    };
    crowd.one(&ask).unwrap().all_right().unwrap();
}

#[test]
fn at_a_fixed_rate_each_request_is_sent_and_timed() {
    let mut crowd = Crowd::connect(server(), 4).unwrap();
    let (tally, taken) = crowd
        .open_loop(&WRITE, 2000, Duration::from_millis(200))
        .unwrap();
    tally.all_right().unwrap();
    assert_eq!((tally.answered, taken.len()), (400, 400));
    assert!(taken.iter().all(|nanoseconds| *nanoseconds > 0));
}

#[test]
fn a_server_that_is_gone_is_an_error() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    assert!(Crowd::connect(address, 1).is_err());
}
