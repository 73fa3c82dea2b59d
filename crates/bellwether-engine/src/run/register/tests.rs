//! What is read out of events for the register, and what is refused with a sentence.

use std::sync::Arc;

use bellwether_model::directory::{Outside, Person};
use serde_json::json;

use super::*;
use crate::run::Setup;

const NOW: Time = Time(1_772_445_600_000_000);
const CARLA: &str = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";

fn setup() -> Setup {
    let person = |id: &str| Person {
        id: id.to_owned(),
        emails: vec![format!("{id}@example.com")],
        ..Person::default()
    };
    let people = ["alice", "carla"].map(person);
    let mut outside = Outside::default();
    outside.add("dam", CARLA, "carla");
    Setup {
        directory: Arc::new(Directory {
            people: people.into_iter().map(|p| (p.id.clone(), p)).collect(),
            outside: Arc::new(outside),
            ..Directory::default()
        }),
        ..Setup::empty()
    }
}

fn said(kind: &str, data: Value) -> Member {
    let mut member = Member::default();
    let event = Event {
        position: 0,
        received_at: NOW,
        flow_set: 0,
        directory: 0,
        envelope: NewEvent::new("dam", "e-1", kind, NOW, data),
    };
    said_of_people(&setup(), &event, &mut member);
    member
}

fn usage(data: Value) -> UsageWrite {
    let member = said(ASSET_USED, data);
    assert!(member.dead_letters.is_empty(), "{member:?}");
    match member.register.last() {
        Some(RegisterWrite::Usage(usage)) => usage.clone(),
        other => panic!("no usage: {other:?}"),
    }
}

fn who(usage: &UsageWrite) -> (&str, &str) {
    (&usage.who.connection, &usage.who.id)
}

#[test]
fn a_connectors_own_usage_counts_too() {
    let data = json!({"asset": {"id": "a-1", "name": "Alpine sunrise"}, "severity": "info",
        "transaction": {}, "actor": {"uuid": CARLA, "name": "Carla"},
        "use": {"document": "Spring.indd", "used_at": "2026-03-01T09:00:00Z"}});
    let member = said("dam.asset.used", data.clone());
    let Some(RegisterWrite::Usage(usage)) = member.register.last() else {
        panic!("no usage: {member:?}");
    };
    assert_eq!(usage.asset, "a-1");
    assert_eq!(usage.document, "Spring.indd");
    assert_eq!(usage.who.id, CARLA);
    let other = said("dam.misasset.used", data);
    assert!(!matches!(
        other.register.last(),
        Some(RegisterWrite::Usage(_))
    ));
}

#[test]
fn a_usage_is_read_from_the_payload_or_from_a_noun() {
    let plain = json!({"asset": "a-1", "user": "alice", "document": "Flyer.indd",
        "time": "2026-03-01T08:00:00Z", "how": "linked"});
    for data in [plain.clone(), json!({ "body": plain })] {
        let usage = usage(data);
        assert_eq!((usage.asset.as_str(), who(&usage)), ("a-1", ("", "alice")));
        assert_eq!(
            (usage.document.as_str(), usage.how),
            ("Flyer.indd", How::Linked)
        );
        assert_eq!(usage.at, Time::parse("2026-03-01T08:00:00Z").unwrap());
        assert!(!usage.ended);
    }
    let rich = usage(
        json!({"asset": {"id": "a-2"}, "document": {"name": "Flyer"}, "ended": true,
        "user": {"name": "Alice", "email": "ALICE@example.com"}, "time": "2199-01-01T00:00:00Z"}),
    );
    assert_eq!((rich.asset.as_str(), who(&rich)), ("a-2", ("", "alice")));
    assert_eq!((rich.document.as_str(), rich.ended), ("Flyer", true));
    assert_eq!(rich.at, NOW, "nothing is said of the future");
}

#[test]
fn whom_nobody_knows_is_kept_under_his_connection_and_noted() {
    let known = usage(json!({"asset": "a", "user": {"id": CARLA}}));
    assert_eq!(who(&known), ("dam", CARLA));
    // A UUID is known wherever it comes from; another connection's short id is somebody else's.
    let elsewhere = UserSaid {
        connection: "shop".to_owned(),
        id: CARLA.to_owned(),
        ..UserSaid::default()
    };
    let (found, notes) = sighted(&elsewhere, "api", &setup().directory, NOW);
    assert_eq!((found.connection.as_str(), notes.len()), ("dam", 0));
    let data = json!({"asset": "a", "user": {"id": "u-7", "name": "Eve\u{202e} Vega"}});
    let member = said(ASSET_USED, data);
    let [
        RegisterWrite::Sighted(sighting),
        RegisterWrite::Usage(usage),
    ] = &member.register[..]
    else {
        panic!("{member:?}")
    };
    assert_eq!(
        (who(usage), sighting.name.as_str()),
        (("dam", "u-7"), "Eve Vega")
    );
    // An address that the directory knows is a proposal, because the id is what is mapped.
    let data = json!({"asset": "a", "user": {"uuid": "u-8", "email": "carla@example.com"}});
    let member = said(ASSET_USED, data);
    assert!(matches!(&member.register[1], RegisterWrite::Proposed(p) if p.person == "carla"));
}

#[test]
fn any_event_may_name_users_and_only_unknown_ones_are_noted() {
    let users = json!({"users": [{"id": CARLA}, {"id": "u-9", "name": "Eve"}, {"name": "no id"}]});
    let member = said("dam.request.submitted", users);
    assert_eq!(member.register.len(), 1);
    let actor = said(
        "dam.request.submitted",
        json!({"actor": {"user_uuid": "u-9"}}),
    );
    assert_eq!(actor.register.len(), 1);
    let nothing = said("dam.request.submitted", json!({"request": {"user": "u-9"}}));
    assert_eq!(nothing.register, []);
}

#[test]
fn what_is_no_usage_becomes_a_dead_letter_that_says_why() {
    let long = "x".repeat(NAME_MAX + 1);
    for (data, why) in [
        (json!({"user": "alice"}), "it names no asset"),
        (json!({"asset": "", "user": "alice"}), "it names no asset"),
        (json!({"asset": "a"}), "it names no user"),
        (
            json!({"asset": "a", "user": {"name": "Eve"}}),
            "it names no user",
        ),
        (json!({"asset": long, "user": "alice"}), "more than 256"),
        (json!({"asset": "a", "user": long}), "more than 256"),
        (
            json!({"asset": "a", "user": "alice", "time": "now"}),
            "RFC 3339",
        ),
        (
            json!({"asset": "a", "user": "alice", "how": "sewn"}),
            "`how`",
        ),
    ] {
        let member = said(ASSET_USED, data);
        let letter = &member.dead_letters[0];
        assert!(letter.reason.contains(why), "{}", letter.reason);
        assert_eq!(
            (letter.code.as_str(), member.register.len()),
            ("not_registered", 0)
        );
    }
}
