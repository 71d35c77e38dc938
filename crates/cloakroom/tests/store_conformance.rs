//! The conformance checks find what is wrong with a store, and nothing wrong with one that is right.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod naive_store;

use std::{collections::BTreeSet, sync::Arc};

use cloakroom::{
    Clock,
    store::conformance::{Harness, Limits, Outcome, Report, Subject, run},
};
use naive_store::{Fault, NaiveStore};

async fn report(fault: Fault, limits: Limits) -> Report {
    let clock = Clock::manual(1_700_000_000);
    let hands = clock.clone();
    let open = move || {
        let store = NaiveStore::new(hands.clone(), fault);
        let (twin, foreign) = (store.twin(), Arc::new(store.twin()));
        let subject = Subject::new(store).twin(twin).foreign(move |key, value| {
            let foreign = foreign.clone();
            async move { foreign.foreign_write(&key, value) }
        });
        async move { subject }
    };
    run(Harness::new(open).clock(clock).limits(limits)).await
}

/// Each fault and a check that has to find it.
const FOUND_BY: &[(Fault, &str)] = &[
    (Fault::UpdateInserts, "basics/replace_never_inserts"),
    (Fault::TouchInserts, "basics/touch_never_inserts"),
    (
        Fault::IgnoresTheBase,
        "basics/replace_with_an_old_base_writes_nothing",
    ),
    (Fault::ForgetsTombstones, "deletion/a_late_create_stays_out"),
    (
        Fault::TombstonesInTheEntry,
        "neighbours/a_foreign_write_under_a_tombstone_stays_missing",
    ),
    (
        Fault::TombstonesOfZeroForEver,
        "deletion/a_tombstone_of_zero_leaves_none",
    ),
    (
        Fault::TombstonesDieWithTheEntry,
        "deletion/a_tombstone_outlives_the_entry_it_stands_for",
    ),
    (
        Fault::IgnoresExpiry,
        "expiry/an_expired_entry_is_missing_for_load",
    ),
    (
        Fault::LivesASecondLonger,
        "expiry/the_last_second_is_alive_and_the_next_is_not",
    ),
    (
        Fault::LoadsExpired,
        "expiry/an_expired_entry_is_missing_for_load",
    ),
    (
        Fault::CreateFindsExpired,
        "expiry/an_expired_entry_is_free_for_create",
    ),
    (Fault::TouchOnlyExtends, "expiry/touch_shortens"),
    (Fault::ReplaceKeepsTheExpiry, "expiry/replace_extends"),
    (Fault::LoadsRenew, "expiry/loads_renew_nothing"),
    (
        Fault::DeleteIgnoresTheExpected,
        "deletion/what_has_changed_is_left_alone",
    ),
    (
        Fault::DeleteOfMissingSucceeds,
        "deletion/a_missing_key_with_an_expectation_is_not_found",
    ),
    (
        Fault::DeleteOfMissingLeavesNothing,
        "deletion/a_missing_key_gets_a_tombstone",
    ),
    (
        Fault::TouchChangesTheValue,
        "basics/touch_is_no_change_to_compare_with",
    ),
    (Fault::CutsValues, "values/1_megabyte_are_kept"),
    (Fault::TrimsNuls, "values/a_nul_at_the_end_is_kept"),
    (Fault::EmptyIsMissing, "values/the_empty_value_is_kept"),
    (Fault::ComparesWithoutCase, "values/upper_case_is_a_change"),
    (Fault::CutsKeys, "keys/the_longest_key_is_taken_or_refused"),
    (Fault::KeysWithoutCase, "keys/upper_case_is_another_key"),
    (Fault::TrimsKeys, "keys/a_space_at_the_end_is_another_key"),
    (
        Fault::PanicsOnEmptyKeys,
        "keys/the_empty_key_is_kept_or_refused",
    ),
    (Fault::TombstonesAreKeys, "keys/colon_gone_buries_nobody"),
    (
        Fault::TombstonesAreKeys,
        "keys/a_tombstone_is_no_entry_under_any_name",
    ),
    (Fault::PrefixIsAPattern, "listing/a_percent_sign_is_literal"),
    (Fault::ListsTheSameTwice, "listing/pages_of_seven"),
    (
        Fault::ListsByNumber,
        "listing/entries_that_stay_are_listed_while_others_come_and_go",
    ),
    (Fault::ListsTombstones, "listing/tombstones_are_not_listed"),
    (
        Fault::SweepsWithoutLimit,
        "sweeping/no_more_than_the_limit_is_removed",
    ),
    (
        Fault::SweepsTombstones,
        "sweeping/tombstones_stay_until_they_expire",
    ),
    (Fault::SweepsLiving, "sweeping/live_entries_stay"),
    (
        Fault::SweepCountsNothing,
        "sweeping/what_has_expired_is_removed_and_counted",
    ),
    (
        Fault::TornCreate,
        "cancelling/a_dropped_create_is_done_or_not",
    ),
    (
        Fault::ComparesThenWrites,
        "races/no_increment_of_64_writers_is_lost",
    ),
    (Fault::LooksThenCreates, "races/one_of_64_creations_wins"),
    (
        Fault::TouchesByLoadAndStore,
        "races/touches_cost_no_writer_its_turn",
    ),
    (
        Fault::BusyWhenDropped,
        "cancelling/a_dropped_replace_is_done_or_not",
    ),
    (
        Fault::ReplacesInTwoSteps,
        "cancelling/a_dropped_replace_is_done_or_not",
    ),
    (Fault::TellsTheKey, "secrecy/refusals_hide_key_and_value"),
    (
        Fault::Remembers,
        "neighbours/what_one_connection_writes_another_loads",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_right_passes_every_check() {
    let report = report(Fault::Nothing, Limits::default()).await;
    assert!(report.conforms(), "{report}");
    let names: BTreeSet<_> = report.checks.iter().map(|check| &check.name).collect();
    assert_eq!(names.len(), report.checks.len(), "two checks share a name");
    assert!(report.passed().count() >= 150, "{report}");
    // With all hooks, only what is declared and what is refused does not apply.
    for (name, reason) in report.not_applicable() {
        assert!(
            [
                "refuses",
                "does not tell",
                "no limit",
                "the store lists",
                "removes what has"
            ]
            .iter()
            .any(|known| reason.contains(known)),
            "{name}: {reason}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_found_by_the_check_of_its_promise() {
    let mut missed = Vec::new();
    let mut runs = tokio::task::JoinSet::new();
    let at_a_time = Arc::new(tokio::sync::Semaphore::new(8));
    for &(fault, check) in FOUND_BY {
        let at_a_time = at_a_time.clone();
        runs.spawn(async move {
            let _turn = at_a_time.acquire().await;
            (fault, check, report(fault, Limits::default()).await)
        });
    }
    while let Some(done) = runs.join_next().await {
        let (fault, check, report) = done.unwrap();
        match report.failed().find(|(name, _)| *name == check) {
            Some((_, message)) => assert!(message.len() > 40, "{check} says too little: {message}"),
            None => missed.push(format!("{fault:?} was not found by {check}: {report}")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_declared_is_checked() {
    let limits = Limits {
        lists: false,
        max_value: Some(1000),
        deletes_expired: true,
    };
    let report = report(Fault::Nothing, limits).await;
    let failed: Vec<_> = report.failed().map(|(name, _)| name).collect();
    assert_eq!(
        failed,
        [
            "listing/a_store_that_does_not_list_refuses",
            "values/a_value_over_the_limit_is_refused",
            "values/a_replacement_over_the_limit_is_refused",
        ]
    );
    let of = |name: &str| {
        let found = report.checks.iter().find(|check| check.name == name);
        found.unwrap().outcome.clone()
    };
    for skipped in ["listing/pages_of_one", "values/64_kilobytes_are_kept"] {
        assert!(
            matches!(of(skipped), Outcome::NotApplicable(reason) if reason.contains("Limits::"))
        );
    }
}

#[tokio::test]
async fn a_report_lists_what_failed_and_what_did_not_apply() {
    let report = report(Fault::CutsValues, Limits::default()).await;
    let text = report.to_string();
    assert!(!report.conforms() && !report.several_threads);
    assert!(text.contains("FAILED values/1_megabyte_are_kept"), "{text}");
    assert!(
        text.contains("did not apply: values/a_value_over_the_limit_is_refused"),
        "{text}"
    );
    assert!(text.contains("multi_thread"), "{text}");
}
