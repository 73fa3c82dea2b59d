//! Proposals: what mails and names say, and when they say nothing.

use bellwether_model::directory::Person;
use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::json;

use super::*;

const EVE: &str = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";

fn directory() -> Directory {
    let person = |(id, name): (&str, &str)| Person {
        id: id.to_owned(),
        name: name.to_owned(),
        emails: vec![format!("{id}@example.com")],
        ..Person::default()
    };
    let rows = [
        ("carla", "Carla Maier"),
        ("eve", "Eva Vega"),
        ("bob", "Bob"),
        ("bob2", "Bob"),
    ];
    Directory {
        people: rows
            .map(person)
            .into_iter()
            .map(|p| (p.id.clone(), p))
            .collect(),
        ..Directory::default()
    }
}

fn mail(from: (&str, &str), to: &[&str], text: &str, dmarc: &str) -> Event {
    let to: Vec<Value> = to.iter().map(|to| json!({ "address": to })).collect();
    let data = json!({"mail": {
        "from": {"address": from.0, "name": from.1}, "to": to, "text": text,
        "auth": {"dmarc": dmarc},
    }});
    Event {
        position: 1,
        received_at: Time(1),
        flow_set: 0,
        directory: 0,
        envelope: NewEvent::new("inbox", "m", "mail.received", Time(1), data),
    }
}

fn user(id: &str, name: &str) -> Identity {
    Identity {
        number: 1,
        who: Who {
            connection: "dam".to_owned(),
            id: id.to_owned(),
        },
        name: name.to_owned(),
        person: None,
        proposed: None,
        seen: 1,
        first_seen: None,
        last_seen: None,
        mapped: None,
    }
}

fn proposed(mails: &[Event], id: &str, name: &str) -> Option<(String, &'static str)> {
    let directory = directory();
    Hints::of(mails, &directory).person_of(&user(id, name), &directory)
}

#[test]
fn names_and_proved_mails_propose_one_person_or_nobody() {
    let eve = |why| Some(("eve".to_owned(), why));
    assert_eq!(
        proposed(&[], "u", "carla MAIER"),
        Some(("carla".to_owned(), SAME_NAME))
    );
    assert_eq!(proposed(&[], "u", "Bob"), None, "two have this name");
    assert_eq!(proposed(&[], "u", ""), None);
    let system = ("no-reply@dam.example", "The DAM");
    let invited = format!("Hello Ev Vega,\nyour account {EVE} is ready.");
    let signs = mail(system, &["eve@example.com"], &invited, "pass");
    assert_eq!(
        proposed(std::slice::from_ref(&signs), EVE, "E. V."),
        eve(IS_NAMED)
    );
    assert_eq!(
        proposed(std::slice::from_ref(&signs), "u", "Ev Vega"),
        eve(IS_GREETED)
    );
    let writes = mail(("eve@example.com", "E. Vega"), &[], "", "pass");
    assert_eq!(proposed(&[writes], "u", "e. vega"), eve(WRITES_SO));
}

#[test]
fn forged_mails_and_mails_to_several_propose_nobody() {
    let system = ("no-reply@dam.example", "The DAM");
    let text = format!("Dear Ev Vega,\n{EVE}");
    let forged = mail(system, &["eve@example.com"], &text, "fail");
    let to_two = mail(
        system,
        &["eve@example.com", "carla@example.com"],
        &text,
        "pass",
    );
    let to_another = mail(system, &["carla@example.com"], &text, "pass");
    let to_her = mail(system, &["eve@example.com"], &text, "pass");
    let outside = mail(system, &["somebody@elsewhere.example"], &text, "pass");
    for mails in [
        vec![forged],
        vec![to_two],
        vec![outside],
        vec![to_her, to_another],
    ] {
        assert_eq!(proposed(&mails, EVE, "Ev Vega"), None);
    }
    assert_eq!(greeted("hi eve,"), None, "a first name alone is nobody's");
    assert_eq!(greeted("sehr geehrte frau ev vega:"), Some("ev vega"));
}
