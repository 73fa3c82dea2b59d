//! The rows of a list, each with its own buttons. What is pressed in a row is decided in the row's
//! own matter; the page comes back with the rest.

use bellwether_engine::seam::{Ask, CardState, Row};
use maud::{Markup, html};

use super::page::{self, COMMENT_MAX, Shown, fill, hidden, in_order, prove};
use super::words::Words;
use crate::pieces::{encode, icon};
use crate::text::clean;

/// All rows, those that wait first. Who must prove himself does so once, above them.
pub(super) fn list(shown: &Shown<'_>, words: &Words) -> Markup {
    let rows = &shown.card.rows;
    let locked = rows.iter().any(is_locked);
    html! {
        @if locked { (prove(shown, words)) }
        ol.questions {
            @for row in rows { (one(row, shown, words)) }
        }
        @if shown.card.more_rows > 0 {
            p.meta { (fill(words.more_rows, "count", &shown.card.more_rows.to_string())) }
        }
    }
}

/// How many rows wait, in one line.
pub(super) fn standing(rows: &[Row], more: usize, words: &Words) -> Markup {
    let waiting = rows
        .iter()
        .filter(|row| matches!(row.state, CardState::Waiting(_)));
    let waiting = waiting.count();
    let said = match waiting {
        0 => words.rows_done.to_owned(),
        1 => words.row_waits.to_owned(),
        // Rows that wait come first, so what is left out waits only if all of these do.
        all if all == rows.len() => fill(words.rows_wait, "count", &(all + more).to_string()),
        some => fill(words.rows_wait, "count", &some.to_string()),
    };
    let (class, sign) = if waiting == 0 {
        ("done", "dot")
    } else {
        ("warn", "clock")
    };
    html! { p.state.(class) { (icon(sign)) span { strong { (said) } } } }
}

fn is_locked(row: &Row) -> bool {
    matches!(&row.state, CardState::Waiting(ask) if ask.needs_sign_in)
}

fn one(row: &Row, shown: &Shown<'_>, words: &Words) -> Markup {
    html! {
        li {
            @if !row.title.is_empty() { h2 { (clean(&row.title)) } }
            dl.facts {
                @for fact in row.facts.iter().filter(|fact| !fact.value.is_empty()) {
                    div { dt { (clean(&fact.label)) } dd { (clean(&fact.value)) } }
                }
            }
            @match &row.state {
                CardState::Waiting(ask) if ask.needs_sign_in => {}
                CardState::Waiting(ask) => { (buttons(row, ask, shown, words)) }
                CardState::Notice => {}
                state => { (page::standing(state, shown, words)) }
            }
        }
    }
}

/// The buttons of a row; a comment is asked for only where a choice needs one.
fn buttons(row: &Row, ask: &Ask, shown: &Shown<'_>, words: &Words) -> Markup {
    let choices = in_order(ask);
    let needs: Vec<&str> = choices
        .iter()
        .filter(|choice| choice.comment == "required")
        .map(|choice| choice.id.as_str())
        .collect();
    html! {
        form.decide method="post" action={ "/n/" (encode(shown.token)) "/act" } {
            (hidden(ask))
            input type="hidden" name="needs_comment" value=(needs.join(" "));
            @if !needs.is_empty() {
                input name="comment" type="text" maxlength=(COMMENT_MAX)
                    aria-label={ (words.comment) ": " (clean(&row.title)) }
                    placeholder=(words.comment);
            }
            div.choices {
                @for choice in &choices {
                    button type="submit" name="choice" value=(choice.id)
                        aria-label={ (clean(&choice.label)) ": " (clean(&row.title)) } {
                        (clean(&choice.label))
                    }
                }
            }
        }
    }
}
