//! Draws one person's phone: a lock screen with what was pushed, and forms for what a person does.

use super::frame::{Icon, Tone, icon, pill, time, zone};
use crate::people::Person;
use crate::phones::{Answer, Button, Channel, OnPhone, Phone, PushState};
use crate::world::World;
use maud::{Markup, html};

/// Pushes that are drawn open; the rest is folded away.
const SHOWN: usize = 3;
/// Pushes that are drawn at all.
const LISTED: usize = 30;

/// The phone, ready to be pressed.
pub(crate) fn draw(world: &World, person: &Person, phone: &Phone, back: &str) -> Markup {
    let zone = zone(world, person);
    let now = world.clock.now();
    let on_screen: Vec<&OnPhone> = phone
        .pushes
        .iter()
        .rev()
        .filter(|p| p.visible())
        .take(LISTED)
        .collect();
    let gone: Vec<&OnPhone> = phone
        .pushes
        .iter()
        .rev()
        .filter(|p| !p.visible())
        .take(LISTED)
        .collect();
    let (top, more) = on_screen.split_at(on_screen.len().min(SHOWN));
    html! {
        section class="phone" aria-label={ "Phone of " (person.name) } {
            p class="status" {
                span { (time(now, zone, "%H:%M")) }
                @if phone.online {
                    span class="net" { (icon(Icon::Signal)) "on-line" }
                } @else {
                    span class="net off" { (icon(Icon::Cross)) "off-line" }
                }
            }
            p class="clock" { (time(now, zone, "%H:%M")) }
            p class="date" { (time(now, zone, "%A %-d %B")) }
            @if on_screen.is_empty() && phone.waiting.is_empty() {
                p class="empty" { "No notifications. Enjoy the quiet." }
            }
            @for push in top { (bubble(person, push, zone, back)) }
            @if !more.is_empty() {
                details class="older" {
                    summary { (more.len()) " more on the screen" }
                    @for push in more { (bubble(person, push, zone, back)) }
                }
            }
            @if !gone.is_empty() {
                details class="older" {
                    summary { (gone.len()) " not on the screen any more" }
                    @for push in gone { (bubble(person, push, zone, back)) }
                }
            }
            @if !phone.waiting.is_empty() {
                p class="empty" {
                    (phone.waiting.len()) " kept for this phone until it is on-line"
                }
            }
            form method="post" action={ "/people/" (person.id) "/phone" } class="power" data-live {
                input type="hidden" name="back" value=(back);
                @if phone.online {
                    button class="quiet" name="do" value="offline" { "Take it off-line" }
                } @else {
                    button class="quiet" name="do" value="online" { "Bring it on-line" }
                }
            }
        }
    }
}

fn bubble(person: &Person, push: &OnPhone, zone: &str, back: &str) -> Markup {
    let untouched = push.visible() && push.state == PushState::Received;
    let action = format!("/people/{}/phone", person.id);
    let link = push.push.data.get("link").filter(|l| is_web(l));
    let via = match push.push.channel {
        Channel::Mra => "OpenText messaging",
        Channel::Otag => "AppWorks Gateway",
    };
    html! {
        article class={ "bubble" @if !untouched { " touched" } @if !push.visible() { " gone" } } {
            p class="app" {
                span { "Companion app" }
                time datetime=(push.received_at) { (time(push.received_at, zone, "%a %H:%M")) }
            }
            h4 { (or(&push.push.title, "(no title)")) }
            p class="say" { (push.push.body) }
            p class="marks" {
                (state(push))
                @if push.times_received > 1 {
                    (pill(Tone::Plain, Icon::Swap,
                        &format!("came {} times, shown once", push.times_received)))
                }
            }
            @if let Some(answer) = &push.answer { (said(answer)) }
            @if can_press(push) { (buttons(&action, push, back)) }
            @if push.visible() {
                form method="post" action=(action) class="row"
                    target=[link.map(|_| "_blank")] data-live[link.is_none()] {
                    input type="hidden" name="back" value=(back);
                    input type="hidden" name="push" value=(push.id);
                    button class="quiet" name="do" value="open" {
                        @if link.is_some() { "Open" } @else { "Tap it" }
                    }
                    @if matches!(push.state, PushState::Received | PushState::Opened) {
                        button class="quiet" name="do" value="ignore" formtarget="_self" {
                            "Swipe away"
                        }
                    }
                }
            }
            details class="behind" {
                summary { "Behind it" }
                dl {
                    dt { "Came by" } dd { (via) }
                    @if let Some(key) = &push.push.collapse_key { dt { "Replaces" } dd { (key) } }
                    @for (key, value) in shown_data(push) { dt { (key) } dd { (value) } }
                    @for report in &push.reports {
                        dt { "App reported" }
                        dd {
                            (report.event) ", tried " (report.attempts) "×: "
                            (report.answer.as_ref().map_or("on its way", |a| a.result.as_str()))
                        }
                    }
                }
            }
        }
    }
}

/// The notification's own token could decide by itself, so it is not printed.
fn shown_data(push: &OnPhone) -> impl Iterator<Item = (&String, &String)> {
    push.push
        .data
        .iter()
        .filter(|(key, _)| !["token", "actions"].contains(&key.as_str()))
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// Only web addresses are followed; anything else in `link` stays text.
pub(crate) fn is_web(link: &str) -> bool {
    link.starts_with("http://") || link.starts_with("https://")
}

/// The buttons are there until the server has taken a decision.
fn can_press(push: &OnPhone) -> bool {
    let settled = push.state == PushState::Acted
        && push.answer.as_ref().is_some_and(|a| {
            matches!(
                a.result.as_str(),
                "decided" | "already_decided" | "expired" | "queued"
            )
        });
    push.visible() && !settled && !push.buttons().is_empty()
}

fn buttons(action: &str, push: &OnPhone, back: &str) -> Markup {
    let mut buttons = push.buttons();
    // Refusing stands left, as on every page, so that habit never presses the wrong one.
    buttons.sort_by_key(|b| !matches!(b.id.as_str(), "reject" | "refuse" | "decline"));
    let needs: Vec<&Button> = buttons.iter().filter(|b| b.comment == "required").collect();
    let takes = buttons.iter().any(|b| b.comment != "none");
    let label = match needs.as_slice() {
        [] => "Comment, if you like".to_owned(),
        some => {
            let names: Vec<&str> = some.iter().map(|b| b.label.as_str()).collect();
            format!("Comment (needed for {})", names.join(", "))
        }
    };
    html! {
        form method="post" action=(action) class="act" data-live {
            input type="hidden" name="back" value=(back);
            input type="hidden" name="push" value=(push.id);
            input type="hidden" name="do" value="act";
            @if takes {
                label { (label) input name="comment" maxlength="2000" autocomplete="off"; }
            }
            div class="choice" {
                @for button in &buttons {
                    button name="action" value=(button.id) { (button.label) }
                }
            }
        }
    }
}

fn state(push: &OnPhone) -> Markup {
    match push.state {
        PushState::Received => pill(Tone::Info, Icon::Dot, "new"),
        PushState::Opened => pill(Tone::Info, Icon::Ring, "opened"),
        PushState::Ignored => pill(Tone::Plain, Icon::Cross, "swiped away"),
        PushState::Replaced => pill(Tone::Plain, Icon::Swap, "replaced by a newer one"),
        PushState::Expired => pill(Tone::Plain, Icon::Clock, "too late, never shown"),
        PushState::Acted => {
            let id = push.action.as_deref().unwrap_or_default();
            let pressed = push.buttons().into_iter().find(|b| b.id == id);
            let words = format!("pressed {}", pressed.map_or(id.to_owned(), |b| b.label));
            // A rejection is a normal ending: neutral, never red.
            pill(Tone::Plain, Icon::Dot, &words)
        }
    }
}

fn said(answer: &Answer) -> Markup {
    let (tone, sign) = match (answer.status, answer.result.as_str()) {
        (200..=299, "decided" | "recorded") => (Tone::Ok, Icon::Check),
        (200..=299, "already_decided") => (Tone::Info, Icon::Dot),
        (200..=299, "sign_in_required" | "changed") | (0, "pending" | "queued") => {
            (Tone::Warn, Icon::Clock)
        }
        (200..=299, _) => (Tone::Plain, Icon::Dot),
        (0, _) | (500..=599, _) => (Tone::Warn, Icon::Warn),
        _ => (Tone::Bad, Icon::Warn),
    };
    html! {
        p class={ "said " (tone.class()) } {
            (icon(sign))
            span {
                b { (answer.result.replace('_', " ")) } ": " (answer.message)
            }
        }
    }
}
