//! Keeps an event's payload under the limit of the event record: text is cut first, then lists.
//! A mail is never refused for its size.

use bellwether_model::event::DATA_MAX;
use serde_json::{Value, json};

use super::Mail;

/// Room that is left for the key around the mail and for what the caller may add.
const RESERVE: usize = 512;
/// Text is not cut below this while lists can still be shortened.
const TEXT_KEEP: usize = 8 * 1024;

/// `{"mail": …}` in at most [`DATA_MAX`] bytes.
pub(super) fn payload(mut mail: Mail) -> Value {
    loop {
        // A mail is a tree of texts and numbers; it always has a JSON form.
        let value = serde_json::to_value(&mail).unwrap_or_else(|_| json!({}));
        let size = value.to_string().len();
        if size + RESERVE <= DATA_MAX || !shorten(&mut mail) {
            return json!({ "mail": value });
        }
    }
}

/// Shortens the mail by one step; false when nothing is left to shorten.
fn shorten(mail: &mut Mail) -> bool {
    let text = mail.text.as_ref().map_or(0, String::len);
    if text > TEXT_KEEP {
        cut_text(mail, text / 2);
        return true;
    }
    let people = mail.to.len().max(mail.cc.len()).max(mail.reply_to.len());
    let longest = people
        .max(mail.references.len())
        .max(mail.attachments.len());
    if longest > 4 {
        let keep = longest / 2;
        mail.to.truncate(keep);
        mail.cc.truncate(keep);
        mail.reply_to.truncate(keep);
        let first = mail.references.len().saturating_sub(keep);
        mail.references.drain(..first);
        mail.attachments.truncate(keep);
        mail.labels.truncate(keep);
        mail.lists_cut = true;
        return true;
    }
    if text > 0 {
        cut_text(mail, text / 2);
        return true;
    }
    if mail.new_text.take().is_some() {
        mail.text_cut = true;
        return true;
    }
    false
}

fn cut_text(mail: &mut Mail, to: usize) {
    if let Some(text) = &mut mail.text {
        text.truncate(text.floor_char_boundary(to));
    }
    mail.text.take_if(|text| text.is_empty());
    mail.text_cut = true;
}
