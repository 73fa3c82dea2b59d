//! The frame around every page, and the small parts all of them use: icons, pills, times.

use crate::people::Person;
use crate::world::World;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A sign that stands beside a word, never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Dot,
    Ring,
    Check,
    Cross,
    Swap,
    Clock,
    Warn,
    Signal,
    Mail,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Dot => "<circle cx='8' cy='8' r='4' fill='currentColor' stroke='none'/>",
            Self::Ring => "<circle cx='8' cy='8' r='4.5'/>",
            Self::Check => "<path d='M3 8.5l3.5 3.5L13 4.5'/>",
            Self::Cross => "<path d='M4 4l8 8M12 4l-8 8'/>",
            Self::Swap => "<path d='M3 6h9l-3-3M13 10H4l3 3'/>",
            Self::Clock => "<circle cx='8' cy='8' r='6'/><path d='M8 4.5V8l2.5 2'/>",
            Self::Warn => "<path d='M8 2l6.5 12h-13zM8 6.5v3.5M8 12v.3'/>",
            Self::Signal => "<path d='M3 13v-2M7 13V8M11 13V4'/>",
            Self::Mail => "<path d='M2 4h12v9H2zM2 4.5l6 5 6-5'/>",
        }
    }
}

/// Draws an icon; it is decoration, the word beside it carries the meaning.
pub(crate) fn icon(icon: Icon) -> Markup {
    html! {
        svg class="i" viewBox="0 0 16 16" aria-hidden="true" { (PreEscaped(icon.path())) }
    }
}

/// How much attention a pill asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Ok,
    Info,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state: icon and word.
pub(crate) fn pill(tone: Tone, sign: Icon, words: &str) -> Markup {
    html! { span class={ "pill " (tone.class()) } { (icon(sign)) (words) } }
}

/// The zone a person reads times in; mailboxes without a person follow the first one who has one.
pub(crate) fn zone<'a>(world: &'a World, person: &'a Person) -> &'a str {
    let first = || world.people.iter().find_map(|p| p.zone.as_deref());
    person.zone.as_deref().or_else(first).unwrap_or("UTC")
}

/// A moment in a zone, by a pattern; UTC when the zone is not known.
pub(crate) fn time(at: Timestamp, zone: &str, pattern: &str) -> String {
    match at.in_tz(zone) {
        Ok(zoned) => zoned.strftime(pattern).to_string(),
        Err(_) => at.strftime(pattern).to_string(),
    }
}

/// Looks to choose from: value of the cookie, word.
const LOOKS: [(&str, &str); 3] = [("", "as the system"), ("light", "light"), ("dark", "dark")];

/// What a page is and how it looks.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) title: &'a str,
    /// `light`, `dark`, or nothing for what the system says.
    pub(crate) theme: Option<&'a str>,
    /// A sentence about what was just done.
    pub(crate) flash: Option<&'a str>,
    /// Where the page is, for the reload link and for coming back.
    pub(crate) here: &'a str,
}

/// A whole document.
pub(crate) fn document(world: &World, page: &Page<'_>, body: &Markup) -> String {
    let last = world.lines.listen().0.last().map_or(0, |line| line.number);
    let zone = world
        .people
        .iter()
        .find_map(|p| p.zone.as_deref())
        .unwrap_or("UTC");
    let now = time(world.clock.now(), zone, "%A %-d %B %Y, %H:%M");
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[page.theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (page.title) " · stand-ins" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
                script type="module" src="/live.js" {}
            }
            body data-last=(last) {
                a class="skip" href="#main" { "Skip to the people" }
                header class="top" {
                    div {
                        p class="brand" { a href="/" { "Phones and mailboxes" } }
                        p class="promise" {
                            "Everything here is a stand-in; nothing leaves this machine."
                        }
                    }
                    p class="now" {
                        span class="meta" { "Flow time in " (zone.replace('_', " ")) }
                        b { (now) }
                    }
                }
                nav class="jump" aria-label="People and parts" { (jumps(world, page.here)) }
                main id="main" {
                    @if let Some(words) = page.flash {
                        p class="flash" role="status" { (words) }
                    }
                    (body)
                }
                (foot(page.here))
            }
        }
    }
    .into_string()
}

/// The first name; the whole name where that is only a letter.
pub(crate) fn first_name(name: &str) -> &str {
    let first = name.split(' ').next().unwrap_or(name);
    if first.ends_with('.') { name } else { first }
}

fn jumps(world: &World, here: &str) -> Markup {
    html! {
        @for person in &world.people {
            a href={ "/people/" (person.id) }
                aria-current=[here.ends_with(&format!("/{}", person.id)).then_some("page")] {
                (first_name(&person.name))
                @if !person.phone { span class="meta" { " mail" } }
            }
        }
        a href="/smintio" aria-current=[here.starts_with("/smintio").then_some("page")] {
            "Licences"
        }
        a href="/#stand-ins" { "Stand-ins" }
    }
}

fn foot(here: &str) -> Markup {
    html! {
        footer class="foot" {
            p {
                "Without JavaScript this page stays as it was drawn: "
                a href=(here) { "reload it" } "."
            }
            form method="post" action="/theme" {
                input type="hidden" name="back" value=(here);
                span class="meta" { "Look: " }
                @for (value, word) in LOOKS {
                    button class="link" name="theme" value=(value) { (word) }
                }
            }
        }
    }
}
