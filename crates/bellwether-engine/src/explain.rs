//! Why a flow did or did not begin with an event: asked again, of the flows as they are now, part
//! by part of each condition. What its runs then did is in the record.

use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::event::{Event, HOP_MAX, Position as Place};
use bellwether_model::id::CellId;
use serde_json::Value as Json;

use crate::flow::def::{Flow, Trigger};
use crate::flow::groups::taken_by;
use crate::flow::{Active, Position};
use crate::lang::ast::{Ast, Kind};
use crate::lang::{Expr, Scope, World, json_of, value_of};
use crate::run::Engine;
use crate::seam::Explains;
use crate::store::{CellRef, EventRef, StoreError};

/// The most letters of a value that a sentence repeats.
const VALUE_MAX: usize = 60;

/// What a flow has to do with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Began {
    /// It starts with such events, and is off.
    Off,
    /// This part of what it wants was not so: `order.total >= 100`, and what was there instead.
    NotSo {
        /// The part of the condition, as it stands in the flow.
        part: String,
        /// What its names stood for: `order.total is 80`.
        was: Vec<String>,
    },
    /// It only listens to another connection.
    OtherSource(String),
    /// The condition could not be worked out.
    Failed(String),
    /// It matches, and another flow of its group comes before it.
    TakenBy(String),
    /// It matches; this is the case.
    Yes(String),
}

/// What became of an event.
#[derive(Clone, Debug)]
pub struct Why {
    /// The event.
    pub event: Event,
    /// Whether the flows were others when it came.
    pub flows_changed: bool,
    /// Each flow that starts with events of this type.
    pub flows: Vec<(String, Began)>,
    /// The runs that it belongs to, and whether it opened them.
    pub runs: Vec<(CellId, bool)>,
}

impl Explains for Engine {
    fn why(&self, at: Place) -> BoxFuture<'_, Result<Option<Why>, StoreError>> {
        Box::pin(async move {
            let found = self.store().events(&[EventRef::At(at)]).await?;
            let Some(event) = found.into_iter().next().flatten() else {
                return Ok(None);
            };
            let setup = self.setup();
            let asks = setup.flows.asks_customers();
            let world = self
                .world_of(&setup, event.received_at, asks, &[&event])
                .await?;
            let heard = setup.flows.flows().iter().filter(|active| {
                let mut all = active.flow.when.iter();
                all.any(|trigger| trigger.events.contains(&event.envelope.kind))
            });
            let all: Vec<(&Active, Began)> = heard
                .map(|active| (active, began(active, &event, &world)))
                .collect();
            let flows = shared_out(all);
            let runs = self.runs_of(&event, &flows).await?;
            Ok(Some(Why {
                flows_changed: event.flow_set != setup.flows.version(),
                event,
                flows,
                runs,
            }))
        })
    }
}

impl Engine {
    /// The runs that an event opened, or that it is found by.
    async fn runs_of(
        &self,
        event: &Event,
        flows: &[(String, Began)],
    ) -> Result<Vec<(CellId, bool)>, StoreError> {
        let keyed = flows.iter().filter_map(|(flow, began)| match began {
            Began::Yes(key) => Some(CellRef::Latest {
                program: flow.clone(),
                key: key.clone(),
            }),
            _ => None,
        });
        let mut refs: Vec<CellRef> = keyed.collect();
        let addressed = self.addressees(&event.envelope).await?;
        refs.extend(addressed.cells.iter().map(|(cell, _)| CellRef::Id(*cell)));
        let mut out: Vec<(CellId, bool)> = Vec::new();
        for snapshot in self.store().load(&refs).await?.into_iter().flatten() {
            let opener = snapshot.opened_by.map(|opened| opened.position);
            if !out.iter().any(|(known, _)| *known == snapshot.cell) {
                out.push((snapshot.cell, opener == Some(event.position)));
            }
        }
        Ok(out)
    }
}

/// What each flow does once those of a group have settled which of them takes the event.
fn shared_out(all: Vec<(&Active, Began)>) -> Vec<(String, Began)> {
    let claims = all.iter().filter(|(_, began)| {
        let claims = matches!(began, Began::Yes(_) | Began::Failed(_));
        claims
    });
    let claims: Vec<&Active> = claims.map(|(active, _)| *active).collect();
    let settled = all.into_iter().map(|(active, began)| {
        let taken = match began {
            Began::Yes(_) => taken_by(active, claims.iter().copied()),
            _ => None,
        };
        let began = taken.map_or(began, |by| Began::TakenBy(by.to_owned()));
        (active.flow.name.clone(), began)
    });
    settled.collect()
}

fn began(active: &Active, event: &Event, world: &Arc<World>) -> Began {
    if active.position == Position::Off {
        return Began::Off;
    }
    if event.envelope.hop > HOP_MAX {
        let part = "an event that our own flows passed on too often starts nothing";
        return Began::NotSo {
            part: part.to_owned(),
            was: Vec::new(),
        };
    }
    let triggers = active.flow.when.iter();
    let of_kind = triggers.filter(|trigger| trigger.events.contains(&event.envelope.kind));
    let mut last = Began::Off;
    for trigger in of_kind {
        last = tried(active, trigger, event, world);
        if matches!(last, Began::Yes(_)) {
            break;
        }
    }
    last
}

fn tried(active: &Active, trigger: &Trigger, event: &Event, world: &Arc<World>) -> Began {
    let flow: &Arc<Flow> = &active.flow;
    let scope = Scope::of_value(
        flow,
        &active.inputs,
        &event.envelope,
        value_of(&event.envelope.data),
        trigger.name.as_deref(),
        Arc::clone(world),
    );
    if let Some(source) = &trigger.source {
        match scope.eval(source) {
            Ok(source) => {
                let name = source.as_str().unwrap_or_default();
                if !name.is_empty() && name != event.envelope.source {
                    return Began::OtherSource(name.to_owned());
                }
            }
            Err(error) => return Began::Failed(error.to_string()),
        }
    }
    if let Some(condition) = &trigger.condition {
        for (part, names) in parts(condition) {
            let Ok(expr) = Expr::parse(&part) else {
                continue;
            };
            match scope.truthy(&expr) {
                Ok(true) => {}
                Ok(false) => {
                    let was = names.iter().filter_map(|name| stood_for(&scope, name));
                    return Began::NotSo {
                        was: was.collect(),
                        part,
                    };
                }
                Err(error) => return Began::Failed(error.to_string()),
            }
        }
        // The parts hold one by one; the whole decides.
        match scope.truthy(condition) {
            Ok(true) => {}
            Ok(false) => {
                return Began::NotSo {
                    part: condition.source().to_owned(),
                    was: Vec::new(),
                };
            }
            Err(error) => return Began::Failed(error.to_string()),
        }
    }
    match scope.case() {
        Ok(key) => Began::Yes(key),
        Err(error) => Began::Failed(error.to_string()),
    }
}

/// The parts of a condition that must all hold, as they are written, with the names in each.
fn parts(condition: &Expr) -> Vec<(String, Vec<String>)> {
    let ast = condition.ast();
    let all: Vec<&Ast> = match &ast.kind {
        Kind::And(all) => all.iter().collect(),
        _ => vec![ast],
    };
    let source = condition.source();
    let mut out = Vec::new();
    for (n, node) in all.iter().enumerate() {
        let from = if n == 0 {
            0
        } else {
            before(source, first(node))
        };
        let to = all
            .get(n + 1)
            .map_or(source.len(), |next| before(source, first(next)));
        let text = source.get(from..to).unwrap_or(source).trim();
        let text = text.strip_suffix("and").unwrap_or(text).trim();
        let mut names: Vec<String> = node.paths().iter().filter_map(path_text).collect();
        names.dedup();
        out.push((text.to_owned(), names));
    }
    out
}

/// Where the first name or sign of a part stands.
fn first(node: &Ast) -> usize {
    let children = node.children();
    let inner = children.into_iter().map(first).min();
    inner.map_or(node.at, |inner| inner.min(node.at))
}

/// Where a part begins: after the `and` before its first name, so that `not` and brackets belong to
/// it.
fn before(source: &str, at: usize) -> usize {
    let head = source.get(..at).unwrap_or_default();
    head.rfind(" and ").map_or(0, |and| and + " and ".len())
}

fn path_text(path: &crate::lang::ast::Path) -> Option<String> {
    let mut text = path.root.to_string();
    for (name, _) in &path.fields {
        text.push('.');
        text.push_str(name.as_deref()?);
    }
    Some(text)
}

/// What a name stands for, in words.
fn stood_for(scope: &Scope, name: &str) -> Option<String> {
    let value = scope.eval(&Expr::parse(name).ok()?).ok()?;
    let json = json_of(&value);
    let text = match &json {
        Json::Null => return Some(format!("{name} is not there")),
        Json::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    };
    let shown: String = text.chars().take(VALUE_MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Some(format!("{name} is {shown}{more}"))
}
