//! The mails that we send: threading, marker, and what is refused.

use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Progress, Signer};
use bellwether_model::failure::Failure;
use bellwether_model::id::{Id, hash, hex};
use bellwether_model::spec::Settings;
use bellwether_model::time::Time;
use serde_json::{Map, Value, json};

use super::{data, mail_of};
use crate::gmail::compose::{compose, is_no_reply};
use crate::gmail::settings::{Setup, spec};
use crate::gmail::{CONNECTOR, describe};

#[derive(Debug)]
struct TestSigner;

impl Signer for TestSigner {
    fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        let parts: Vec<_> = [purpose]
            .iter()
            .chain(parts)
            .map(|part| part.as_bytes())
            .collect();
        hex(&hash(&parts)[..11])
    }

    fn verify(&self, purpose: &str, parts: &[&str], mac: &str) -> bool {
        self.sign(purpose, parts) == mac
    }
}

#[derive(Debug)]
struct Nothing;

impl Progress for Nothing {
    fn save(&self, _saved: Value) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn settings() -> Settings {
    let mut values = Map::new();
    for (name, value) in [
        ("address", "approvals@example.com"),
        ("client_id", "id"),
        ("client_secret", "secret"),
        ("sender_name", "Approvals"),
    ] {
        values.insert(name.to_owned(), json!(value));
    }
    spec().read(&values).expect("the settings are complete")
}

fn write(args: &Value, is_reply: bool) -> Result<Vec<u8>, Failure> {
    let setup = Setup::read(&settings()).expect("the settings are right");
    let now = Time::from_millis(1_772_442_900_000);
    let action = Action {
        name: "send",
        effect: Id::derive(now, &[b"test"]),
        attempt: 1,
        since: now,
        args,
        saved: None,
        progress: &Nothing,
    };
    compose(&action, is_reply, &setup, &TestSigner, now).map(|mail| mail.raw)
}

#[test]
fn a_mail_of_a_case_with_a_long_key_is_known_as_ours_again() {
    let claim_of = |case: &str| {
        let mut args = describe::send_sample();
        args["case"] = json!(case);
        let raw = write(&args, false).expect("the mail is written");
        mail_of(&raw).claim.clone().expect("it carries our marker")
    };
    let long = "Ü ".repeat(2000);
    let claim = claim_of(&long);
    assert!(claim.holds(&TestSigner, "approvals@example.com"));
    assert!(!claim.holds(&TestSigner, "mallory@example.com"));
    let case = claim.case.clone().expect("it names its case");
    assert!(case.starts_with("sha256:") && case.len() < 100, "{case}");
    // Two long keys do not become one.
    assert_ne!(claim_of(&format!("{long}x")).case, Some(case));
    assert_eq!(claim_of("PO-4711").case.as_deref(), Some("PO-4711"));
}

#[test]
fn a_reply_threads_and_proves_itself() {
    let mut args = describe::reply_sample();
    args["text"] = json!("Grüße\n.\nFrom here on\n");
    args["references"] = json!(["first@x.example"]);
    args["reply_token"] = json!("tok-EN_9");
    args["case"] = json!("PO 4711; hop=0");
    args["hop"] = json!(2);
    let raw = write(&args, true).expect("the reply is written");
    let mail = mail_of(&raw);
    let claim = mail.claim.clone().expect("it carries our marker");
    assert!(claim.holds(&TestSigner, "Approvals@example.com"));
    assert!(
        !claim.holds(&TestSigner, "mallory@example.com"),
        "copied to another sender"
    );
    assert_eq!(
        (claim.case.as_deref(), claim.hop),
        (Some("PO 4711; hop=0"), 2)
    );
    let mail = data(mail);
    assert_eq!(
        mail["from"],
        json!({"name": "Approvals", "address": "approvals@example.com"})
    );
    assert_eq!(mail["to"][0]["name"], "J. Berger");
    assert_eq!(mail["in_reply_to"], "po-4711@erp.example.com");
    assert_eq!(
        mail["references"],
        json!(["first@x.example", "po-4711@erp.example.com"])
    );
    assert_eq!(
        mail["reply_to"][0]["address"],
        "approvals+tok-EN_9@example.com"
    );
    assert_eq!(mail["auto_submitted"], "auto-replied");
    assert_eq!(mail["text"], "Grüße\n.\nFrom here on");
    assert!(raw.is_ascii(), "any server can carry it");
}

#[test]
fn a_changed_marker_does_not_hold() {
    let raw = write(&describe::send_sample(), false).expect("the mail is written");
    let text = String::from_utf8(raw).expect("it is ASCII");
    let changed = text.replace("hop=0", "hop=1");
    assert_ne!(text, changed);
    let claim = mail_of(changed.as_bytes()).claim.expect("it still claims");
    assert!(!claim.holds(&TestSigner, "approvals@example.com"));
}

#[test]
fn nobody_breaks_out_of_a_header() {
    let mut args = describe::send_sample();
    args["subject"] = json!("x\r\nBcc: mallory@evil.example");
    assert_eq!(
        write(&args, false).expect_err("refused").code,
        "line_break_in_header"
    );
    args = describe::send_sample();
    args["to"] = json!([{ "name": "x\nBcc: m@evil.example", "address": "a@b.example" }]);
    assert_eq!(
        write(&args, false).expect_err("refused").code,
        "line_break_in_header"
    );
    args["to"] = json!("a@b.example, m@evil.example");
    assert_eq!(
        write(&args, false).expect_err("refused").code,
        "bad_recipients"
    );
    args = describe::send_sample();
    for (name, value) in [
        ("X-Ok", "a\nb"),
        ("Bcc", "m@evil.example"),
        ("x-bellwether", "mac=1"),
    ] {
        args["headers"] = json!({ name: value });
        assert!(write(&args, false).is_err(), "{name}");
    }
    args["headers"] = json!({ "X-Ticket": "Grün 17" });
    assert!(write(&args, false).is_ok());
}

#[test]
fn titles_are_cleaned() {
    let mut args = describe::send_sample();
    args["subject"] = json!("PO\u{202e}-4711\u{200b}  ok");
    let raw = write(&args, false).expect("the mail is written");
    assert_eq!(data(mail_of(&raw))["subject"], "PO-4711 ok");
}

#[test]
fn nobody_is_written_to_who_does_not_read() {
    for address in [
        "no-reply@x.example",
        "noreply@x.example",
        "DoNotReply@x.example",
        "no_reply+17@x.example",
        "ariba-noreply@x.example",
        "MAILER-DAEMON@x.example",
        "nicht-antworten@x.example",
    ] {
        assert!(is_no_reply(address), "{address}");
        let mut args = describe::send_sample();
        args["to"] = json!([address]);
        assert_eq!(
            write(&args, false).expect_err("refused").code,
            "no_reply_address"
        );
    }
    for address in [
        "reply@x.example",
        "norbert@x.example",
        "approvals@x.example",
    ] {
        assert!(!is_no_reply(address), "{address}");
    }
}

#[test]
fn samples_fit_what_is_declared() {
    for trigger in CONNECTOR.triggers {
        let schema = (trigger.schema)();
        let known = &schema["properties"]["mail"]["properties"];
        let sample = (trigger.sample)();
        let mail = sample["mail"].as_object().expect("a mail");
        for name in mail.keys() {
            assert!(known.get(name).is_some(), "{}: {name}", trigger.event);
        }
        for name in schema["properties"]["mail"]["required"]
            .as_array()
            .expect("a list")
        {
            assert!(
                mail.contains_key(name.as_str().unwrap_or_default()),
                "{name}"
            );
        }
    }
    for action in CONNECTOR.actions {
        let sample = (action.sample)();
        let values = sample.as_object().expect("arguments");
        assert!((action.input)().read(values).is_ok(), "{}", action.name);
    }
}
