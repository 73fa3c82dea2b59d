//! The recipes that ship with the binary: one line for each file of the folder `recipes`, in the
//! order in which people see them. A test holds that none is missing.

use std::sync::LazyLock;

use bellwether_engine::flow::Position;
use bellwether_engine::seam::{FlowDocument, Recipe};
use serde_json::Value;

/// Name and text.
const TEXTS: [(&str, &str); 16] = [
    (
        "approval-mail",
        include_str!("../../../recipes/approval-mail.yaml"),
    ),
    (
        "operational-alert",
        include_str!("../../../recipes/operational-alert.yaml"),
    ),
    (
        "customer-notice",
        include_str!("../../../recipes/customer-notice.yaml"),
    ),
    (
        "delivery-report",
        include_str!("../../../recipes/delivery-report.yaml"),
    ),
    (
        "support-case",
        include_str!("../../../recipes/support-case.yaml"),
    ),
    (
        "sensitive-transaction",
        include_str!("../../../recipes/sensitive-transaction.yaml"),
    ),
    (
        "make-sure-it-arrives",
        include_str!("../../../recipes/make-sure-it-arrives.yaml"),
    ),
    (
        "activity-summary",
        include_str!("../../../recipes/activity-summary.yaml"),
    ),
    (
        "asset-review",
        include_str!("../../../recipes/asset-review.yaml"),
    ),
    (
        "licence-watch",
        include_str!("../../../recipes/licence-watch.yaml"),
    ),
    (
        "request-stages",
        include_str!("../../../recipes/request-stages.yaml"),
    ),
    (
        "compliance-alert",
        include_str!("../../../recipes/compliance-alert.yaml"),
    ),
    (
        "asset-changed",
        include_str!("../../../recipes/asset-changed.yaml"),
    ),
    (
        "campaign-final",
        include_str!("../../../recipes/campaign-final.yaml"),
    ),
    (
        "sync-outage",
        include_str!("../../../recipes/sync-outage.yaml"),
    ),
    (
        "action-reminder",
        include_str!("../../../recipes/action-reminder.yaml"),
    ),
];

/// Tables that recipes name as defaults. Each recipe gets those that its text names.
const TABLES: [(&str, &str); 1] = [(
    "approvers.csv",
    include_str!("../../../recipes/approvers.csv"),
)];

static ALL: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
    let recipe = |&(name, text): &(&'static str, &str)| {
        let beside = TABLES.iter().filter(|(table, _)| text.contains(table));
        let document = FlowDocument {
            file: format!("recipes/{name}.yaml"),
            text: text.to_owned(),
            files: beside
                .map(|(table, rows)| ((*table).to_owned(), (*rows).to_owned()))
                .collect(),
            inputs: Value::Null,
            position: Position::Off,
        };
        Recipe { name, document }
    };
    TEXTS.iter().map(recipe).collect()
});

/// All of them.
pub(crate) fn all() -> &'static [Recipe] {
    &ALL
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_ships() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut there: Vec<String> = names.collect();
        let yaml = TEXTS.iter().map(|(name, _)| format!("{name}.yaml"));
        let mut shipped: Vec<String> = yaml
            .chain(TABLES.iter().map(|(name, _)| (*name).to_owned()))
            .collect();
        there.sort();
        shipped.sort();
        assert_eq!(there, shipped);
    }

    #[test]
    fn each_has_the_name_of_its_file() {
        for recipe in all() {
            let named = format!("\nflow: {}\n", recipe.name);
            assert!(recipe.document.text.contains(&named), "{}", recipe.name);
        }
    }
}
