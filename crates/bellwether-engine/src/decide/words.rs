//! The few words that the engine itself says to people, in the languages that it speaks. Texts of
//! flows are the flows' own.

use bellwether_model::time::Time;

use super::state::Telling;

/// A language that the engine speaks; anything else is English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    En,
    /// German.
    De,
}

impl Language {
    /// From a language tag such as `de-AT`.
    pub(crate) fn of(tag: &str) -> Self {
        if tag.to_ascii_lowercase().starts_with("de") {
            Self::De
        } else {
            Self::En
        }
    }

    fn pick<'a>(self, en: &'a str, de: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::De => de,
        }
    }
}

/// What a button of a well-known choice says; other choices say their own label.
pub fn choice_label(choice: &str, label: &str, language: &str) -> String {
    let language = Language::of(language);
    match choice {
        "approve" if label == "Approve" => language.pick("Approve", "Genehmigen").to_owned(),
        "reject" if label == "Reject" => language.pick("Reject", "Ablehnen").to_owned(),
        "question" if label == "Question" => language
            .pick("Ask a question", "Rückfrage stellen")
            .to_owned(),
        "confirm" if label == "Confirm" => language.pick("Confirm", "Bestätigen").to_owned(),
        "refuse" if label == "Refuse" => language.pick("Refuse", "Verweigern").to_owned(),
        _ => label.to_owned(),
    }
}

/// A choice in the past: "Approved".
pub fn choice_past(choice: &str, language: &str) -> String {
    let language = Language::of(language);
    match choice {
        "approve" => language.pick("Approved", "Genehmigt").to_owned(),
        "reject" => language.pick("Rejected", "Abgelehnt").to_owned(),
        "confirm" => language.pick("Confirmed", "Bestätigt").to_owned(),
        "refuse" => language.pick("Refused", "Verweigert").to_owned(),
        other => {
            let words = other.replace(['_', '-'], " ");
            format!("{}: {words}", language.pick("Answered", "Beantwortet"))
        }
    }
}

/// "for Alice Arnold".
pub(crate) fn on_behalf(name: &str, language: &str) -> String {
    format!("{} {name}", Language::of(language).pick("for", "für"))
}

/// What a silent update of a decided push says.
pub(crate) fn settled(past: &str, by: &str, language: &str) -> String {
    match Language::of(language) {
        Language::En => format!("{past} by {by}"),
        Language::De => format!("{past} von {by}"),
    }
}

/// What whoever comes too late is told: "Approved by Alice Arnold, Mon 10:42", in his zone.
pub(crate) fn settled_at(choice: &str, by: &str, at: Time, language: &str, zone: &str) -> String {
    const EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const DE: [&str; 7] = ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"];
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = at.timestamp().to_zoned(zone);
    let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let day = Language::of(language).pick(EN[day], DE[day]);
    let settled = settled(&choice_past(choice, language), by, language);
    format!("{settled}, {day} {:02}:{:02}", local.hour(), local.minute())
}

/// What a silent update says when it is over without a decision.
pub(crate) fn over(how: &str, language: &str) -> String {
    let language = Language::of(language);
    match how {
        "expired" => language.pick(
            "Too late: nobody decided in time",
            "Zu spät: nicht entschieden",
        ),
        "withdrawn" => language.pick("Withdrawn by the sender", "Vom Absender zurückgezogen"),
        "passed_on" => language.pick(
            "Changed: another person decides",
            "Geändert: jemand anders entscheidet",
        ),
        "settled" => language.pick("No longer needed", "Nicht mehr nötig"),
        _ => language.pick("Closed", "Geschlossen"),
    }
    .to_owned()
}

/// What somebody reads who agreed while others have to.
pub(crate) fn agreed(have: usize, need: usize, language: &str) -> String {
    match Language::of(language) {
        Language::En => format!("You agreed; {have} of {need} so far"),
        Language::De => format!("Sie haben zugestimmt; bisher {have} von {need}"),
    }
}

/// The title of a hidden push.
pub(crate) fn hidden_title(language: &str) -> &'static str {
    match Language::of(language) {
        Language::En => "A confirmation waits",
        Language::De => "Eine Bestätigung wartet",
    }
}

/// What is said about a mail whose sender is not proved.
#[derive(Debug)]
pub(crate) struct NotProved {
    /// Before the text of a push.
    pub(crate) short: &'static str,
    /// The label among the facts.
    pub(crate) label: &'static str,
    /// What it means.
    pub(crate) sentence: &'static str,
}

/// The warning that a mail may come from somebody else than it says.
pub(crate) fn not_proved(language: &str) -> NotProved {
    let language = Language::of(language);
    NotProved {
        short: language.pick("Sender not verified! ", "Absender nicht bestätigt! "),
        label: language.pick("Caution", "Vorsicht"),
        sentence: language.pick(
            "The sender is not verified: anybody can have written this mail. Ask him before you \
             decide.",
            "Der Absender ist nicht bestätigt: Jeder kann diese Mail geschrieben haben. Fragen Sie \
             bei ihm nach, bevor Sie entscheiden.",
        ),
    }
}

/// What a question begins with that comes once more.
pub(crate) fn telling(told: Telling, language: &str) -> &'static str {
    let language = Language::of(language);
    match told {
        Telling::Asked => "",
        Telling::Reminder => language.pick("Reminder: ", "Erinnerung: "),
        Telling::Changed => language.pick("Changed: ", "Geändert: "),
        Telling::Answered => language.pick("Answered: ", "Beantwortet: "),
    }
}

/// The words that decide when they stand alone on a reply's first line, by choice.
pub(crate) fn reply_words(choice: &str) -> &'static [&'static str] {
    match choice {
        "approve" => &[
            "approve",
            "approved",
            "genehmigt",
            "genehmigen",
            "freigegeben",
        ],
        "reject" => &["reject", "rejected", "abgelehnt", "ablehnen"],
        "confirm" => &["confirm", "confirmed", "bestätigt", "bestätigen"],
        "refuse" => &["refuse", "refused", "verweigert", "verweigern"],
        _ => &[],
    }
}

/// Words with which a sender takes a matter back.
pub(crate) const WITHDRAWN: [&str; 8] = [
    "withdrawn",
    "withdraw",
    "cancelled",
    "canceled",
    "zurückgezogen",
    "storniert",
    "storno",
    "hinfällig",
];

/// How a mail tells which words decide, within a sentence (never as a line of its own).
pub(crate) fn how_to_reply(words: &[&str], language: &str) -> String {
    let list = words.join(", ");
    match Language::of(language) {
        Language::En => format!(
            "You may also answer this mail: the first line must be exactly one of these words: {list}."
        ),
        Language::De => format!(
            "Sie können auch auf diese Mail antworten: die erste Zeile muss genau eines dieser Wörter sein: {list}."
        ),
    }
}

/// Why a mail came instead of a push, and where to decide.
pub(crate) fn decide_here(language: &str) -> &'static str {
    match Language::of(language) {
        Language::En => "Decide here:",
        Language::De => "Hier entscheiden:",
    }
}

/// The answer to a reply that decides nothing.
pub(crate) fn not_understood(reason: &str, language: &str) -> String {
    match Language::of(language) {
        Language::En => format!(
            "Your reply was not understood and nothing was decided: {reason}. Please use the page linked in the first mail."
        ),
        Language::De => format!(
            "Ihre Antwort wurde nicht verstanden, nichts wurde entschieden: {reason}. Bitte die Seite aus der ersten Mail benutzen."
        ),
    }
}

/// What a reply is answered that came after the end; `what` says how it ended.
pub(crate) fn too_late(what: &str, language: &str) -> String {
    match Language::of(language) {
        Language::En => {
            format!("Your reply came too late and changed nothing. {what}.")
        }
        Language::De => {
            format!("Ihre Antwort kam zu spät und hat nichts geändert. {what}.")
        }
    }
}

/// What goes with a question to the requester.
pub(crate) fn question_to_requester(name: &str, question: &str, language: &str) -> String {
    match Language::of(language) {
        Language::En => format!(
            "{name} asks before deciding:\n\n{question}\n\nPlease answer this mail; your answer goes to {name}."
        ),
        Language::De => format!(
            "{name} fragt vor der Entscheidung:\n\n{question}\n\nBitte auf diese Mail antworten; die Antwort geht an {name}."
        ),
    }
}
