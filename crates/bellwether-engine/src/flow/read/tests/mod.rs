//! Tests of the reader: what is understood, and what is said about mistakes.

mod broken;
mod doubts;
pub(crate) mod fixture;
mod given;
mod lists;
mod robust;
mod with;

use bellwether_model::time::Millis;
use fixture::{CATALOG, right, wrong};

use crate::flow::def::{Block, CommentRule, Importance, RungAct, Span, Verb};
use crate::flow::{check_inputs, read_checked};

pub(crate) const RECIPE: &str = include_str!("../../../../../../recipes/approval-mail.yaml");
pub(crate) const APPROVERS: &str = include_str!("../../../../../../recipes/approvers.csv");

#[test]
fn the_approval_recipe_is_understood() {
    let (flow, problems) = read_checked(RECIPE, "recipes/approval-mail.yaml", &CATALOG);
    assert_eq!(problems, []);
    let flow = flow.unwrap();
    assert_eq!(flow.name, "approval-mail");
    assert_eq!(flow.when[0].events.len(), 2);
    assert_eq!(flow.lets.len(), 5);
    assert!(flow.tests.len() >= 20);
    let [step] = flow.steps.steps.as_slice() else {
        panic!("one step");
    };
    assert_eq!(step.id, "ask-route-approver");
    let Verb::Ask(ask) = &step.verb else {
        panic!("an ask");
    };
    assert_eq!(ask.who.source(), "route.approver");
    let labels: Vec<&str> = ask.show.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["Amount", "Vendor", "Requested by", "Files"]);
    let choices: Vec<_> = ask
        .choices
        .iter()
        .map(|choice| (choice.label.as_str(), choice.comment, choice.keeps_open))
        .collect();
    assert_eq!(
        choices,
        [
            ("Approve", CommentRule::Optional, false),
            ("Reject", CommentRule::Required, false),
            ("Question", CommentRule::Required, true)
        ]
    );
    assert_eq!(ask.not_by.len(), 2);
    assert_eq!(ask.if_silent[0].after, Span::Working(Millis::hours(4)));
    assert!(matches!(ask.if_silent[2].act, RungAct::Who(_)));
    assert!(matches!(ask.if_silent[3].act, RungAct::Expire));
    let endings: Vec<(&str, &str)> = ask
        .then
        .iter()
        .map(|(ending, block)| (ending.as_str(), block.steps[0].id.as_str()))
        .collect();
    assert_eq!(
        endings,
        [
            ("approve", "ask-route-approver.approve.reply-mail"),
            ("reject", "ask-route-approver.reject.reply-mail"),
            ("expire", "ask-route-approver.expire.reply-mail")
        ]
    );
    let given = serde_json::json!({ "mailbox": "approvals", "owner": "role owner" });
    let file = |name: &str| (name == "approvers.csv").then(|| APPROVERS.to_owned());
    let inputs = check_inputs(&flow, &given, &file).unwrap();
    assert_eq!(inputs.get_attr("routes").unwrap().len(), Some(4));
    let missing = check_inputs(&flow, &serde_json::json!({ "mailbx": "x" }), &|_| None);
    let missing: Vec<String> = missing
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    assert_eq!(missing.len(), 4, "{missing:?}");
}

/// The parts of the licence and loop recipes that this version has verbs for.
#[test]
fn the_expressions_of_the_other_recipes_compile() {
    let flow = right(
        r#"bellwether: 1
flow: make-sure-it-arrives
inputs:
  label: { type: text, label: Gmail label of critical mails, default: Critical }
  days:  { type: numbers, default: [90, 30, 7, 1] }
  send_at: { type: time, default: "08:30" }
  owner: { type: who, default: [role marketing, role procurement] }
when:
  - { name: mail_came, event: gmail.message.received, if: inputs.label in mail.labels }
  - name: push_did_not
    event: [push.failed, push.expired, push.unconfirmed]
    if: push.importance in ['high', 'critical'] and not push.question
case: push.case if trigger == 'push_did_not' else mail.message_id
steps:
  - if: license.days_left | default(99) <= 1 or license.percent | default(0) >= 100
    then: [{ push: inputs.owner, importance: high, title: "{{ asset.name }}: {{ license | in_words }}" }]
  - if: trigger == 'mail_came'
    then:
      - wait: [gmail.message.read, gmail.message.received]
        if: it.message_id == mail.message_id
        up_to: 30 working minutes
        as: seen
      - if: seen.timed_out
        then:
          - push: role('legal')
            title: "Unread: {{ mail.subject }}"
            text: "From {{ mail.from.name }}, {{ mail.at | ago }}. Tap to read it in Gmail."
            link: mail.link
            importance: high
    else:
      - mail: push.person
        subject: "{{ push.title }}"
        text: "{{ push.text }}\n\nYour phone could not be reached ({{ push | in_words }}). It was about {{ push.case }}"
  - mail: role('procurement')
    subject: "Renew {{ row.asset.name }}"
    text: "{{ row.license | in_words }}"
  - push: row.asset.users
    title: "Please replace {{ list.rows[0].asset.name }}: {{ list.rows | count }}"
  - push: inputs.owner
    title: "{{ person.name }} could not be reached"
    text: "{{ case | in_words }}"
  - dead_letter: nobody reached
"#,
    );
    assert_eq!(flow.steps.steps.len(), 6);
}

#[test]
fn every_verb_is_understood() {
    let flow = right(
        r#"bellwether: 1
flow: all-verbs
inputs:
  owner: { type: who }
when: { event: webhook.received, if: body.kind == 'order' }
steps:
  - push: [role('legal'), body.who]
    title: New order
    privacy: hidden
    on_error:
      - dead_letter: "{{ body.id }} was not told"
  - id: second
    mail: inputs.owner
    subject: |
      An order
    text: |
      Hello,

        it is {{ body.id }}.
  - label: body
    add: Done
    remove: [New, "{{ body.label }}"]
  - pause: 2 hours
  - wait: webhook.received
    if: it.id == body.id
    up_to: 3 days
    as: answer
  - if: answer.timed_out or answer.body.late
    then: [stop]
  - emit: order.checked
    data: { order: { id: body.id, who: inputs.owner }, late: answer.body.late }
  - stop: done
"#,
    );
    let verbs: Vec<&str> = flow
        .steps
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .collect();
    assert_eq!(
        verbs,
        [
            "push-role-legal-body-who",
            "second",
            "label-body",
            "pause-2-hours",
            "wait-webhook-received",
            "if-answer-timed-out-or-answer-body-late",
            "emit-order-checked",
            "stop-done"
        ]
    );
    let Verb::Push(push) = &flow.steps.steps[0].verb else {
        panic!("a push");
    };
    assert_eq!(push.importance, Importance::Normal);
    assert_eq!(push.to.source(), "[role('legal'), body.who]");
    assert!(push.on_error.is_some());
    let Verb::Mail(mail) = &flow.steps.steps[1].verb else {
        panic!("a mail");
    };
    assert_eq!(mail.title.source(), "An order");
    let Verb::Emit(emit) = &flow.steps.steps[6].verb else {
        panic!("an emit");
    };
    let paths: Vec<&str> = emit.data.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["order.id", "order.who", "late"]);
}

#[test]
fn the_hash_is_that_of_what_the_flow_does() {
    let text = "bellwether: 1\nflow: a\nwhen: { event: webhook.received }\nsteps: [{ stop: x }]\n";
    let hash = |text: &str| right(text).hash;
    let same = "# a comment\nbellwether: 1\nflow: \"a\"\nwhen:\n  event: webhook.received\nsteps:\n  - stop: x\ntests: {}\n";
    assert_eq!(hash(text), hash(same));
    assert_ne!(hash(text), hash(&text.replace("stop: x", "stop: y")));
}

#[test]
fn ids_do_not_change_when_steps_come_before_them() {
    let flow = |more: &str| {
        right(&format!(
            "bellwether: 1\nflow: a\nwhen: {{ event: webhook.received }}\nsteps:\n{more}  - if: body.a\n    then:\n      - stop: x\n      - stop: x\n"
        ))
    };
    let inner = |block: &Block| -> Vec<String> {
        let Some(Verb::If(both)) = block.steps.last().map(|step| step.verb.clone()) else {
            panic!("an if");
        };
        both.then.steps.into_iter().map(|step| step.id).collect()
    };
    let expected = ["if-body-a.then.stop-x", "if-body-a.then.stop-x-2"];
    assert_eq!(inner(&flow("").steps), expected);
    assert_eq!(inner(&flow("  - stop: x\n").steps), expected);
}

#[test]
fn long_titles_are_warned_about_with_the_sample() {
    let text = "bellwether: 1\nflow: a\nwhen: { event: gmail.message.received }\nsteps:\n  - push: person('a')\n    title: \"A very long title about {{ mail.subject }}, isn't it\"\n";
    let said = wrong(text);
    assert!(
        said.starts_with("f.yaml:6:13  warning: this title has 56 letters"),
        "{said}"
    );
}
