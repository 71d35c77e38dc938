//! The pages of the guide, whose snippets run as tests of documentation. The programs beside this folder each show one
//! thing: `cargo run --example counter` starts one.

#![allow(
    clippy::doc_markdown,
    reason = "the pages are prose, not descriptions of items"
)]

/// A page is a module, so that a snippet that fails is named after its page.
macro_rules! pages {
    ($($name:ident: $file:literal),+ $(,)?) => {
        $(
            #[doc = include_str!(concat!("../../docs/src/", $file))]
            pub mod $name {}
        )+
    };
}

pages! {
    cookie_or_store: "cookie-or-store.md",
    deploying: "deploying.md",
    examples: "examples.md",
    from_actix_session: "from-actix-session.md",
    from_flask: "from-flask.md",
    from_tower_sessions: "from-tower-sessions.md",
    index: "index.md",
    inside: "inside.md",
    moving: "moving.md",
    operating: "operating.md",
    recipes: "recipes.md",
    security: "security.md",
    start: "start.md",
    writing_a_store: "writing-a-store.md",
}
