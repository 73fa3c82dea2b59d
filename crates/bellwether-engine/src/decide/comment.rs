//! What somebody wrote along with a decision, or as an answer to a question: his own words only,
//! without what mail programs and we ourselves put around them. Whether a mail decides is said in
//! `mail_reply`.

use bellwether_model::event::Event;
use serde_json::Value as Json;

use super::act::Act;
use crate::lang::visible;

/// From how many signs on a run of them is a token of ours, and no word of a person's.
const TOKEN_MIN: usize = 20;

/// The comment of the decision that an event carries: of an act, or of a reply what stands below
/// the word that decides.
pub(crate) fn of_decision(event: &Event) -> String {
    match (Act::of(event), event.envelope.data.get("mail")) {
        (Some(act), _) => act.comment,
        (None, Some(mail)) => below_the_word(mail),
        (None, None) => String::new(),
    }
}

/// What an event says in the talk about a question: the comment, or the whole of what the mail
/// newly says.
pub(super) fn of_talk(event: &Event) -> String {
    match (Act::of(event), event.envelope.data.get("mail")) {
        (Some(act), _) => act.comment,
        (None, Some(mail)) => {
            // Only a mail that quotes nothing comes without.
            let text = mail.get("new_text").or_else(|| mail.get("text"));
            own_words(text.and_then(Json::as_str).unwrap_or_default())
        }
        (None, None) => String::new(),
    }
}

/// What follows the first line of a reply.
pub(super) fn below_the_word(mail: &Json) -> String {
    let text = mail.get("new_text").and_then(Json::as_str);
    let lines = text.unwrap_or_default().lines();
    let mut lines = lines.skip_while(|line| line.trim().is_empty());
    lines.next();
    own_words(&lines.collect::<Vec<_>>().join("\n"))
}

/// Up to the first line with a link or an address that we sent to one person only. It stands in a
/// quotation of our mail, and whoever gets it can decide in that person's name.
fn own_words(text: &str) -> String {
    let lines = text.lines().take_while(|line| !holds_a_token(line));
    visible(&lines.collect::<Vec<_>>().join("\n"))
}

fn holds_a_token(line: &str) -> bool {
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let long = |rest: &str| {
        let end = rest.find(|c: char| !of_token(c)).unwrap_or(rest.len());
        (end >= TOKEN_MIN).then(|| rest[end..].to_owned())
    };
    let link = line.split("/n/").skip(1).any(|rest| long(rest).is_some());
    let mut addresses = line.split('+').skip(1).filter_map(long);
    link || addresses.any(|rest| rest.starts_with('@') || rest.starts_with("%40"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_ends_where_a_link_or_an_address_of_ours_begins() {
        let token = "dgGJ-3fY_0".repeat(5);
        let cases = [
            ("Reject\nToo dear", "Too dear".to_owned()),
            (
                "\nReject\n\nToo dear\nby far",
                "Too dear\nby far".to_owned(),
            ),
            ("Reject", String::new()),
            ("Reject\n\u{200b}\u{2060}", String::new()),
            ("Reject\nToo \u{202e}dear", "Too dear".to_owned()),
            (
                "Reject\nSee /n/12 and a+b@example.com",
                "See /n/12 and a+b@example.com".to_owned(),
            ),
        ];
        for (text, expected) in cases {
            let mail = serde_json::json!({ "new_text": text });
            assert_eq!(below_the_word(&mail), expected, "{text}");
        }
        for ours in [
            format!("Decide here: https://b.example.com/n/{token}"),
            format!("Do: <approvals+{token}@example.com>"),
        ] {
            let mail = serde_json::json!({ "new_text": format!("Reject\nToo dear\n{ours}\nx") });
            assert_eq!(below_the_word(&mail), "Too dear", "{ours}");
        }
    }

    #[test]
    fn a_mail_that_quotes_all_of_ours_never_becomes_a_comment() {
        let mail = serde_json::json!({ "text": "Reject\nall of it" });
        assert_eq!(below_the_word(&mail), "");
    }
}
