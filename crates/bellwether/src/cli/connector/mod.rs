//! `connector`: lists the connectors of this build, or says everything about one, in the words of
//! its definition. The pages under `docs/connectors` are the same text, kept fresh by a test.

mod fields;
mod page;

use bellwether_connectors::all;
use bellwether_model::connector::{AuthSpec, ConnectorDef, Role};
use bellwether_model::spec::{FieldKind, Spec};
use serde_json::{Value, json};

use super::Failed;
use crate::output;

/// Arguments of `connector`.
#[derive(Debug, clap::Args)]
pub(super) struct Connector {
    /// Which one; without it, all are listed.
    name: Option<String>,
    /// Prints one JSON object, with the schemas of the events.
    #[arg(long)]
    json: bool,
}

impl Connector {
    pub(super) fn run(self) -> Result<(), Failed> {
        let Some(name) = &self.name else {
            list(self.json);
            return Ok(());
        };
        let Some(def) = all().iter().find(|def| def.name == name) else {
            let known: Vec<&str> = all().iter().map(|def| def.name).collect();
            let known = known.join(", ");
            return Err(format!("there is no connector `{name}`; there are: {known}").into());
        };
        if self.json {
            output::json(&as_json(def));
        } else {
            output::data(page::page(def).trim_end());
        }
        Ok(())
    }
}

fn list(json: bool) {
    if json {
        let listed = all()
            .iter()
            .map(|def| json!({ "name": def.name, "title": def.title, "summary": def.summary }));
        output::json(&json!({ "connectors": listed.collect::<Vec<_>>() }));
        return;
    }
    for def in all() {
        output::data(&format!(
            "{:<15} {:<10} {}",
            def.name, def.title, def.summary
        ));
    }
    output::say("`bellwether connector NAME` says everything about one");
}

/// What an action is for, as flows and pages call it.
fn role(role: Role) -> &'static str {
    match role {
        Role::Push => "push",
        Role::Mail => "mail",
        Role::Reply => "reply",
        Role::Label => "label",
        Role::Http => "http",
    }
}

/// What a field holds, in words.
fn kind(kind: FieldKind) -> String {
    match kind {
        FieldKind::Text => "text".to_owned(),
        FieldKind::Url => "address".to_owned(),
        FieldKind::Integer => "whole number".to_owned(),
        FieldKind::Bool => "true or false".to_owned(),
        FieldKind::Choice(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(" or "),
        FieldKind::Secret => "secret".to_owned(),
        FieldKind::Tree => "tree".to_owned(),
    }
}

fn as_json(def: &ConnectorDef) -> Value {
    let triggers = def.triggers.iter().map(|trigger| {
        json!({
            "event": trigger.event, "summary": trigger.summary, "nouns": trigger.nouns,
            "sentence": trigger.sentence, "schema": (trigger.schema)(),
            "sample": (trigger.sample)(), "verified": trigger.verified,
        })
    });
    let actions = def.actions.iter().map(|action| {
        json!({
            "name": action.name, "role": role(action.role), "summary": action.summary,
            "arguments": spec_json(&(action.input)()), "sample": (action.sample)(),
            "reconciles": action.reconciles, "verified": action.verified,
        })
    });
    let thresholds = def.thresholds.iter().map(|one| {
        json!({
            "name": one.name, "summary": one.summary, "events": one.events,
            "default": one.default, "most": one.most,
        })
    });
    let inlets = def.inlets.iter().map(
        |inlet| json!({ "name": inlet.name, "summary": inlet.summary, "verified": inlet.verified }),
    );
    json!({
        "name": def.name, "title": def.title, "summary": def.summary, "needs": def.needs,
        "basis": def.basis, "auth": auth_json(def.auth),
        "settings": spec_json(&(def.settings)()),
        "triggers": triggers.collect::<Vec<_>>(), "actions": actions.collect::<Vec<_>>(),
        "thresholds": thresholds.collect::<Vec<_>>(), "inlets": inlets.collect::<Vec<_>>(),
    })
}

fn auth_json(auth: AuthSpec) -> Value {
    match auth {
        AuthSpec::None => json!({ "kind": "none" }),
        AuthSpec::Basic => json!({ "kind": "basic" }),
        AuthSpec::OAuthCode {
            authorize,
            token,
            scopes,
        } => json!({
            "kind": "oauth_code", "authorize": authorize, "token": token, "scopes": scopes,
        }),
        AuthSpec::ClientCredentials => json!({ "kind": "client_credentials" }),
    }
}

fn spec_json(spec: &Spec) -> Value {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let fields = spec.fields.iter().map(|field| {
        json!({
            "name": field.name, "holds": kind(field.kind).replace('`', ""),
            "secret": field.kind == FieldKind::Secret, "required": field.required,
            "default": value(field.default), "example": value(field.example),
            "about": field.about, "verified": !field.unverified,
        })
    });
    fields.collect()
}
