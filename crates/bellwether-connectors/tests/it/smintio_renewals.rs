//! Licences that take over from others of the same asset: terms never change after a purchase, so
//! people renew by buying again. No provider takes part.

use serde_json::{Value, json};

use crate::smintio_world::{Cells, transaction};

const SOON: &str = "2026-04-01T10:00:00Z";
const LATER: &str = "2027-04-01T10:00:00Z";

fn bought(uuid: &str, until: Option<&str>, changes: &Value) -> bellwether_model::event::NewEvent {
    let mut record = json!({"uuid": uuid, "license_type": "royalty_free",
        "licensee": {"uuid": "l-1"}, "purchased_at": "2025-01-01T09:00:00Z",
        "terms": [{"number": 1, "valid_until": until}]});
    if until.is_none() {
        record["terms"] = json!([]);
    }
    for (name, value) in crate::common::object(changes) {
        record[name] = value.clone();
    }
    transaction(1, &record)
}

/// A licence of which thirty days before its end were told.
fn told() -> Cells {
    let mut cells = Cells::at("2026-01-20T10:00:00Z");
    cells.take(bought("t-1", Some(SOON), &json!({})));
    cells.pass_to("2026-03-10T10:00:00Z");
    let said = [
        "request.delivered",
        "license.expiring 90",
        "license.expiring 30",
    ];
    assert_eq!(cells.news(), said);
    cells
}

#[test]
fn a_second_purchase_that_reaches_further_takes_over_and_says_so_once() {
    let mut cells = told();
    cells.take(bought("t-2", Some(LATER), &json!({})));
    assert_eq!(cells.news(), ["request.delivered", "license.renewed"]);
    let renewed = cells.of("smintio.license.renewed").remove(0);
    assert_eq!(renewed["license"]["id"], "t-1/1");
    assert_eq!(renewed["license"]["renewed_by"], "t-2");
    assert_eq!(renewed["license"]["renewed_until"], LATER);
    // Bought once more: nobody was told of anything that no longer holds.
    cells.take(bought("t-3", None, &json!({})));
    assert_eq!(cells.news(), ["request.delivered"]);
    cells.pass_to("2026-12-01T00:00:00Z");
    assert_eq!(cells.news(), [""; 0], "neither its end nor use after it");
    cells.pass_to("2028-12-01T00:00:00Z");
    assert_eq!(cells.news(), [""; 0], "t-3 takes over from t-2 as well");
}

#[test]
fn in_whatever_order_they_come_the_one_that_reaches_further_counts() {
    for order in [["t-1", "t-2"], ["t-2", "t-1"]] {
        let mut cells = Cells::at("2026-01-20T10:00:00Z");
        for uuid in order {
            let until = if uuid == "t-1" { SOON } else { LATER };
            cells.take(bought(uuid, Some(until), &json!({"baseline": true})));
        }
        cells.pass_to("2026-12-01T00:00:00Z");
        assert_eq!(cells.news(), [""; 0], "{order:?}");
        cells.pass_to("2027-05-01T00:00:00Z");
        assert_eq!(cells.news().len(), 5, "{order:?}");
    }
}

#[test]
fn a_narrower_licence_takes_over_from_nothing() {
    let narrower = [
        json!({"licensee": {"uuid": "l-2"}}),
        json!({"licensee": null}),
        json!({"license_type": "rights_managed"}),
        json!({"restricted": ["geographies"]}),
        json!({"counters": {"downloads": {"current": 0, "max": 10}}}),
        json!({"asset": {"id": "a-1", "is_editorial_use": true}}),
        json!({"asset": {"id": "a-2"}}),
        json!({"asset": {}}),
        json!({"state": "purchase_phase_1"}),
        json!({"terms": [{"number": 1, "valid_from": "2026-05-01T00:00:00Z", "valid_until": LATER}]}),
        json!({"terms": [{"number": 1, "valid_until": SOON}]}),
        json!({"terms": [{"number": 1, "valid_until": LATER}, {"number": 2, "valid_until": SOON}]}),
    ];
    for changes in narrower {
        let mut cells = told();
        cells.take(bought("t-2", Some(LATER), &changes));
        cells.news();
        assert_eq!(
            cells.of("smintio.license.renewed"),
            Vec::<Value>::new(),
            "{changes}"
        );
        cells.pass_to("2026-04-03T00:00:00Z");
        let of_first = cells.of("smintio.license.expired");
        let of_first = of_first
            .iter()
            .filter(|data| data["transaction"]["uuid"] == "t-1");
        assert_eq!(of_first.count(), 1, "{changes}");
    }
}

#[test]
fn what_no_longer_takes_over_lets_the_end_be_told_again() {
    let mut cells = told();
    cells.take(bought("t-2", Some(LATER), &json!({})));
    cells.pass_to("2026-03-28T10:00:00Z");
    cells.news();
    cells.take(bought(
        "t-2",
        Some(LATER),
        &json!({"version": 2, "state": "cancelled"}),
    ));
    assert_eq!(cells.news(), ["request.cancelled", "license.expiring 7"]);
    // And taken over once more, which is said once more.
    cells.take(bought(
        "t-2",
        Some(LATER),
        &json!({"version": 3, "state": "completed"}),
    ));
    assert_eq!(cells.news(), ["request.delivered", "license.renewed"]);
    cells.pass_to("2026-12-01T00:00:00Z");
    assert_eq!(cells.news(), [""; 0]);
}

#[test]
fn an_asset_remembers_so_many_licences_and_forgets_what_ended_first() {
    let mut cells = Cells::at("2026-01-20T10:00:00Z");
    cells.take(bought("t-1", Some(SOON), &json!({})));
    for n in 0..400 {
        let until = format!("2027-04-01T10:00:{:02}Z", n % 60);
        cells.take(bought(
            &format!("u-{n}"),
            Some(&until),
            &json!({"license_type": format!("k{n}")}),
        ));
    }
    cells.pass_to("2026-03-31T23:00:00Z");
    let expiring = cells.of("smintio.license.expiring");
    assert!(!expiring.is_empty(), "what nobody takes over from is told");
}
