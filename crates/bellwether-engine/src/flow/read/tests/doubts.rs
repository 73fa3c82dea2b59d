//! What may not stand where something failed, and tests that read every mail's body.

use super::fixture::wrong;

fn flow(rest: &str) -> String {
    format!("bellwether: 1\nflow: f\nwhen: {{ event: gmail.message.received }}\nsteps:\n{rest}")
}

#[test]
fn nothing_waits_in_on_error() {
    let what =
        "what may stand here: push, mail, reply, label, http, if, emit, digest, stop, dead_letter";
    let waiting = [
        ("- pause: 2 hours", "pause"),
        ("- wait: gmail.message.read\n        up_to: 2 hours", "wait"),
        (
            "- ask: role('legal')\n        title: Sure?\n        choices: { approve: {} }\n        \
             if_silent: { 1 hour: expire }\n        then: { approve: [], expire: [] }",
            "ask",
        ),
    ];
    for (step, verb) in waiting {
        let text = flow(&format!(
            "  - push: role('it')\n    title: x\n    on_error:\n      {step}\n"
        ));
        assert_eq!(
            wrong(&text),
            format!(
                "f.yaml:8:9  `{verb}` cannot stand in `on_error`: nothing there may wait  {what}"
            )
        );
        // Below an `if` it waits all the same; after `on_error` it may.
        let inner = step.replace('\n', "\n    ");
        let text = flow(&format!(
            "  - reply: mail\n    text: x\n    on_error:\n      - if: mail.auto_reply\n        \
             then:\n          {inner}\n"
        ));
        assert!(
            wrong(&text).starts_with(&format!("f.yaml:10:13  `{verb}` cannot stand")),
            "{}",
            wrong(&text)
        );
        let after = step.replace("\n      ", "\n  ");
        let text = flow(&format!(
            "  - push: role('it')\n    title: x\n    on_error: [stop]\n  {after}\n"
        ));
        assert_eq!(wrong(&text), "");
    }
}

#[test]
fn a_condition_that_reads_every_body_is_warned_about() {
    let said = |lets: &str, condition: &str| {
        wrong(&format!(
            "bellwether: 1\nflow: f\nwhen:\n  event: gmail.message.received\n  if: {condition}\n\
             let:\n  number: mail.subject\n{lets}steps: []\n"
        ))
    };
    let lets = "  amount: mail.text | money\n  large: amount > money('5 EUR')\n";
    let put = "put a test of what its header says to the left: `not mail.auto_reply and …`";
    assert_eq!(
        said("", "mail.text | find('PO')"),
        format!(
            "f.yaml:5:7  warning: this test reads every mail's body: mail.text is in it  {put}"
        )
    );
    assert_eq!(
        said(lets, "not large and number"),
        format!(
            "f.yaml:5:11  warning: this test reads every mail's body: `large` needs mail.text  {put}"
        )
    );
    for cheap in [
        "number and mail.text",
        "not mail.auto_reply and large",
        "mail.labels == ['x'] or mail.text",
        "mail.subject",
    ] {
        assert_eq!(said(lets, cheap), "", "{cheap}");
    }
}

#[test]
fn what_starts_a_flow_looks_nothing_up() {
    let text = "bellwether: 1\nflow: f\nwhen:\n  event: gmail.message.received\n  if: not quiet\n\
                let:\n  who: users_of(mail.subject)\n  quiet: who | count\n\
                case: mail.subject ~ (users_of('logo') | count)\nsteps: [{ push: who, title: x }]\n";
    let message = "looks something up in the record, which only steps can do  \
                   begin with a step, such as - if: users_of(asset.id)";
    assert_eq!(
        wrong(text),
        format!("f.yaml:5:7  `if` {message}\nf.yaml:9:7  `case` {message}")
    );
}
