//! Colours for the lines of code on a page: comments, strings, keywords. The rest stays ink.

use std::fmt::Write;

/// A language that the tour shows.
#[derive(Clone, Copy)]
pub(crate) enum Language {
    Python,
    Rust,
}

impl Language {
    fn comment(self) -> &'static str {
        match self {
            Self::Python => "#",
            Self::Rust => "//",
        }
    }

    fn is_keyword(self, word: &str) -> bool {
        match self {
            Self::Python => matches!(
                word,
                "and"
                    | "def"
                    | "else"
                    | "except"
                    | "if"
                    | "in"
                    | "is"
                    | "not"
                    | "as"
                    | "return"
                    | "try"
                    | "None"
                    | "True"
                    | "False"
            ),
            Self::Rust => matches!(
                word,
                "as" | "async"
                    | "await"
                    | "const"
                    | "else"
                    | "fn"
                    | "for"
                    | "if"
                    | "in"
                    | "let"
                    | "match"
                    | "mut"
                    | "pub"
                    | "return"
                    | "self"
                    | "static"
                    | "struct"
                    | "true"
                    | "false"
            ),
        }
    }
}

/// The code as HTML.
pub(crate) fn html(code: &str, language: Language) -> String {
    let mut out = String::with_capacity(code.len() * 2);
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let (class, length) = if rest.starts_with(language.comment()) {
            ("c", rest.find('\n').unwrap_or(rest.len()))
        } else if first == '"' {
            ("s", string_length(rest))
        } else if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            (
                if language.is_keyword(&rest[..length]) {
                    "k"
                } else {
                    ""
                },
                length,
            )
        } else {
            ("", first.len_utf8())
        };
        let (token, after) = rest.split_at(length);
        span(&mut out, class, token);
        rest = after;
    }
    out
}

/// The length of the string literal at the start of `code`, quotes included.
fn string_length(code: &str) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    code.len()
}

fn span(out: &mut String, class: &str, text: &str) {
    let text = minijinja::HtmlEscape(text);
    // Writing into a String cannot fail.
    let _ = if class.is_empty() {
        write!(out, "{text}")
    } else {
        write!(out, "<span class=\"{class}\">{text}</span>")
    };
}
