//! The sixteen flows of the demo: which recipe each is, and what is filled in.

use bellwether_engine::flow::Position;
use serde_json::{Value, json};

use crate::config::FlowConfig;
use crate::recipes;
use crate::server::Composed;

/// Seed of the mission, recipe.
pub(super) const FLOWS: [(&str, &str); 16] = [
    ("G1", "approval-mail"),
    ("G2", "operational-alert"),
    ("G3", "customer-notice"),
    ("G4", "delivery-report"),
    ("G5", "support-case"),
    ("G6", "sensitive-transaction"),
    ("G7", "make-sure-it-arrives"),
    ("G8", "activity-summary"),
    ("S1", "asset-review"),
    ("S2", "licence-watch"),
    ("S3", "request-stages"),
    ("S4", "compliance-alert"),
    ("S5", "asset-changed"),
    ("S6", "campaign-final"),
    ("S7", "sync-outage"),
    ("S8", "action-reminder"),
];

/// What is filled in; everything else is as the recipe has it.
fn inputs(recipe: &str) -> Value {
    match recipe {
        "approval-mail" => json!({ "mailbox": "approvals", "owner": "ivan" }),
        "operational-alert" => json!({ "mailbox": "alerts", "owner": "ivan" }),
        "customer-notice" => json!({ "mailbox": "travel" }),
        "delivery-report" => json!({ "readers": "ivan", "supervisors": true, "service": "dora" }),
        "support-case" => json!({ "mailbox": "service", "owner": "ivan" }),
        "sensitive-transaction" => {
            json!({ "mailbox": "confirm", "security": "role security", "owner": "ivan" })
        }
        "make-sure-it-arrives" | "asset-review" | "request-stages" => json!({ "owner": "ivan" }),
        "activity-summary" => json!({ "tell": "carl" }),
        "compliance-alert" => json!({ "last": "carl" }),
        "campaign-final" => json!({ "at_once": true }),
        "sync-outage" => json!({ "tell": "ivan" }),
        "action-reminder" => json!({ "tell": "maria", "lead": "carl" }),
        _ => Value::Null,
    }
}

/// Switches all of them on.
pub(super) async fn switch_on(composed: &Composed) -> Result<(), Vec<String>> {
    for (_, name) in FLOWS {
        let recipe = recipes::all().iter().find(|recipe| recipe.name == name);
        let recipe = recipe.ok_or_else(|| vec![format!("there is no recipe {name}")])?;
        let flow = FlowConfig {
            position: Some(Position::On),
            inputs: inputs(name),
        };
        let document = recipe.document.clone();
        composed.import_flow(name, document, Some(&flow)).await?;
    }
    Ok(())
}
