//! How the hosted pages look. Everything that comes from mails and people is cleaned and escaped.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use bellwether_engine::seam::{Ask, Card, CardState, ChoiceView};
use bellwether_model::time::Time;
use maud::{DOCTYPE, Markup, html};

use super::words::{Tone, Words, of};
use super::{language, rows};
use crate::note::Note;
use crate::pieces::{THEME_COOKIE, encode, head, icon, theme};
use crate::text::clean;
use crate::when::{self, Language};

/// Choices that say no: they stand at the left.
const NEGATIVE: [&str; 6] = ["reject", "decline", "deny", "refuse", "no", "stop"];
/// The longest comment that a form sends.
pub(super) const COMMENT_MAX: usize = 2000;

/// What one page shows.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) card: &'a Card,
    pub(crate) token: &'a str,
    pub(crate) note: Option<&'a Note>,
    pub(crate) now: Time,
    pub(crate) theme: Option<&'a str>,
}

impl Shown<'_> {
    fn language(&self) -> Language {
        Language::of(&self.card.language)
    }

    pub(super) fn at(&self, at: Time) -> Markup {
        let text = when::moment(at, self.now, &self.card.zone, self.language());
        html! { time datetime=(at) { (text) } }
    }
}

/// The page of a card.
pub(crate) fn card(shown: &Shown<'_>) -> Markup {
    let (card, language) = (shown.card, shown.language());
    let words = of(language);
    let title = clean(&card.title);
    html! {
        (DOCTYPE)
        html lang=(language.tag()) data-theme=[theme(shown.theme)] {
            (head(&title))
            body.hosted {
                main.sheet id="main" {
                    (note(shown.note, words))
                    header {
                        (state_line(shown, words))
                        h1 { (title) }
                        @if let Some(name) = &card.on_behalf_of {
                            p.behalf {
                                (icon("person")) " " (fill(words.for_whom, "name", &clean(name)))
                            }
                        }
                        @if !card.text.is_empty() { p.lead { (clean(&card.text)) } }
                    }
                    @if !card.facts.is_empty() {
                        dl.facts {
                            @for fact in &card.facts {
                                div { dt { (clean(&fact.label)) } dd { (clean(&fact.value)) } }
                            }
                        }
                    }
                    @if !card.rows.is_empty() { (rows::list(shown, words)) }
                    @if !card.talk.is_empty() { (talk(card, words)) }
                    @if let Some((from, subject, text)) = &card.quoted {
                        details.quoted {
                            summary { (words.quoted) }
                            p.meta { (fill(words.from, "name", &clean(from))) }
                            p { strong { (clean(subject)) } }
                            pre { (clean(text)) }
                        }
                    }
                    @if let CardState::Waiting(ask) = &card.state {
                        @if ask.needs_sign_in {
                            (prove(shown, words))
                        } @else {
                            (choices(shown, ask, words))
                        }
                    }
                }
                footer.foot {
                    p { (fill(words.only_you, "name", &clean(&card.person_name))) }
                    p { (fill(words.zone, "zone", &card.zone.replace('_', " "))) }
                }
            }
        }
    }
}

fn note(note: Option<&Note>, words: &Words) -> Markup {
    let found = note.and_then(|note| {
        let line = words.notes.iter().find(|(word, _, _)| *word == note.word)?;
        Some((note, line.1, line.2))
    });
    let Some((note, tone, text)) = found else {
        return html! {};
    };
    let (class, sign) = match tone {
        Tone::Ok => ("ok", "check"),
        Tone::Warn => ("warn", "alert"),
        Tone::Bad => ("bad", "cross"),
        Tone::Info => ("info", "info"),
    };
    html! {
        p.banner.(class) role="status" {
            (icon(sign)) span { (text) @if !note.text.is_empty() { " " (clean(&note.text)) } }
        }
    }
}

/// Where the matter stands, in one line with icon and words.
fn state_line(shown: &Shown<'_>, words: &Words) -> Markup {
    if shown
        .card
        .rows
        .iter()
        .any(|row| row.state != CardState::Notice)
    {
        return rows::standing(&shown.card.rows, shown.card.more_rows, words);
    }
    standing(&shown.card.state, shown, words)
}

pub(super) fn standing(state: &CardState, shown: &Shown<'_>, words: &Words) -> Markup {
    let with_time = |template: &str, at: Time| {
        let (before, after) = template.split_once("{at}").unwrap_or((template, ""));
        html! { (before) (shown.at(at)) (after) }
    };
    match state {
        CardState::Waiting(ask) => html! {
            p.state.warn { (icon("clock")) span { strong { (words.waits) } } }
            @if let Some(until) = ask.until { (deadline(shown, until, words)) }
        },
        CardState::Decided {
            said,
            by,
            by_reader,
            at,
            comment,
        } => {
            let template = if *by_reader {
                words.decided_by_you
            } else {
                words.decided_by
            };
            let filled = fill(&fill(template, "said", &clean(said)), "by", &clean(by));
            html! {
                p.state.done { (icon("dot")) span { strong { (with_time(&filled, *at)) } } }
                @if !comment.is_empty() {
                    p.meta { (words.with_comment) ": " q { (clean(comment)) } }
                }
            }
        }
        CardState::Over { how, at } => {
            let template = match how.as_str() {
                "expired" => words.expired,
                "withdrawn" => words.withdrawn,
                _ => words.closed,
            };
            html! { p.state.done { (icon("stop")) span { strong { (with_time(template, *at)) } } } }
        }
        CardState::Notice => html! { p.state.info { (icon("info")) span { (words.notice) } } },
        CardState::NotAllowed(reason) => html! {
            p.state.warn {
                (icon("lock")) span { strong { (words.not_allowed) } ". " (clean(reason)) }
            }
        },
    }
}

fn deadline(shown: &Shown<'_>, until: Time, words: &Words) -> Markup {
    let left = until.seconds() - shown.now.seconds();
    let template = if left > 0 {
        words.until
    } else {
        words.until_over
    };
    let filled = fill(template, "span", &when::span(left, shown.language()));
    let (before, after) = filled.split_once("{at}").unwrap_or((&filled, ""));
    html! { p.meta { (before) (shown.at(until)) (after) } }
}

fn talk(card: &Card, words: &Words) -> Markup {
    html! {
        section.talk {
            h2 { (words.talk) }
            @for (who, said) in &card.talk {
                div.said { p.meta { (clean(who)) } p { (clean(said)) } }
            }
        }
    }
}

/// One form for the choices that settle the matter, one for each that does not.
fn choices(shown: &Shown<'_>, ask: &Ask, words: &Words) -> Markup {
    let settles: Vec<&ChoiceView> = in_order(ask);
    let others = ask.choices.iter().filter(|choice| !choice.settles);
    let needs: Vec<&str> = wanting(&settles, "required", |choice| &choice.id);
    let takes_comment = settles.iter().any(|choice| choice.comment != "none");
    let needed_for: Vec<&str> = wanting(&settles, "required", |choice| &choice.label);
    let missing = shown
        .note
        .is_some_and(|note| note.word == "comment_missing");
    html! {
        @for choice in others { (other(shown, ask, choice, words)) }
        form.decide method="post" action={ "/n/" (encode(shown.token)) "/act" } {
            (hidden(ask))
            input type="hidden" name="needs_comment" value=(needs.join(" "));
            @if takes_comment {
                label for="comment" {
                    (words.comment) " "
                    span.meta {
                        @if needed_for.is_empty() { (words.comment_optional) } @else {
                            (fill(words.comment_needed, "choice", &clean(&needed_for.join(", "))))
                        }
                    }
                }
                textarea #comment name="comment" rows="2" maxlength=(COMMENT_MAX)
                    aria-invalid=[missing.then_some("true")] {}
            }
            div.choices {
                @for choice in &settles {
                    button type="submit" name="choice" value=(choice.id) { (clean(&choice.label)) }
                }
            }
        }
    }
}

fn wanting<'a>(
    choices: &[&'a ChoiceView],
    comment: &str,
    part: impl Fn(&'a ChoiceView) -> &'a String,
) -> Vec<&'a str> {
    let wanting = choices.iter().filter(|choice| choice.comment == comment);
    wanting.map(|choice| part(choice).as_str()).collect()
}

/// Choices that settle, those that say no at the left.
pub(super) fn in_order(ask: &Ask) -> Vec<&ChoiceView> {
    let mut settles: Vec<_> = ask.choices.iter().filter(|choice| choice.settles).collect();
    settles.sort_by_key(|choice| !NEGATIVE.contains(&choice.id.as_str()));
    settles
}

/// A choice that leaves the matter open: folded, with its own field.
fn other(shown: &Shown<'_>, ask: &Ask, choice: &ChoiceView, words: &Words) -> Markup {
    let field = format!("comment-{}", choice.id);
    let required = choice.comment == "required";
    html! {
        details.other {
            summary { (clean(&choice.label)) }
            form method="post" action={ "/n/" (encode(shown.token)) "/act" } {
                (hidden(ask))
                @if required { input type="hidden" name="needs_comment" value=(choice.id); }
                @if choice.comment != "none" {
                    label for=(field) {
                        (words.your_message)
                        @if !required { " " span.meta { (words.comment_optional) } }
                    }
                    textarea id=(field) name="comment" rows="3" maxlength=(COMMENT_MAX)
                        required[required] {}
                }
                button.plain type="submit" name="choice" value=(choice.id) { (words.send) }
            }
        }
    }
}

pub(super) fn hidden(ask: &Ask) -> Markup {
    html! {
        input type="hidden" name="act_token" value=(ask.act_token);
        input type="hidden" name="shown" value=(ask.shown);
    }
}

/// The one-time code: ask for it, type it.
pub(super) fn prove(shown: &Shown<'_>, words: &Words) -> Markup {
    let wrong = shown.note.is_some_and(|note| note.word == "wrong_code");
    html! {
        section.prove {
            p { (words.code_why) }
            form method="post" action={ "/n/" (encode(shown.token)) "/code" } {
                button.plain type="submit" { (words.code_send) }
            }
            form method="post" action={ "/n/" (encode(shown.token)) "/verify" } {
                label for="code" { (words.code_label) }
                input #code name="code" type="text" inputmode="numeric" required
                    autocomplete="one-time-code" maxlength="16"
                    aria-invalid=[wrong.then_some("true")];
                button.primary type="submit" { (words.code_check) }
            }
        }
    }
}

/// A page that can only say what went wrong and what to do next.
pub(crate) fn sorry(headers: &HeaderMap, status: StatusCode, said: &str, next: &str) -> Response {
    let language = language(headers);
    let shown = html! {
        (DOCTYPE)
        html lang=(language.tag()) data-theme=[theme(crate::guard::cookie(headers, THEME_COOKIE))] {
            (head(said))
            body.hosted {
                main.sheet id="main" {
                    p.state.info { (icon("info")) }
                    h1 { (said) }
                    p.lead { (next) }
                }
            }
        }
    };
    (status, Html(shown.into_string())).into_response()
}

pub(super) fn fill(template: &str, key: &str, value: &str) -> String {
    template.replace(&format!("{{{key}}}"), value)
}
