//! Draws the panel of the stand-ins: what goes wrong on purpose, what came in, what is public.

use super::frame::{Icon, Tone, pill, time};
use crate::faults::{Fault, FaultKind};
use crate::world::World;
use maud::{Markup, html};

/// Calls that are listed.
const CALLS: usize = 10;
/// Push calls that are listed.
const PUSHES: usize = 6;
/// Lines of the log that are listed.
const LINES: usize = 12;

/// Something that can be made to go wrong with one press.
#[derive(Debug)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) targets: &'static [&'static str],
    /// Fields of `POST /admin/faults` besides the target.
    pub(crate) fault: &'static str,
    /// Ends by itself after this many seconds of real time; 0 = by its own count.
    pub(crate) seconds: u64,
}

const OPENTEXT: &[&str] = &["opentext.mra", "opentext.otag"];

/// The buttons of the panel, in their order.
pub(crate) const PRESETS: &[Preset] = &[
    Preset {
        name: "opentext-minute",
        words: "Make OpenText fail for 1 minute",
        targets: OPENTEXT,
        fault: r#"{"kind":"status","status":503,"times":0}"#,
        seconds: 60,
    },
    Preset {
        name: "opentext-cut",
        words: "OpenText takes the next push, then the line breaks",
        targets: OPENTEXT,
        fault: r#"{"kind":"reset_after","times":1}"#,
        seconds: 0,
    },
    Preset {
        name: "opentext-busy",
        words: "OpenText says “too many calls” 3 times",
        targets: OPENTEXT,
        fault: r#"{"kind":"status","status":429,"retry_after":2,"times":3}"#,
        seconds: 0,
    },
    Preset {
        name: "opentext-login",
        words: "OpenText refuses the next sign-in",
        targets: &["opentext.token"],
        fault: r#"{"kind":"status","status":401,"times":1}"#,
        seconds: 0,
    },
    Preset {
        name: "opentext-page",
        words: "OpenText shows an outage page once",
        targets: OPENTEXT,
        fault: r#"{"kind":"html","times":1}"#,
        seconds: 0,
    },
    Preset {
        name: "gmail-minute",
        words: "Make Gmail fail for 1 minute",
        targets: &["google.gmail"],
        fault: r#"{"kind":"status","status":503,"times":0}"#,
        seconds: 60,
    },
    Preset {
        name: "gmail-busy",
        words: "Gmail says “too many calls” 3 times",
        targets: &["google.gmail"],
        fault: r#"{"kind":"status","status":429,"retry_after":2,"times":3}"#,
        seconds: 0,
    },
    Preset {
        name: "gmail-cut",
        words: "Gmail takes the next call, then the line breaks",
        targets: &["google.gmail"],
        fault: r#"{"kind":"reset_after","times":1}"#,
        seconds: 0,
    },
];

/// Knobs of the stand-ins that are no faults on the wire: name, words, address, body.
pub(crate) const KNOBS: &[(&str, &str, &str, &str)] = &[
    (
        "hold",
        "OpenText holds all pushes",
        "/admin/opentext",
        r#"{"hold":true}"#,
    ),
    (
        "go",
        "OpenText lets pushes go on",
        "/admin/opentext",
        r#"{"hold":false}"#,
    ),
    (
        "revoke",
        "OpenText takes its tokens back",
        "/admin/opentext",
        r#"{"revoke_tokens":true}"#,
    ),
    (
        "expire",
        "Gmail forgets its history",
        "/admin/google",
        r#"{"expire_history":true}"#,
    ),
    (
        "hide",
        "Gmail hides the next mail from its history",
        "/admin/google",
        r#"{"hide_from_history":1}"#,
    ),
    (
        "revoke-gmail",
        "Gmail takes back the consent of approvals@",
        "/admin/google",
        r#"{"revoke_refresh":"approvals@example.com"}"#,
    ),
    (
        "restore-gmail",
        "Gmail gives that consent back",
        "/admin/google",
        r#"{"restore_refresh":"approvals@example.com"}"#,
    ),
];

/// The whole panel.
pub(crate) fn draw(world: &World, outside: &Markup) -> Markup {
    let faults: Vec<Fault> = world.faults.list().into_iter().filter(going_on).collect();
    html! {
        section class="card panel" id="stand-ins" aria-labelledby="stand-ins-h" {
            header class="box" {
                h2 id="stand-ins-h" { "Stand-ins" }
                @if faults.is_empty() {
                    (pill(Tone::Ok, Icon::Check, "nothing goes wrong on purpose"))
                } @else {
                    (pill(Tone::Warn, Icon::Warn, &format!("{} faults set", faults.len())))
                }
            }
            (going_wrong(&faults))
            div class="two" {
                div { h3 { "Let something go wrong" } (preset_form()) }
                div { h3 { "Turn a knob" } (knob_form()) (clear_form(!faults.is_empty())) }
            }
            div class="two" {
                div { h3 { "Calls seen" } (calls(world)) }
                div { h3 { "What happened" } (log(world)) }
            }
            h3 { "Pushes that OpenText was given" }
            (pushes(world))
            h3 { "Mail to people who have no mailbox here" }
            (outside)
            (public())
        }
    }
}

fn going_on(fault: &Fault) -> bool {
    fault.times == 0 || fault.hits < fault.times
}

fn going_wrong(faults: &[Fault]) -> Markup {
    html! {
        @for fault in faults {
            form method="post" action="/faults/clear" class="fault" data-live {
                input type="hidden" name="id" value=(fault.id);
                span {
                    b { (fault.target) } ": " (kind(fault.kind))
                    @if let Some(status) = fault.status { " " (status) }
                    ", " (remaining(fault)) ", hit " (fault.hits) "×"
                }
                button class="quiet" { "Clear" }
            }
        }
    }
}

fn kind(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Status => "answers",
        FaultKind::StatusAfter => "takes the call, then answers",
        FaultKind::ResetBefore => "line breaks before the call is taken",
        FaultKind::ResetAfter => "line breaks after the call was taken",
        FaultKind::Slow => "answers late",
        FaultKind::Duplicate => "handles a call twice",
        FaultKind::Truncate => "answers half",
        FaultKind::Html => "shows an outage page",
    }
}

fn remaining(fault: &Fault) -> String {
    match fault.times {
        0 => "until cleared".to_owned(),
        times => format!("{} more", times.saturating_sub(fault.hits)),
    }
}

fn preset_form() -> Markup {
    html! {
        form method="post" action="/faults" class="stack" data-live {
            @for preset in PRESETS {
                button class="quiet" name="preset" value=(preset.name) { (preset.words) }
            }
        }
    }
}

fn knob_form() -> Markup {
    html! {
        form method="post" action="/knobs" class="stack" data-live {
            @for (name, words, ..) in KNOBS {
                button class="quiet" name="knob" value=(name) { (words) }
            }
        }
    }
}

fn clear_form(any: bool) -> Markup {
    html! {
        @if any {
            form method="post" action="/faults/clear" class="stack" data-live {
                button { "Clear all faults" }
            }
        }
    }
}

fn calls(world: &World) -> Markup {
    let (total, _) = world.recorder.after(u64::MAX, 0);
    let after = total.saturating_sub(CALLS as u64);
    let (_, mut newest) = world.recorder.after(after, CALLS);
    newest.reverse();
    html! {
        @if newest.is_empty() { p class="empty" { "No call has come in yet." } }
        ul class="log" {
            @for call in &newest {
                li {
                    code { (call.method) " " (short(&call.path)) }
                    span class="meta" {
                        (call.target) " · "
                        @match call.status {
                            Some(status) => (status),
                            None => "line cut",
                        }
                        @if let Some(fault) = call.fault { " · fault: " (fault) }
                    }
                }
            }
        }
        p class="meta" { (total) " calls in all, listed at " code { "/admin/calls" } }
    }
}

/// The path without its query, which may hold a code or a token.
fn short(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    path.chars().take(60).collect()
}

fn log(world: &World) -> Markup {
    let zone = world
        .people
        .iter()
        .find_map(|p| p.zone.as_deref())
        .unwrap_or("UTC");
    let lines = world.lines.listen().0;
    html! {
        @if lines.is_empty() { p class="empty" { "Nothing has happened yet." } }
        ul class="log" {
            @for line in lines.iter().rev().take(LINES) {
                li { time class="meta" { (time(line.at, zone, "%H:%M:%S")) } span { (line.text) } }
            }
        }
    }
}

fn pushes(world: &World) -> Markup {
    let calls = world.opentext.newest_calls(PUSHES);
    html! {
        @if calls.is_empty() { p class="empty" { "No push yet." } }
        @for call in &calls {
            details class="behind" {
                summary {
                    "No. " (call.number) " · "
                    @if call.status == 200 { "taken" } @else { "refused with " (call.status) }
                    @for (who, what, _) in &call.fates { " · " (who) ": " (what) }
                }
                pre { (redacted(&call.inner)) }
            }
        }
    }
}

/// The payload without the notification's own token, which could decide by itself.
fn redacted(inner: &serde_json::Value) -> String {
    let mut inner = inner.clone();
    for place in ["/message/data/token", "/data/token"] {
        if let Some(token) = inner.pointer_mut(place) {
            *token = serde_json::Value::String("(not shown)".to_owned());
        }
    }
    serde_json::to_string_pretty(&inner).unwrap_or_default()
}

fn public() -> Markup {
    html! {
        details class="behind open" {
            summary { "What is public here, and what is our own convention" }
            dl {
                dt { "Public" }
                dd {
                    "Gmail’s and Google’s calls · OpenText’s outer push call ("
                    code { "/mra/v1/utils/parser" }
                    ": domain, filename, data), its sign-in by password or token · "
                    "the AppWorks Gateway’s notification bodies and rules · "
                    "Firebase’s message schema and limits"
                }
                dt { "Our convention" }
                dd {
                    "The payload inside OpenText’s push call (we take a Firebase message), "
                    "its error bodies and its status call: none of them is public, "
                    "so your contract may say otherwise · "
                    "the companion app and how it reports what people do"
                }
                dt { "Not tried" }
                dd { "Nothing here was compared with the live OpenText service." }
            }
        }
    }
}
