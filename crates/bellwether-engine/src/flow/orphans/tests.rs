//! Which saved flows are refused because open cases are in them, and which are not.

use serde_json::json;

use super::*;
use crate::decide::{AskState, Branch};
use crate::flow::read::tests::fixture::right;

const FLOW: &str = "bellwether: 1
flow: f
when: { event: gmail.message.received }
steps:
  - ask: role('legal')
    title: Sure?
    choices: { approve: {} }
    if_silent: { 1 hour: expire }
    then:
      approve:
        - wait: gmail.message.read
          up_to: 2 days
      expire: []
  - pause: 2 hours
  - stop: done
";

fn at(path: &[&str]) -> Named {
    let mut named = Named::default();
    named.count(&json!({ "f": 1, "at": path }));
    named
}

fn said(text: &str, named: &Named) -> Vec<String> {
    let found = orphans(&right(FLOW), &right(text), named);
    found.iter().map(|one| one.in_file("f.yaml")).collect()
}

const ASK: &str = "ask-role-legal";
const WAIT: &str = "ask-role-legal.approve.wait-gmail-message-read";

#[test]
fn a_renamed_step_is_refused_with_the_line_to_add_and_with_it_is_fine() {
    let text = FLOW.replace("role('legal')", "role('cfo')");
    assert_eq!(
        said(&text, &at(&[ASK])),
        [
            "f.yaml:5:5  1 open case names the step `ask-role-legal`, which would be \
                 `ask-role-cfo` now  add this line to the step: id: ask-role-legal"
        ]
    );
    let written = text.replace("    title:", "    id: ask-role-legal\n    title:");
    assert_eq!(said(&written, &at(&[ASK])), [""; 0]);
    // Nobody is at it: it may be called as it likes.
    assert_eq!(said(&text, &at(&["pause-2-hours"])), [""; 0]);
    assert_eq!(said(&text, &Named::default()), [""; 0]);
}

#[test]
fn below_a_renamed_step_only_the_outer_one_is_said() {
    let named = at(&[ASK, "approve", WAIT]);
    let text = FLOW.replace("role('legal')", "role('cfo')");
    assert_eq!(said(&text, &named).len(), 1);
    let text = FLOW.replace("gmail.message.read\n", "gmail.message.sent\n");
    let found = said(&text, &named);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("f.yaml:11:11  1 open case names"),
        "{found:?}"
    );
    let hint = format!("id: {WAIT}");
    assert!(found[0].ends_with(&hint), "{found:?}");
    let line = format!("          {hint}\n          up_to");
    let written = text.replace("          up_to", &line);
    assert_eq!(said(&written, &named), [""; 0]);
}

#[test]
fn what_is_gone_or_only_moved_down_the_list_is_no_matter() {
    let named = at(&["pause-2-hours"]);
    let gone = FLOW.replace("  - pause: 2 hours\n", "");
    assert_eq!(said(&gone, &named), [""; 0]);
    let more = FLOW.replace("  - pause", "  - label: mail\n    add: x\n  - pause");
    assert_eq!(said(&more, &named), [""; 0]);
}

#[test]
fn every_step_that_a_state_names_is_counted() {
    let mut named = Named::default();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut state = RunState {
        at: words(&["a", "then", "b"]),
        ..RunState::default()
    };
    state
        .handled
        .insert("e1".to_owned(), words(&["c", "else", "d"]));
    state.asks.insert("g".to_owned(), AskState::default());
    let branch = Branch {
        step: "h".to_owned(),
        at: words(&["i"]),
        ..Branch::default()
    };
    state.branches.insert("1a2b".to_owned(), branch);
    let inner = AskState::default();
    state.asks.insert("j@1a2b".to_owned(), inner);
    named.count(&json!(state));
    named.count(&json!({ "f": 1, "at": ["a"] }));
    named.count(&json!("nonsense"));
    let counted: Vec<(&str, usize)> = named.0.iter().map(|(k, n)| (k.as_str(), *n)).collect();
    let all = ["a", "b", "c", "d", "g", "h", "i", "j"];
    let once = all.map(|id| (id, if id == "a" { 2 } else { 1 }));
    assert_eq!(counted, once);
}
