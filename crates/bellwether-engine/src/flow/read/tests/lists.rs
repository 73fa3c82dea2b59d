//! Lists: what a digest and a list of questions must say, and what their steps may use.

use super::fixture::wrong;

const SOUND: &str = r#"bellwether: 1
flow: f
inputs:
  owner: { type: who }
  send_at: { type: schedule, default: "Fri 16:00" }
when: { event: gmail.message.received }
case: mail.thread_id
steps:
  - digest: inputs.owner
    at: inputs.send_at
    drop: mail.auto_reply
    order: mail.subject
    row: { Subject: mail.subject, From: mail.from.name }
    then:
      - mail: list.person
        subject: "{{ list.count }} mails, first {{ list.first.Subject }}"
        text: "{{ list.rows[0].From }} {{ list.since }} {{ list.until }} {{ list.for }}"
  - ask: inputs.owner
    title: "{{ mail.subject }}"
    show: { From: mail.from.name }
    choices: { approve: {} }
    on_list: { after: 10 minutes, title: "{{ list.count }}: {{ list.first.title }}, {{ list.first.From }}" }
    over_if: mail.auto_reply
    if_silent: { 30 days: expire }
    then: { approve: [], expire: [] }
"#;

#[test]
fn what_is_sound_is_taken() {
    assert_eq!(wrong(SOUND), "");
    for at in [
        "\"08:30\"",
        "Mon, Thu 09:00",
        "every day 07:00",
        "\"{{ inputs.send_at }}\"",
    ] {
        let text = SOUND.replacen("at: inputs.send_at", &format!("at: {at}"), 1);
        assert_eq!(wrong(&text), "", "{at}");
    }
}

/// What is replaced, by what, and the beginning of the one message.
#[rustfmt::skip]
const MISTAKES: [(&str, &str, &str); 12] = [
    ("    at: inputs.send_at\n", "", "f.yaml:9:5  `at` is missing here  at: \"08:30\""),
    ("at: inputs.send_at", "at: inputs.owner", "f.yaml:10:9  `owner` is no input of type schedule or time"),
    ("at: inputs.send_at", "at: Fryday 16:00", "f.yaml:10:9  `Fryday 16:00` is not a time of day on certain days"),
    ("at: inputs.send_at", "at: \"25:00\"", "f.yaml:10:9  `25:00` is not a time of day"),
    ("\"Fri 16:00\"", "weekly", "f.yaml:5:39  this default does not fit: `weekly` is not a time of day"),
    ("    row: { Subject: mail.subject, From: mail.from.name }\n", "", "f.yaml:9:5  `row` is missing here"),
    ("{ Subject: mail.subject, From: mail.from.name }", "words", "f.yaml:13:10  `row` is a group of labels with expressions  row: { Amount: amount }"),
    ("list.first.Subject", "mail.subject", "f.yaml:16:52  \"mail\" is not a variable here."),
    ("list.first.Subject", "list.first.Subjct", "f.yaml:16:63  list.first has no field Subjct  did you mean list.first.Subject?"),
    ("      - mail: list.person", "      - pause: 1 day\n      - mail: list.person", "f.yaml:15:9  `pause` cannot stand in `then`: nothing there may wait"),
    ("on_list: { after: 10 minutes, ", "on_list: { ", "f.yaml:22:14  a list leaves `at` a time or `after` a while"),
    ("on_list: { after: 10 minutes, title", "on_list: { after: 10 minutes, titel", "f.yaml:22:35  `on_list` has no key `titel`  did you mean `title`?"),
];

#[test]
fn each_mistake_gets_its_own_message_at_its_place() {
    let mut failures = Vec::new();
    for (from, to, expected) in MISTAKES {
        assert!(SOUND.contains(from), "{from}");
        let said = wrong(&SOUND.replacen(from, to, 1));
        if !said.starts_with(expected) {
            failures.push(format!("{to}\n  wanted {expected}\n  got    {said}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
