//! One connector's page as Markdown: settings, authentication, events with payload and sample,
//! actions, ways in, and what of it is verified. All of it comes from the definition.

use bellwether_model::connector::{
    ActionDef, AuthSpec, ConnectorDef, InletDef, ThresholdDef, TriggerDef,
};
use bellwether_model::spec::{Field, FieldKind, Spec};
use serde_json::Value;

use super::fields::fields;
use super::{kind, role};

/// What stands beside what is our convention.
const UNVERIFIED: &str = " *Unverified.*";

/// The whole page.
pub(super) fn page(def: &ConnectorDef) -> String {
    let mut out = format!("# {}: `{}`\n\n{}\n\n", def.title, def.name, def.summary);
    out.push_str(&format!(
        "This page is what `bellwether connector {}` prints. Change the definition, not the page.\n\n",
        def.name
    ));
    out.push_str(&format!("**What it needs.** {}\n\n", def.needs));
    out.push_str(&format!("**What it rests on.** {}\n", def.basis));
    out.push_str(&unverified(def));
    out.push_str(&format!("\n## Authentication\n\n{}\n", auth(def.auth)));
    out.push_str("\n## Settings\n\n");
    out.push_str(&table(&(def.settings)()));
    out.push_str(&example(def));
    if !def.triggers.is_empty() {
        out.push_str("\n## Events\n");
        for (index, trigger) in def.triggers.iter().enumerate() {
            out.push_str(&event(trigger, &def.triggers[..index]));
        }
    }
    if !def.thresholds.is_empty() {
        out.push_str("\n## Thresholds\n\n");
        out.push_str("A flow hands over its own under `with:` of its trigger.\n\n");
        for one in def.thresholds {
            out.push_str(&threshold(one));
        }
    }
    if !def.actions.is_empty() {
        out.push_str("\n## Actions\n");
        for one in def.actions {
            out.push_str(&action(one));
        }
    }
    if !def.inlets.is_empty() {
        out.push_str("\n## Ways in\n\n");
        for inlet in def.inlets {
            out.push_str(&way_in(inlet));
        }
    }
    out
}

fn threshold(one: &ThresholdDef) -> String {
    let events: Vec<String> = one.events.iter().map(|name| format!("`{name}`")).collect();
    let default: Vec<String> = one.default.iter().map(i64::to_string).collect();
    format!(
        "- `{}`: {} For {}. Whole numbers from 1 to {}; without `with:` {}.\n",
        one.name,
        one.summary,
        events.join(" and "),
        one.most,
        default.join(", ")
    )
}

/// What is our convention, in one list: nobody should have to search for it.
fn unverified(def: &ConnectorDef) -> String {
    let mut all: Vec<String> = Vec::new();
    let settings = (def.settings)();
    let in_doubt = settings.fields.iter().filter(|field| field.unverified);
    all.extend(in_doubt.map(|field| format!("the setting `{}`", field.name)));
    let events = def.triggers.iter().filter(|trigger| !trigger.verified);
    all.extend(events.map(|trigger| format!("the event `{}`", trigger.event)));
    let actions = def.actions.iter().filter(|action| !action.verified);
    all.extend(actions.map(|action| format!("the action `{}`", action.name)));
    let inlets = def.inlets.iter().filter(|inlet| !inlet.verified);
    all.extend(inlets.map(|inlet| format!("the way in `{}`", inlet.name)));
    if all.is_empty() {
        return "\n**Unverified:** nothing; public documents say all that is used here.\n"
            .to_owned();
    }
    format!(
        "\n**Unverified**, so our convention until the provider says more: {}.\n",
        all.join(", ")
    )
}

fn auth(auth: AuthSpec) -> String {
    match auth {
        AuthSpec::None => "None: each request carries its own signature.".to_owned(),
        AuthSpec::Basic => "User and password.".to_owned(),
        AuthSpec::OAuthCode {
            authorize,
            token,
            scopes,
        } => format!(
            "OAuth 2: a person consents at {authorize}, tokens are made at {token}. Scopes: {}.",
            ticked(scopes)
        ),
        AuthSpec::ClientCredentials => {
            "User and password, or OAuth 2 client credentials, as the settings say.".to_owned()
        }
    }
}

fn ticked(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// A cell of a table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn table(spec: &Spec) -> String {
    let mut out = "| name | holds | needed | meaning |\n|---|---|---|---|\n".to_owned();
    for field in &spec.fields {
        let needed = match (field.required, field.default) {
            (true, _) => "yes".to_owned(),
            // A tree as default is a page of its own.
            (_, default) if field.kind == FieldKind::Tree && !default.is_empty() => {
                "no; there is a default".to_owned()
            }
            (_, "") => "no".to_owned(),
            (_, default) => format!("no; `{}`", default.trim_matches('"')),
        };
        let mark = if field.unverified { UNVERIFIED } else { "" };
        out.push_str(&format!(
            "| `{}` | {} | {} | {}{mark} |\n",
            field.name,
            cell(&kind(field.kind)),
            cell(&needed),
            cell(field.about),
        ));
    }
    out
}

/// A connection with what it must have.
fn example(def: &ConnectorDef) -> String {
    let settings = (def.settings)();
    let shown = |field: &&Field| field.required;
    let lines = settings.fields.iter().filter(shown).map(|field| {
        let value = match field.example {
            "" => "…",
            example => example.trim_matches('"'),
        };
        format!("      {}: {value}\n", field.name)
    });
    let lines = match lines.collect::<String>() {
        none if none.is_empty() => " {}\n".to_owned(),
        lines => format!("\n{lines}"),
    };
    format!(
        "\n```yaml\nconnections:\n  {0}:\n    connector: {0}\n    settings:{1}```\n",
        def.name, lines
    )
}

fn json_block(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("\n```json\n{text}\n```\n")
}

fn event(trigger: &TriggerDef, before: &[TriggerDef]) -> String {
    let mark = if trigger.verified { "" } else { UNVERIFIED };
    let mut out = format!("\n### `{}`\n\n{}{mark}\n", trigger.event, trigger.summary);
    out.push_str(&format!(
        "\nIt brings {} to a flow. In a sentence: `{}`\n",
        ticked(trigger.nouns),
        trigger.sentence
    ));
    let schema = (trigger.schema)();
    match before.iter().find(|other| (other.schema)() == schema) {
        Some(other) => {
            out.push_str(&format!("\nIts fields are those of `{}`.\n", other.event));
        }
        None => {
            out.push_str("\n| field | holds | always | meaning |\n|---|---|---|---|\n");
            for field in fields(&schema) {
                let always = if field.always { "yes" } else { "" };
                out.push_str(&format!(
                    "| `{}` | {} | {always} | {} |\n",
                    field.path,
                    cell(&field.holds),
                    cell(&field.about)
                ));
            }
        }
    }
    out.push_str(&json_block(&(trigger.sample)()));
    out
}

fn action(action: &ActionDef) -> String {
    let mark = if action.verified { "" } else { UNVERIFIED };
    let unknown = if action.reconciles {
        "After a break the provider is asked what became of it, so nothing is sent twice."
    } else {
        "After a break nobody can be asked what became of it."
    };
    format!(
        "\n### `{}`, for `{}:`\n\n{}{mark} {unknown}\n\n{}{}",
        action.name,
        role(action.role),
        action.summary,
        table(&(action.input)()),
        json_block(&(action.sample)())
    )
}

fn way_in(inlet: &InletDef) -> String {
    let mark = if inlet.verified { "" } else { UNVERIFIED };
    let path = if inlet.name.is_empty() {
        String::new()
    } else {
        format!("/{}", inlet.name)
    };
    format!(
        "* `POST /hooks/{{connection}}{path}`: {}{mark}\n",
        inlet.summary
    )
}
