//! What the memory of a tenant makes of records and dates: each threshold once, silence on the
//! first read, nothing invented from what is not known. No provider takes part.

use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::{Value, json};

use crate::smintio_world::{Cells, transaction};

fn until(date: &str) -> Value {
    json!([{"number": 1, "name": "Print", "valid_until": date}])
}

#[test]
fn each_threshold_is_said_once_at_local_midnight_and_the_end_after_the_last_day() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let terms = until("2026-12-31T12:00:00Z");
    let rules = json!({"zone": "America/New_York", "days": [1, 7, 30, 90], "percents": [],
        "stuck_hours": 0});
    cells.take(transaction(1, &json!({"terms": terms, "rules": rules})));
    assert_eq!(cells.news(), ["request.delivered"]);
    let expected = [
        ("2026-10-02T03:59:59Z", vec![]),
        ("2026-10-02T04:00:00Z", vec!["license.expiring 90"]),
        ("2026-12-01T04:59:59Z", vec![]),
        ("2026-12-01T05:00:00Z", vec!["license.expiring 30"]),
        ("2026-12-24T05:00:00Z", vec!["license.expiring 7"]),
        ("2026-12-30T05:00:00Z", vec!["license.expiring 1"]),
        ("2027-01-01T04:59:59Z", vec![]),
        ("2027-01-01T05:00:00Z", vec!["license.expired"]),
        ("2028-01-01T00:00:00Z", vec![]),
    ];
    for (at, said) in expected {
        cells.pass_to(at);
        assert_eq!(cells.news(), said, "{at}");
    }
    assert_eq!(cells.timers(), 0, "nothing more is expected");
    let last = &cells.happened.last().unwrap().data["license"];
    assert_eq!(last["last_day"], "2026-12-31");
}

#[test]
fn on_first_sight_only_the_tightest_passed_threshold_is_said() {
    // Bought long ago and first seen late.
    let mut cells = Cells::at("2026-06-01T10:00:00Z");
    let terms = until("2026-06-06T12:00:00Z");
    cells.take(transaction(1, &json!({"terms": terms})));
    assert_eq!(cells.news(), ["request.delivered", "license.expiring 7"]);
    cells.pass_to("2026-06-10T00:00:00Z");
    assert_eq!(cells.news(), ["license.expiring 1", "license.expired"]);
    // A term of thirty days that was bought today was never ninety days from its end.
    let mut cells = Cells::at("2026-06-01T10:00:00Z");
    let terms = until("2026-07-01T10:00:00Z");
    let bought = json!({"terms": terms, "purchased_at": "2026-06-01T09:00:00Z"});
    cells.take(transaction(1, &bought));
    assert_eq!(cells.news(), ["request.delivered"]);
    cells.pass_to("2026-07-05T00:00:00Z");
    let said = [
        "license.expiring 7",
        "license.expiring 1",
        "license.expired",
    ];
    assert_eq!(cells.news(), said);
    // Seen after its end.
    let mut cells = Cells::at("2026-06-01T10:00:00Z");
    cells.take(transaction(
        1,
        &json!({"terms": until("2026-05-01T10:00:00Z")}),
    ));
    assert_eq!(cells.news(), ["request.delivered", "license.expired"]);
}

#[test]
fn a_renewal_arms_the_thresholds_anew_and_an_earlier_end_is_said_at_once() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    cells.take(transaction(
        1,
        &json!({"terms": until("2026-04-01T10:00:00Z")}),
    ));
    cells.pass_to("2026-03-20T10:00:00Z");
    cells.news();
    cells.take(transaction(
        2,
        &json!({"terms": until("2027-04-01T10:00:00Z")}),
    ));
    assert_eq!(cells.news(), ["license.renewed"]);
    cells.pass_to("2027-03-10T00:00:00Z");
    assert_eq!(cells.news(), ["license.expiring 90", "license.expiring 30"]);
    cells.take(transaction(
        3,
        &json!({"terms": until("2027-03-13T10:00:00Z")}),
    ));
    assert_eq!(cells.news(), ["license.expiring 7"]);
    // Told again, unchanged, and an older version after it.
    cells.take(transaction(
        3,
        &json!({"terms": until("2027-03-13T10:00:00Z"), "x": 1}),
    ));
    cells.take(transaction(
        2,
        &json!({"terms": until("2027-04-01T10:00:00Z"), "y": 1}),
    ));
    assert_eq!(cells.news(), [""; 0]);
    cells.pass_to("2027-12-01T00:00:00Z");
    assert_eq!(cells.news(), ["license.expiring 1", "license.expired"]);
}

#[test]
fn the_first_read_is_silent_and_arms_what_lies_ahead() {
    let mut cells = Cells::at("2026-06-01T10:00:00Z");
    let record = json!({"baseline": true, "terms": until("2026-06-20T10:00:00Z"),
        "restrictive": true, "counters": {"downloads": {"current": 9, "max": 10}}});
    cells.take(transaction(1, &record));
    assert_eq!(cells.news(), [""; 0]);
    cells.pass_to("2026-06-13T10:00:00Z");
    assert_eq!(
        cells.news(),
        ["license.expiring 7"],
        "thirty days were passed in silence"
    );
    let grown = json!({"terms": until("2026-06-20T10:00:00Z"), "restrictive": true,
        "counters": {"downloads": {"current": 10, "max": 10}}});
    cells.take(transaction(2, &grown));
    assert_eq!(cells.news(), ["license.usage_limit_reached 100"]);
}

#[test]
fn a_purchase_is_told_as_it_walks_and_an_unknown_state_says_nothing() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let states = [
        ("purchase_phase_1", vec!["request.submitted"]),
        ("purchase_phase_2", vec![]),
        ("purchase_phase_9", vec![]),
        ("downloading", vec!["request.approved"]),
        ("finalizing", vec![]),
        ("error", vec!["request.failed", "sync.failed"]),
        ("downloading", vec!["request.approved", "sync.recovered"]),
        ("completed", vec!["request.delivered"]),
    ];
    for (version, (state, said)) in (1..).zip(states) {
        cells.take(transaction(version, &json!({"state": state})));
        assert_eq!(cells.news(), said, "{state}");
    }
    // Cancelled before it was paid is no rejection and no violation.
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    cells.take(transaction(1, &json!({"state": "purchase_phase_1"})));
    cells.take(transaction(
        2,
        &json!({"state": "cancelled", "restrictive": true}),
    ));
    assert_eq!(cells.news(), ["request.submitted", "request.cancelled"]);
}

#[test]
fn nothing_ends_before_it_is_held() {
    let mut cells = Cells::at("2026-06-01T10:00:00Z");
    let terms = until("2026-06-05T10:00:00Z");
    let asked = json!({"state": "purchase_phase_1", "terms": terms});
    cells.take(transaction(1, &asked));
    cells.take(transaction(
        2,
        &json!({"state": "cancelled", "terms": terms}),
    ));
    cells.pass_to("2026-07-01T10:00:00Z");
    assert_eq!(cells.news(), ["request.submitted", "request.cancelled"]);
}

#[test]
fn limits_are_said_by_their_tightest_threshold_and_again_under_another_limit() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let count = |current: i64, max: i64| json!({"counters": {"downloads": {"current": current, "max": max}}});
    let steps = [
        ((79, 100), vec!["request.delivered"]),
        ((80, 100), vec!["license.usage_limit_near 80"]),
        ((97, 100), vec!["license.usage_limit_near 95"]),
        ((99, 100), vec![]),
        ((100, 100), vec!["license.usage_limit_reached 100"]),
        ((101, 100), vec!["compliance.violation"]),
        ((102, 100), vec![]),
        ((102, 200), vec![]),
        ((170, 200), vec!["license.usage_limit_near 80"]),
    ];
    for (version, ((current, max), said)) in (1..).zip(steps) {
        cells.take(transaction(version, &count(current, max)));
        assert_eq!(cells.news(), said, "{current} of {max}");
    }
    // Without a limit, or without a count, there is nothing to say.
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    cells.take(transaction(
        1,
        &json!({"counters": {"users": {"current": 9}}}),
    ));
    cells.take(transaction(2, &json!({"counters": {"users": {"max": 9}}})));
    assert_eq!(cells.news(), ["request.delivered"]);
}

#[test]
fn a_review_is_asked_for_reasons_that_are_known_and_for_new_ones_again() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    cells.take(transaction(
        1,
        &json!({"asset": {"model_release": "released"}}),
    ));
    assert_eq!(
        cells.news(),
        ["request.delivered"],
        "not known is no reason"
    );
    let asset = json!({"is_ai": true, "model_release": "not_released"});
    cells.take(transaction(2, &json!({"asset": asset})));
    assert_eq!(cells.news(), ["asset.review_required"]);
    let review = &cells.happened.last().unwrap().data["review"];
    assert_eq!(review["kinds"], json!(["brand", "legal"]));
    assert_eq!(
        review["new"],
        json!(["model_release_missing", "ai_content"])
    );
    let more = json!({"asset": asset, "restricted": ["geographies"]});
    cells.take(transaction(3, &more));
    cells.take(transaction(4, &more));
    assert_eq!(cells.news(), ["asset.review_required"]);
    let review = &cells.happened.last().unwrap().data["review"];
    assert_eq!(review["new"], json!(["restrictive_terms"]));
    assert_eq!(review["reasons"].as_array().unwrap().len(), 3);
}

#[test]
fn files_are_updated_replaced_or_not_known() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let files = |all: &[(&str, i64)]| {
        let all = all
            .iter()
            .map(|(uuid, version)| json!({"uuid": uuid, "version": version}));
        json!({"files": all.collect::<Vec<_>>()})
    };
    let steps = [
        (files(&[("f1", 1)]), vec!["request.delivered"]),
        (files(&[("f1", 2)]), vec!["asset.updated"]),
        (json!({}), vec![]),
        (files(&[("f1", 2)]), vec![]),
        (
            files(&[("f1", 3), ("f2", 1)]),
            vec!["asset.updated", "asset.updated"],
        ),
        (files(&[("f3", 1), ("f2", 1)]), vec!["asset.replaced"]),
    ];
    for (version, (record, said)) in (1..).zip(steps) {
        cells.take(transaction(version, &record));
        assert_eq!(cells.news(), said, "version {version}");
    }
}

#[test]
fn use_after_the_end_and_a_cancelled_licence_in_use_are_violations() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let record = |downloads: i64| {
        json!({"terms": until("2026-01-20T10:00:00Z"),
            "counters": {"downloads": {"current": downloads}}})
    };
    cells.take(transaction(1, &record(3)));
    cells.pass_to("2026-02-01T10:00:00Z");
    cells.news();
    cells.take(transaction(2, &record(3)));
    assert_eq!(cells.news(), [""; 0]);
    cells.take(transaction(3, &record(4)));
    cells.take(transaction(4, &record(5)));
    assert_eq!(cells.news(), ["compliance.violation"]);
    let matter = &cells.happened.last().unwrap().data["violation"];
    assert_eq!(matter["rule"], "expired_license");
    let cancelled = json!({"state": "cancelled", "counters": {"downloads": {"current": 5}}});
    cells.take(transaction(5, &cancelled));
    assert_eq!(cells.news(), ["request.cancelled", "compliance.violation"]);
}

#[test]
fn what_waits_too_long_is_asked_for_and_its_end_is_told() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let asked = json!({"state": "purchase_phase_1", "updated_at": "2026-01-01T09:00:00Z"});
    cells.take(transaction(1, &asked));
    cells.news();
    cells.pass_to("2026-01-03T08:59:59Z");
    assert_eq!(cells.news(), [""; 0]);
    cells.pass_to("2026-01-03T09:00:00Z");
    assert_eq!(cells.news(), ["action.required"]);
    cells.pass_to("2026-01-09T09:00:00Z");
    cells.take(transaction(2, &json!({"state": "completed"})));
    assert_eq!(cells.news(), ["action.completed", "request.delivered"]);
    cells.pass_to("2026-02-09T09:00:00Z");
    assert_eq!(cells.news(), [""; 0]);
}

fn of_campaign(uuid: &str, version: i64, state: &str, size: Value) -> NewEvent {
    let campaign = json!({"kind": "collection", "name": "Spring", "quiet_hours": 24, "size": size});
    transaction(
        version,
        &json!({"uuid": uuid, "state": state, "campaign": campaign}),
    )
}

#[test]
fn a_campaign_is_final_when_the_whole_set_is_there() {
    let finals = |cells: &mut Cells| {
        let news = cells.news().into_iter();
        news.filter(|kind| kind == "campaign.finalized").count()
    };
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    for uuid in ["a", "b", "c"] {
        cells.take(of_campaign(uuid, 1, "purchase_phase_1", json!(3)));
    }
    for uuid in ["a", "b"] {
        cells.take(of_campaign(uuid, 2, "completed", json!(3)));
        assert_eq!(finals(&mut cells), 0, "a part of it");
    }
    cells.take(of_campaign("c", 2, "completed", json!(3)));
    assert_eq!(finals(&mut cells), 1);
    cells.take(of_campaign("c", 3, "completed", json!(3)));
    cells.pass_to("2026-03-01T10:00:00Z");
    assert_eq!(finals(&mut cells), 0, "once");

    // Without a size it must be quiet for a while; one that is cancelled is no part of it.
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    cells.take(of_campaign("a", 1, "completed", Value::Null));
    cells.pass_to("2026-01-02T09:59:00Z");
    cells.take(of_campaign("b", 1, "purchase_phase_1", Value::Null));
    cells.pass_to("2026-01-09T10:00:00Z");
    assert_eq!(finals(&mut cells), 0, "one is open");
    cells.take(of_campaign("b", 2, "cancelled", Value::Null));
    cells.pass_to("2026-01-10T09:59:59Z");
    assert_eq!(finals(&mut cells), 0);
    cells.pass_to("2026-01-10T10:00:00Z");
    assert_eq!(finals(&mut cells), 1);
}

fn link(at: &Cells, code: Option<(&str, bool)>) -> NewEvent {
    let link = match code {
        None => json!({"part": "feed", "ok": true}),
        Some((code, person)) => json!({"part": "feed", "ok": false, "code": code,
            "message": "It fails.", "needs_person": person}),
    };
    let id = format!("link/{}/{:?}", at.now, code);
    NewEvent::new("test", id, "smintio.link", at.now, json!({ "link": link }))
}

#[test]
fn our_own_link_is_told_when_it_fails_for_long_or_for_good_and_flapping_is_not() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let away = Some(("provider_error", false));
    for minute in ["00", "02", "04"] {
        cells.pass_to(&format!("2026-01-01T10:{minute}:00Z"));
        cells.take(link(&cells, away));
        cells.pass_to(&format!("2026-01-01T10:{minute}:59Z"));
        cells.take(link(&cells, None));
    }
    cells.pass_to("2026-01-01T11:00:00Z");
    assert_eq!(cells.news(), [""; 0], "it was never away for long");
    cells.take(link(&cells, away));
    cells.pass_to("2026-01-01T11:05:00Z");
    assert_eq!(cells.news(), ["sync.failed"]);
    // It comes back and goes again: one matter.
    cells.take(link(&cells, None));
    cells.pass_to("2026-01-01T11:06:00Z");
    cells.take(link(&cells, away));
    cells.pass_to("2026-01-01T12:00:00Z");
    cells.take(link(&cells, None));
    assert_eq!(cells.news(), [""; 0]);
    cells.pass_to("2026-01-01T12:05:00Z");
    assert_eq!(cells.news(), ["sync.recovered"]);
    // A lost consent needs somebody at once, and is told again after a week.
    cells.take(link(&cells, Some(("invalid_grant", true))));
    assert_eq!(cells.news(), ["sync.failed"]);
    let said = cells.happened.last().unwrap();
    assert_eq!(said.data["sync"]["component"], "smintio_auth");
    assert_eq!(said.data["severity"], "critical");
    cells.pass_to("2026-01-08T12:05:00Z");
    assert_eq!(cells.news(), ["sync.failed"]);
    cells.take(link(&cells, None));
    cells.pass_to("2026-01-20T12:05:00Z");
    assert_eq!(cells.news(), ["sync.recovered"]);
    // An outage that was told, and then turns out to need somebody, is told once more.
    cells.take(link(&cells, away));
    cells.pass_to("2026-01-20T12:10:00Z");
    cells.take(link(&cells, Some(("invalid_grant", true))));
    assert_eq!(cells.news(), ["sync.failed", "sync.failed"]);
    assert_eq!(
        cells.happened.last().unwrap().data["sync"]["needs_person"],
        true
    );
    cells.pass_to("2026-01-20T12:30:00Z");
    cells.take(link(&cells, Some(("invalid_client", true))));
    assert_eq!(cells.news(), [""; 0]);
}

#[test]
fn settings_that_change_say_nothing_about_what_lies_behind() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let terms = until("2026-04-01T10:00:00Z");
    cells.take(transaction(1, &json!({"terms": terms})));
    cells.pass_to("2026-02-15T10:00:00Z");
    cells.news();
    let rules = json!({"zone": "UTC", "days": [14, 60], "percents": [], "stuck_hours": 0});
    cells.take(transaction(1, &json!({"terms": terms, "rules": rules})));
    cells.pass_to("2026-03-30T10:00:00Z");
    assert_eq!(cells.news(), ["license.expiring 14"]);
}

#[test]
fn no_price_and_no_download_address_leaves_the_memory() {
    let mut cells = Cells::at("2026-01-01T10:00:00Z");
    let record = json!({"restrictive": true, "terms": until("2025-12-31T10:00:00Z"),
        "total_price_eur": 49.0, "download_url": "https://x/secret"});
    cells.take(transaction(1, &record));
    assert!(cells.happened.len() > 2);
    for derived in &cells.happened {
        let text = derived.data.to_string();
        assert!(
            !text.contains("price") && !text.contains("secret"),
            "{text}"
        );
        assert!(derived.time <= cells.now && derived.time > Time(0));
    }
}
