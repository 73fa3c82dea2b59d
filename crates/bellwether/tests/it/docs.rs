//! Generated documents are fresh, and the flow language's JSON Schema agrees with the flows that we
//! ship and with what the reader refuses.

use std::path::{Path, PathBuf};
use std::process::Command;

use bellwether_connectors::all;
use bellwether_engine::yaml;
use jsonschema::Validator;
use serde_json::Value;

const SCHEMA: &str = "docs/flow.schema.json";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the binary prints.
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn fresh(path: &str, arguments: &[&str]) {
    let command = format!("cargo run -- {} > {path}", arguments.join(" "));
    let kept = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(
        kept == printed(arguments),
        "{path} is not what is printed now; write it again: {command}"
    );
}

#[test]
fn the_schema_in_the_docs_is_fresh() {
    fresh(SCHEMA, &["schema"]);
}

#[test]
fn every_connector_has_its_fresh_page_and_no_other_page_is_there() {
    let list = read("docs/connectors/README.md");
    for def in all() {
        let page = format!("docs/connectors/{}.md", def.name);
        fresh(&page, &["connector", def.name]);
        let link = format!("[{}]({}.md)", def.title, def.name);
        assert!(list.contains(&link), "the list lacks {link}");
    }
    let pages = std::fs::read_dir(root().join("docs/connectors")).unwrap();
    assert_eq!(
        pages.count(),
        all().len() + 1,
        "a page of a connector that is gone"
    );
}

#[test]
fn connectors_are_listed_and_an_unknown_one_is_named() {
    let listed: Value = serde_json::from_str(&printed(&["connector", "--json"])).unwrap();
    let names: Vec<&str> = listed["connectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let known: Vec<&str> = all().iter().map(|def| def.name).collect();
    assert_eq!(names, known);
    for name in known {
        let one: Value = serde_json::from_str(&printed(&["connector", name, "--json"])).unwrap();
        for part in ["settings", "triggers", "actions", "inlets"] {
            let listed = one[part].as_array();
            let listed = listed.unwrap_or_else(|| panic!("{name} does not list its {part}"));
            for item in listed {
                assert!(item["verified"].is_boolean(), "{name}: {item}");
            }
        }
        for field in one["settings"].as_array().unwrap() {
            for key in ["name", "holds", "about"] {
                assert!(!field[key].as_str().unwrap().is_empty(), "{name}: {field}");
            }
            let is_secret = field["secret"].as_bool().unwrap();
            assert_eq!(is_secret, field["holds"] == "secret", "{name}: {field}");
        }
        for action in one["actions"].as_array().unwrap() {
            assert!(action["sample"].is_object(), "{name}: {action}");
        }
        let said = printed(&["connector", name]);
        for trigger in one["triggers"].as_array().unwrap() {
            let event = trigger["event"].as_str().unwrap();
            assert!(said.contains(&format!("### `{event}`")), "{name}: {event}");
            let schema = validator(&trigger["schema"]);
            assert!(schema.is_valid(&trigger["sample"]), "{}", trigger["event"]);
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(["connector", "fax"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("there is no connector `fax`; there are: gmail"),
        "{said}"
    );
}

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}"))
}

fn flows() -> Validator {
    validator(&serde_json::from_str(&read(SCHEMA)).unwrap())
}

/// YAML as an editor hands it to the schema.
fn as_json(text: &str) -> Value {
    let (node, problems) = yaml::parse(text);
    assert_eq!(problems, [], "{text}");
    node.unwrap().json()
}

fn complaints(schema: &Validator, text: &str) -> Vec<String> {
    let flow = as_json(text);
    let said = schema.iter_errors(&flow);
    said.map(|error| format!("{} {error}", error.instance_path()))
        .collect()
}

#[test]
fn every_recipe_with_its_stories_fits_the_schema() {
    let schema = flows();
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("recipes")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        count += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let said = complaints(&schema, &text);
        assert!(said.is_empty(), "{}:\n{}", path.display(), said.join("\n"));
    }
    assert!(count > 0);
}

/// Each form of each verb that the language has.
const FORMS: &str = r#"bellwether: 1
flow: all-forms
about: >
  Every form once.
inputs:
  owner: { type: who, label: Who, default: [role legal, alice] }
  days: { type: numbers, default: [90, 30] }
  rows: { type: table, columns: { kind: text, up_to: money } }
when:
  - { name: came, event: gmail.message.received, in: inputs.box, if: not mail.auto_reply }
  - event: [order.checked, webhook.received]
let:
  one: 1
  number: mail.subject | find('[A-Z]+')
case: number or mail.thread_id
steps:
  - push: [role('legal'), mail.from]
    id: first
    title: { en: Look, de-AT: Schau }
    importance: high
    privacy: hidden
    on_error: [{ dead_letter: not told }]
  - label: mail
    add: Done
  - wait: gmail.message.read
    if: it.id == mail.id
    up_to: 30 working minutes
    as: seen
  - if: seen.timed_out
    then: [stop]
    else: []
  - pause: inputs.within
  - emit: order.told
    data: { order: { id: mail.id } }
  - ask: inputs.owner
    title: "{{ number }}"
    show: { Amount: one }
    choices: { approve: {}, later: { keeps_open: true, comment: none, label: { en: Later, de: Später } } }
    not_by: mail.from
    if_silent: { 4 hours: remind, 1 working day: inputs.owner, 2 days: expire }
    then: { approve: [{ reply: mail, text: Yes }], withdrawn: [], expire: [stop: it is over] }
tests:
  a long story:
    - { at: "2026-03-02 10:00 Europe/Vienna", mail: { from: a@example.com, in thread of: x, auto: replied, dsn: true } }
    - { happens: order.checked, order: { id: 1 }, times: 60 }
    - { after: 1 working day, tap: { alice: [approve, { reject: too dear }], bert: approve } }
    - people: { carl: { zone: Europe/Berlin } }
      away: { alice: until 2026-03-13 }
      faults: { push: unregistered, mail: { alice: bounces } }
      replies: { alice: Genehmigt, b@example.com: { text: no, auth: fail } }
      opens: [alice, bert]
    - expect: nothing
    - { reads: carl, expect: [{ push: alice, at: "08:30", title: 60 licences }, { page: alice, text: You }] }
"#;

#[test]
fn every_form_fits_the_schema() {
    let said = complaints(&flows(), FORMS);
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// What is replaced by what, so that an editor underlines it.
const MISTAKES: [(&str, &str); 29] = [
    ("bellwether: 1", "bellwether: 2"),
    ("flow: all-forms", "flow: All Forms"),
    ("about: >", "abuot: >"),
    ("type: numbers", "type: nubers"),
    (
        "type: table, columns: { kind: text, up_to: money }",
        "type: table",
    ),
    ("kind: text", "kind: texts"),
    ("in: inputs.box", "inn: inputs.box"),
    ("if: not mail.auto_reply", "if: \"{{ mail.auto_reply }}\""),
    ("event: gmail.message.received, in", "in"),
    ("one: 1", "no: 1"),
    ("one: 1", "inputs: 1"),
    ("push: [role", "psuh: [role"),
    ("    title: { en: Look, de-AT: Schau }\n", ""),
    ("en: Look", "english: Look"),
    ("pause: inputs.within", "pause: within"),
    ("importance: high", "importance: loud"),
    ("    add: Done\n", ""),
    ("[{ dead_letter: not told }]", "[{ pause: 4h }]"),
    ("up_to: 30 working minutes", "up_to: soon"),
    ("    then: [stop]\n", ""),
    ("emit: order.told", "emit: told"),
    ("{ approve: {}, later", "{ expire: {}, later"),
    ("comment: none", "comment: nothing"),
    ("4 hours: remind", "4 hurs: remind"),
    (", expire: [stop: it is over]", ""),
    ("auto: replied", "auto: perhaps"),
    ("happens: order.checked, order", "order"),
    ("mail: { alice: bounces }", "mail: { alice: jumps }"),
    ("{ push: alice, at", "{ push: alice, mail: bert, at"),
];

#[test]
fn mistakes_of_form_are_underlined_by_the_schema() {
    let schema = flows();
    for (from, to) in MISTAKES {
        assert!(FORMS.contains(from), "{from}");
        let text = FORMS.replacen(from, to, 1);
        assert!(
            !complaints(&schema, &text).is_empty(),
            "{from} may be {to:?}"
        );
    }
}
