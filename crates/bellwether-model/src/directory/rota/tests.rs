//! Rotas on data, and in every zone over the days on which its clock changes.

use jiff::civil::{date, time};

use super::*;
use crate::time::Millis;

fn at(text: &str) -> Time {
    Time::from(text.parse::<jiff::Zoned>().unwrap().timestamp())
}

fn rota(zone: &str, json: &str) -> Rota {
    let mut rota: Rota = serde_json::from_str(json).unwrap();
    zone.clone_into(&mut rota.zone);
    rota
}

const WEEKLY: &str =
    r#"{"hand_over": "Mon 09:00", "members": ["ann", "ben", "cid"], "start": "2026-03-04"}"#;

#[test]
fn the_week_changes_hands_on_monday_morning() {
    let rota = rota("Europe/Berlin", WEEKLY);
    let who = |text: &str| {
        rota.slot(at(&format!("{text}[Europe/Berlin]")))
            .unwrap()
            .person
    };
    assert_eq!(who("2026-03-02T09:00"), "ann");
    assert_eq!(
        who("2026-03-02T08:59"),
        "cid",
        "before the first one too there is somebody"
    );
    assert_eq!(who("2026-03-09T08:59"), "ann");
    assert_eq!(who("2026-03-09T09:00"), "ben");
    assert_eq!(who("2026-03-16T09:00"), "cid");
    assert_eq!(who("2026-03-23T09:00"), "ann");
    // Summer time began on Sunday: it is still nine o'clock.
    assert_eq!(who("2026-03-30T08:59"), "ann");
    assert_eq!(who("2026-03-30T09:00"), "ben");
    let next = rota.next(at("2026-03-24T12:00[Europe/Berlin]")).unwrap();
    assert_eq!(
        (next.person.as_str(), next.from),
        ("ben", at("2026-03-30T09:00[Europe/Berlin]"))
    );
}

#[test]
fn an_override_takes_a_part_and_gives_it_back() {
    let mut rota = rota("Europe/Berlin", WEEKLY);
    let over = |from: &str, until: &str, person: &str| Override {
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
        person: person.to_owned(),
    };
    rota.overrides = vec![
        over("2026-03-03T18:00", "2026-03-05T06:00", "cid"),
        over("2026-03-04T00:00", "2026-03-04T12:00", "dan"),
    ];
    let zone = |text: &str| at(&format!("{text}[Europe/Berlin]"));
    let slots = rota.slots(zone("2026-03-02T09:00"), zone("2026-03-09T09:00"));
    let people: Vec<&str> = slots.iter().map(|slot| slot.person.as_str()).collect();
    assert_eq!(people, ["ann", "cid", "dan", "cid", "ann"]);
    assert_eq!(slots[3].until, zone("2026-03-05T06:00"));
    assert_eq!(slots[0].from, zone("2026-03-02T09:00"));
}

#[test]
fn nights_have_a_team_of_their_own() {
    let json = r#"{"hand_over": ["Mon 08:00"], "members": ["ann", "ben"], "start": "2026-03-02",
        "shifts": [{"from": "08:00"}, {"from": "20:00", "members": ["nia", "olaf"]}]}"#;
    let rota = rota("Europe/Vienna", json);
    let who = |text: &str| {
        rota.slot(at(&format!("{text}[Europe/Vienna]")))
            .unwrap()
            .person
    };
    assert_eq!(who("2026-03-02T12:00"), "ann");
    assert_eq!(who("2026-03-02T23:00"), "nia");
    assert_eq!(who("2026-03-05T03:00"), "nia");
    // The Sunday night ends on Monday, with whoever began it.
    assert_eq!(who("2026-03-09T07:59"), "nia");
    assert_eq!(who("2026-03-09T08:00"), "ben");
    assert_eq!(who("2026-03-09T21:00"), "olaf");
}

#[test]
fn moments_are_written_as_people_write_them() {
    for text in ["Mon 09:00", "23:15", "Sun 07:30"] {
        assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
    }
    assert_eq!(
        "sunday 07:30".parse::<Moment>().unwrap().to_string(),
        "Sun 07:30"
    );
    for wrong in [
        "",
        "Mon",
        "Monday at nine",
        "Xyz 09:00",
        "25:00",
        "Mö 09:00",
    ] {
        assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
    }
    let bare = Moment {
        day: None,
        time: time(9, 0, 0, 0),
    };
    assert_eq!(serde_json::to_string(&bare).unwrap(), "\"09:00\"");
    assert_eq!(
        Rota::default().slot(Time(0)),
        None,
        "nobody, rather than a panic"
    );
}

/// The instants within a span at which a zone's offset changes, with those shortly around them.
fn edges(zone: &TimeZone) -> Vec<Time> {
    let mut out = Vec::new();
    for year in [2011, 2026] {
        let from = date(year, 1, 1).in_tz("UTC").unwrap().timestamp();
        for change in zone.following(from).take(2) {
            let change = Time::from(change.timestamp());
            for minutes in [-61_i64, -1, 0, 29, 61, 121] {
                out.push(Time(change.0 + minutes * 60_000_000));
            }
        }
        out.push(Time::from(from));
    }
    out
}

/// Hand-overs at hours that clocks skip and repeat, and two so near that a gap turns them round.
const HARD: &str = r#"{"hand_over": ["00:00", "02:30", "02:45", "03:05", "23:59"],
    "members": ["ann", "ben", "cid"],
    "overrides": [{"from": "2026-03-29T02:10", "until": "2026-03-29T02:50", "person": "dan"},
                  {"from": "2026-10-25T02:10", "until": "2026-10-25T02:50", "person": "dan"}]}"#;

#[test]
fn in_every_zone_exactly_one_is_on_duty_at_every_instant() {
    let mut looked = 0_u64;
    for name in jiff::tz::db().available() {
        for json in [WEEKLY, HARD] {
            let rota = rota(name.as_str(), json);
            let zone = rota.time_zone();
            for now in edges(&zone) {
                looked += 1;
                let slot = rota.slot(now).unwrap();
                let about = format!("{name} {now} {slot:?}");
                assert!(slot.from <= now && now < slot.until, "{about}");
                // The whole stretch agrees with itself, and its neighbours begin where it ends.
                let last = Time(slot.until.0 - 1);
                for inside in [slot.from, last] {
                    assert_eq!(rota.slot(inside).as_ref(), Some(&slot), "{about}");
                }
                let after = rota.slot(slot.until).unwrap();
                assert_eq!(after.from, slot.until, "{about}");
                let before = rota.slot(Time(slot.from.0 - 1)).unwrap();
                assert_eq!(before.until, slot.from, "{about}");
                if let Some(next) = rota.next(now) {
                    assert!(next.from > now && next.person != slot.person, "{about}");
                }
            }
        }
    }
    assert!(looked > 4_000, "{looked}");
}

#[test]
fn a_year_of_slots_has_no_hole_and_no_overlap() {
    for zone in [
        "Europe/Berlin",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
    ] {
        let rota = rota(zone, WEEKLY);
        let from = at("2026-01-01T00:00[UTC]");
        let slots = rota.slots(from, from + Millis::days(365));
        assert!((52..=54).contains(&slots.len()), "{zone} {}", slots.len());
        for pair in slots.windows(2) {
            assert_eq!(pair[0].until, pair[1].from);
            assert_ne!(pair[0].person, pair[1].person);
        }
    }
}
