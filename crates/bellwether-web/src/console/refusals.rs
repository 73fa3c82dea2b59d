//! What a connection's address refused, on the connection's page: by reason, and the newest few.

use bellwether_engine::store::{RefusalCount, RefusalSample, Refusals};
use maud::{Markup, html};

use super::frame::Visit;
use crate::pieces::{Pill, columns, time};
use crate::text::clean;

/// How many calls were refused, in a pill; nothing when there were none.
pub(crate) fn pill(refused: &Refusals) -> Markup {
    html! {
        @if !refused.is_empty() {
            (Pill::new("warn", "alert", format!("{} calls refused", refused.total())).show())
        }
    }
}

/// The section of a connection's page.
pub(crate) fn section(visit: &Visit, refused: &Refusals) -> Markup {
    html! {
        @if !refused.is_empty() {
            section aria-labelledby="refused" {
                h2 #refused { "Calls that were refused" }
                p.meta {
                    "Requests to this connection's address that were not taken. One of your sender's \
                     among them? Compare its secret and its clock with the settings here."
                }
                (by_reason(visit, &refused.counts))
                (newest(visit, &refused.newest))
            }
        }
    }
}

fn by_reason(visit: &Visit, counts: &[RefusalCount]) -> Markup {
    html! {
        table.rows {
            (columns(&["Reason", "How often", "First", "Latest", "From"]))
            tbody {
                @for row in counts {
                    tr {
                        td.main { (clean(&row.message)) " " code { (clean(&row.reason)) } }
                        td data-label="How often" { (row.count) }
                        td data-label="First" { (at(visit, row.first_at)) }
                        td data-label="Latest" { (at(visit, row.last_at)) }
                        td data-label="From" { (clean(&row.caller)) }
                    }
                }
            }
        }
    }
}

fn newest(visit: &Visit, samples: &[RefusalSample]) -> Markup {
    html! {
        details {
            summary { "The newest " (samples.len()) " one by one" }
            table.rows {
                (columns(&["When", "Reason", "Answer", "From", "Body"]))
                tbody {
                    @for one in samples {
                        tr {
                            td data-label="When" { (at(visit, one.at)) }
                            td.main {
                                code { (clean(&one.reason)) }
                                @if !one.inlet.is_empty() { " " span.meta { (clean(&one.inlet)) } }
                            }
                            td data-label="Answer" { (one.status) }
                            td data-label="From" { (clean(&one.caller)) }
                            td data-label="Body" {
                                (one.bytes) " bytes "
                                span.meta { (clean(&one.hash)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An instant of transport time, which is what callers' clocks are compared with.
fn at(visit: &Visit, at: bellwether_model::time::Time) -> Markup {
    time(at, visit.transport_now, visit.names.zone())
}
