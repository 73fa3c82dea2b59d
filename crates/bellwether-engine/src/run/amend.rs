//! What is written otherwise before something is sent once more. A question is never changed: what
//! somebody decided must be what he was shown.

use serde_json::{Value as Json, json};

use super::args::fitting;
use crate::seam::{Amended, IntakeError};

/// Says of a message that its words are no longer the flow's own.
pub(crate) const MARK: &str = "written_by_hand";

/// The arguments with what is written otherwise; None when nothing is.
pub(crate) fn amended(args: &str, changes: &Amended) -> Result<Option<String>, IntakeError> {
    let before: Json = serde_json::from_str(args).unwrap_or_default();
    let mut args = before.clone();
    // A mail has both names of each: what is sent, and what lists show.
    let change = |args: &mut Json, names: [&str; 2], text: &Option<String>| {
        let Some(text) = text else { return true };
        let mut known = text.is_empty();
        for name in names.into_iter().filter(|name| before[name].is_string()) {
            args[name] = json!(text);
            known = true;
        }
        known
    };
    let mut fits = change(&mut args, ["title", "subject"], &changes.title);
    fits &= change(&mut args, ["text", "body"], &changes.text);
    match &changes.to {
        Some(to) if args["to"].is_array() && is_address(to) => args["to"] = json!([to]),
        Some(to) if args["to"].is_array() => {
            let words = format!("`{to}` is no mail address; write it like alice@example.com");
            return Err(IntakeError::Malformed(words));
        }
        Some(to) => fits &= to.is_empty(),
        None => {}
    }
    if !fits {
        let words = "this message has no such part; leave it out, or tell the person yourself";
        return Err(IntakeError::Malformed(words.to_owned()));
    }
    if args == before {
        return Ok(None);
    }
    let is_question = before["choices"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    if is_question {
        let words = "a question is not changed: what is decided must be what was asked. Try it \
                     again as it is, or let the flow ask anew";
        return Err(IntakeError::Malformed(words.to_owned()));
    }
    args[MARK] = json!(true);
    Ok(Some(fitting(&mut args)))
}

/// Whether it looks like one mail address, and like nothing else.
fn is_address(text: &str) -> bool {
    let plain =
        !text.contains(|c: char| c.is_whitespace() || c.is_control() || ",;<>\"".contains(c));
    let parts = text.split_once('@');
    plain
        && parts
            .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(args: &Json, changes: &Amended) -> Result<Option<Json>, String> {
        let done = amended(&args.to_string(), changes).map_err(|error| error.to_string())?;
        Ok(done.map(|text| serde_json::from_str(&text).unwrap()))
    }

    fn to(address: &str) -> Amended {
        Amended {
            to: Some(address.to_owned()),
            ..Amended::default()
        }
    }

    #[test]
    fn a_mail_gets_another_address_and_other_words_and_keeps_the_rest() {
        let mail = json!({
            "to": ["old@example.com"], "subject": "S", "title": "S", "body": "B", "case": "c",
        });
        let changes = Amended {
            title: Some("S2".to_owned()),
            text: Some("B2".to_owned()),
            ..to("new@example.com")
        };
        let done = change(&mail, &changes).unwrap().unwrap();
        let wanted = json!({
            "to": ["new@example.com"], "subject": "S2", "title": "S2", "body": "B2", "case": "c",
            "written_by_hand": true,
        });
        assert_eq!(done, wanted);
        assert_eq!(change(&mail, &to("old@example.com")), Ok(None));
    }

    #[test]
    fn what_is_no_address_and_what_a_message_does_not_have_is_refused() {
        let mail = json!({ "to": ["old@example.com"], "subject": "S", "body": "B" });
        for wrong in [
            "",
            "alice",
            "a@b",
            "a@example.com, b@example.com",
            "A <a@example.com>",
        ] {
            assert!(change(&mail, &to(wrong)).is_err(), "{wrong}");
        }
        let push = json!({ "title": "T", "text": "X", "choices": [] });
        assert!(change(&push, &to("a@example.com")).is_err());
    }

    #[test]
    fn a_question_stays_as_it_was_asked() {
        let ask = json!({ "title": "T", "text": "X", "choices": [{ "id": "approve" }] });
        let changes = Amended {
            text: Some("Another".to_owned()),
            ..Amended::default()
        };
        assert!(
            change(&ask, &changes)
                .unwrap_err()
                .contains("a question is not changed")
        );
        assert_eq!(change(&ask, &Amended::default()), Ok(None));
    }
}
