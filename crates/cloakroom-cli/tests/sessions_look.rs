//! What an operator sees of a store's sessions, whoever wrote them, and what nobody sees who did not ask.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(feature = "file", feature = "redis", feature = "sqlite"))]

#[path = "support/filled.rs"]
mod filled;
mod support;

use std::collections::BTreeMap;

use filled::{Filled, handles, objects};
use serde_json::Value;

/// How many there are of each layout.
fn layouts(lines: &[Value]) -> BTreeMap<String, usize> {
    let mut layouts = BTreeMap::new();
    for line in lines {
        let layout = line["layout"].as_str().unwrap_or("unreadable").to_owned();
        *layouts.entry(layout).or_default() += 1;
    }
    layouts
}

/// The text with all handles alike.
fn without_handles(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((first, rest)) if first.parse::<cloakroom::Handle>().is_ok() => {
            format!("{} {rest}", "h".repeat(22)).trim_end().to_owned()
        }
        _ if line.parse::<cloakroom::Handle>().is_ok() => "h".repeat(22),
        _ => line.trim_end().to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn p2_sessions_of_all_layouts_are_listed_and_nothing_else() {
    for filled in Filled::all().await {
        let expected: &[(&str, usize)] = match filled.is_cachelib() {
            true => &[("flask pickle", 8)],
            false => &[
                ("flask json", 2),
                ("flask msgpack", 3),
                ("flask pickle", 1),
                ("native msgpack", 2),
                ("sealed", 1),
                ("unreadable", 1),
            ],
        };
        let lines = objects(&filled.run("list", &["--json"]));
        let expected = expected
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        assert_eq!(layouts(&lines), expected.collect(), "{}", filled.url);
        let listed = handles(&filled.run("list", &["--json"]));
        assert!(listed.contains(&filled.alice));
        assert!(
            filled
                .bobs
                .iter()
                .chain(&filled.carol)
                .all(|one| listed.contains(one))
        );
        // The listing alone cannot tell what nobody can read.
        let quick = handles(&filled.run("list", &["--json", "--quick"]));
        assert!(
            listed.iter().all(|one| quick.contains(one)),
            "{}",
            filled.url
        );
    }
}

#[tokio::test]
async fn filters_leave_what_they_say() {
    for filled in Filled::all().await {
        let count = |arguments: &[&str]| {
            let all = [&["--json"], arguments].concat();
            objects(&filled.run("list", &all)).len()
        };
        let sealed = usize::from(filled.carol.is_some());
        let readable = filled.sessions();
        let listed = count(&[]);
        assert_eq!(listed, readable + sealed, "{}", filled.url);
        assert_eq!(count(&["--subject", "alice@example.org"]), 1);
        assert_eq!(count(&["--subject", "471100815"]), 1);
        assert_eq!(count(&["--subject", "bob-the-builder"]), 2);
        assert_eq!(count(&["--subject", "dave-the-diver"]), 0);
        assert_eq!(
            count(&["--subject", "dave-the-diver", "--subject-key", "username"]),
            1
        );
        assert_eq!(count(&["--key", "cart"]), 1);
        assert_eq!(count(&["--key", "cart", "--key", "tool"]), 0);
        assert_eq!(count(&["--larger-than", "4k"]), 1);
        assert_eq!(count(&["--older-than", "19d"]), 1);
        assert_eq!(count(&["--older-than", "2d"]), 2);
        // Bob's second, and carol's: her record says when it began, and nothing else.
        assert_eq!(count(&["--newer-than", "2d"]), 1 + sealed);
        assert_eq!(
            count(&["--expires-within", "100w"]),
            count(&[]) - usize::from(filled.is_cachelib())
        );
        assert_eq!(count(&["--expires-within", "1h"]), 0);
        assert_eq!(count(&["--limit", "2"]), 2);
        // Flask says no times; with its lifetime the age since the last use follows.
        let of_flask = ["--lifetime", "31d", "--newer-than", "1h", "--key", "note"];
        assert_eq!(count(&of_flask), 1);
        assert_eq!(count(&of_flask[2..]), 0);
    }
}

#[tokio::test]
async fn a_session_is_shown_key_by_key() {
    for filled in Filled::all().await {
        let alice = filled.alice.to_string();
        let outcome = filled.run("show", &["--json", &alice]);
        let shown = outcome.json();
        let content = shown["content"].as_array().unwrap();
        let of = |name: &str| content.iter().find(|key| key["name"] == name).unwrap();
        assert_eq!(
            (&of("cart")["type"], &of("cart")["length"]),
            (&"list".into(), &2.into())
        );
        assert_eq!(of("_user_id")["length"], 17);
        assert_eq!(shown["permanent"], true);
        assert!(of("cart")["bytes"].as_u64().unwrap() > 20);

        let shown = filled.run("show", &["--json", "--reveal", &alice]).json();
        assert_eq!(shown["subject"], "alice@example.org");
        assert_eq!(shown["session"]["cart"][1], "red-lamp");
        let text = filled.run("show", &["--subject", "alice@example.org", "--reveal"]);
        assert!(
            text.good().contains(r#"["blue-teapot","red-lamp"]"#),
            "{}",
            text.stdout
        );

        // All sessions of one user.
        assert_eq!(
            objects(&filled.run("show", &["--json", "--subject", "bob-the-builder"])).len(),
            2
        );
        let nobody = "AAECAwQFBgcICQoLDA0ODw";
        assert_eq!(filled.run("show", &[nobody]).refused(), "no_such_session");
        let misuse = filled.run("show", &["session:no-handle"]);
        assert_eq!(misuse.code, 2);
        assert!(!misuse.stderr.contains("no-handle"), "{}", misuse.stderr);
    }
}

#[tokio::test]
async fn stats_add_up() {
    for filled in Filled::all().await {
        let stats = filled.run("stats", &["--json"]).json();
        let lines = objects(&filled.run("list", &["--json"]));
        assert_eq!(stats["sessions"], lines.len(), "{}", filled.url);
        let sizes = lines.iter().map(|line| line["bytes"].as_u64().unwrap());
        assert_eq!(stats["bytes"], sizes.clone().sum::<u64>());
        assert_eq!(stats["size"]["largest"], sizes.max().unwrap());
        let histogram = stats["size"]["histogram"].as_array().unwrap();
        let counted: u64 = histogram
            .iter()
            .map(|class| class["count"].as_u64().unwrap())
            .sum();
        assert_eq!(counted, lines.len() as u64);
        assert_eq!(stats["logged_in"], 4);
        assert_eq!(stats["users"], 3);
        assert_eq!(stats["most_sessions_of_a_user"], 2);
        assert_eq!(stats["largest_keys"][0]["name"], "note");
        assert!(stats.get("busiest_users").is_none());
        let revealed = filled.run("stats", &["--json", "--reveal"]).json();
        assert_eq!(revealed["busiest_users"][0]["subject"], "bob-the-builder");
        let never = u64::from(filled.is_cachelib());
        assert_eq!(stats["ending"]["never"], never);
        assert_eq!(stats["ending"]["within_a_day"], 0);
        let known = lines.iter().filter(|line| !line["age"].is_null()).count();
        assert_eq!(stats["age"]["known"], known);
        assert_eq!(
            filled.run("stats", &["--json", "--quick"]).json()["store"],
            filled.store.name()
        );
    }
}

#[tokio::test]
async fn watch_counts_what_comes_and_goes() {
    let filled = Filled::sqlite().await;
    let rounds = objects(&filled.run("watch", &["--json", "--rounds", "2", "--every", "0s"]));
    assert_eq!(rounds.len(), 2);
    assert_eq!(rounds[0]["new"], Value::Null);
    // It loads nothing, so the one that cannot be read is among them.
    let listed = objects(&filled.run("list", &["--json", "--quick"]));
    assert_eq!(rounds[1]["sessions"], listed.len());
    let bytes: u64 = listed
        .iter()
        .map(|line| line["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(rounds[1]["bytes"], bytes);
    assert_eq!(
        (&rounds[1]["new"], &rounds[1]["ended"]),
        (&0.into(), &0.into())
    );
    assert_eq!(rounds[1]["ending_within_an_hour"], 0);
}

#[tokio::test]
async fn p10_nothing_of_a_visitor_is_told_to_those_who_do_not_ask() {
    for filled in Filled::all().await {
        let named: Vec<String> = handles(&filled.run("list", &["--json"]))
            .iter()
            .map(ToString::to_string)
            .collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let user = ["--subject", "bob-the-builder"];
        let runs: &[(&str, Vec<&str>)] = &[
            ("list", vec![]),
            ("list", vec!["--quick"]),
            ("list", [&user[..], &["--older-than", "1s"]].concat()),
            ("show", named.clone()),
            ("show", user.to_vec()),
            ("stats", vec![]),
            ("stats", vec!["--quick"]),
            ("watch", vec!["--rounds", "2", "--every", "0s"]),
            ("revoke", vec!["--dry-run", "--all"]),
            ("revoke", [&user[..], &["--dry-run"]].concat()),
            ("purge", vec![]),
            ("prepare", vec![]),
            ("revoke", user.to_vec()),
            ("revoke", named.clone()),
            ("revoke", vec!["--all", "--yes"]),
        ];
        for (command, arguments) in runs {
            for json in [false, true] {
                let mut arguments = arguments.clone();
                if json {
                    arguments.push("--json");
                }
                let outcome = filled.run(command, &arguments);
                assert!(outcome.code < 2, "{command}: {}", outcome.stderr);
                // A handle may hold any four letters.
                let said = [outcome.stdout, outcome.stderr].concat();
                let said = named
                    .iter()
                    .fold(said, |said, handle| said.replace(handle, ""));
                for secret in &filled.secrets {
                    let told = said.contains(secret);
                    assert!(!told, "{command} {arguments:?} tells {secret}");
                }
            }
        }
        // The secrets are what they are taken for: asked for, they are told.
        let fresh = Filled::sqlite().await;
        let told = fresh.run("list", &["--reveal"]).stdout
            + &fresh
                .run("show", &["--reveal", &fresh.alice.to_string()])
                .stdout;
        assert!(
            fresh.secrets[..6]
                .iter()
                .filter(|secret| told.contains(*secret))
                .count()
                >= 4
        );
    }
}

#[tokio::test]
async fn p10_what_a_terminal_would_obey_is_spelled_out() {
    let filled = Filled::sqlite().await;
    let manager = filled.manager(cloakroom::Layout::Flask);
    let session = manager.new_session();
    session.login("eve\u{1b}[2J\nalice").unwrap();
    session
        .insert("k\u{1b}]0;title\u{7}", "v\u{1b}[31m")
        .unwrap();
    session.save().await.unwrap();
    let listed = filled.run("list", &["--reveal"]);
    let handle = listed
        .stdout
        .lines()
        .find(|line| line.contains("eve"))
        .unwrap();
    let handle = handle.split(' ').next().unwrap();
    for (command, arguments) in [
        ("list", &["--reveal"][..]),
        ("show", &["--reveal", handle]),
        ("stats", &["--reveal"]),
    ] {
        let outcome = filled.run(command, arguments);
        assert!(!outcome.good().contains(['\u{1b}', '\u{7}']), "{command}");
    }
}

#[tokio::test]
async fn tables_look_like_this() {
    let filled = Filled::sqlite().await;
    insta::assert_snapshot!(without_handles(filled.run("list", &[]).good()), @r"
    HANDLE                  USER   LAYOUT             BYTES   KEYS       AGE   ENDS IN
    hhhhhhhhhhhhhhhhhhhhhh  yes    flask msgpack      105 B      6        3d   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  yes    flask json        4.9 KB      2         -   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      flask msgpack       25 B      1         -   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  yes    native msgpack     186 B      6       20d   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  yes    native msgpack     186 B      6        3h   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      sealed             185 B      -        3h   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      flask msgpack        9 B      1         -   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      flask json          28 B      1         -   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      flask pickle       101 B      3         -   30d 23h
    hhhhhhhhhhhhhhhhhhhhhh  -      unreadable           2 B      -         -   30d 23h
    ");
    let alice = filled.alice.to_string();
    let shown = without_handles(filled.run("show", &[&alice]).good());
    let (before, began) = shown.split_once("began").unwrap();
    let shown = format!("{before}began{}", &began[began.find(", ").unwrap()..]);
    insta::assert_snapshot!(shown, @r"
    hhhhhhhhhhhhhhhhhhhhhh
      layout     flask msgpack
      bytes      105
      user       yes
      began, 3d ago
      permanent  yes
      ends in    30d 23h
      KEY         TYPE              BYTES
      _user_id    str of 17            27
      _fresh      bool                  8
      _auth_time  int                  16
      _created    int                  14
      cart        list of 2            27
      _permanent  bool                 12
    ");
    insta::assert_snapshot!(filled.run("stats", &[]).good(), @r"
    sessions    10: 2 flask json, 3 flask msgpack, 1 flask pickle, 2 native msgpack, 1 sealed, 1 unreadable
    users       3, with 4 sessions, at most 2 each; the other 6 belong to nobody, or do not say
    permanent   1
    bytes       5.7 KB in all; half have at most 101 B, 95 % at most 4.9 KB, the largest has 4.9 KB
    ending      0 within an hour, 0 within a day, 0 never

    bytes of a session
        <= 128 B  ████████████████████████████████  6
        <= 256 B  ████████████████                  3
        <= 512 B                                    0
         <= 1 KB                                    0
         <= 2 KB                                    0
         <= 4 KB                                    0
        <= 16 KB  █████▎                            1

    age, where it is known
           <= 6h  ████████████████████████████████  2
           <= 1d                                    0
           <= 7d  ████████████████                  1
          <= 31d  ████████████████                  1

    ends in
          <= 31d  ████████████████████████████████  10

    largest keys
      note                      ████████████████████████████████   91 %    4.8 KB  in 1 session
      _user_id                  ▍                                   1 %      77 B  in 3 sessions
      _sid                      ▎                                   1 %      56 B  in 2 sessions
      _auth_time                ▎                                   0 %      48 B  in 3 sessions
      _created                  ▎                                   0 %      42 B  in 3 sessions
      d                         ▏                                   0 %      38 B  in 1 session
      tool                      ▏                                   0 %      36 B  in 2 sessions
      a                         ▏                                   0 %      33 B  in 2 sessions
    ");
}

#[test]
fn a_store_that_cannot_list_says_what_can_be_done() {
    let url = servers::memcached::shared();
    for command in [
        &["list"][..],
        &["stats"],
        &["show", "--subject", "bob"],
        &["revoke", "--all", "--yes"],
    ] {
        let all = [&["sessions"], command].concat();
        let outcome = support::cloakroom(&all, &[("SESSION_STORE", url)], b"");
        assert_eq!(outcome.refused(), "cannot_list");
        assert!(
            outcome.stderr.contains("sessions revoke --subject"),
            "{}",
            outcome.stderr
        );
    }
}
