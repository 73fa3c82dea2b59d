//! A corpus of broken flows: one mistake each, and the message that it gets.

use super::fixture::wrong;

/// The recipe's shape in short; each mistake changes one line of it.
const SOUND: &str = r#"bellwether: 1
flow: approval
about: Decides.
inputs:
  mailbox: { type: connection, of: gmail }
  owner: { type: who }
when:
  event: gmail.message.received
  in: inputs.mailbox
  if: not mail.auto_reply
let:
  amount: mail.text | labelled('Amount') | money
case: mail.thread_id
steps:
  - ask: inputs.owner
    title: "{{ amount }} wanted"
    text: |
      From {{ mail.from.name }}.
        Really?
    choices: { approve: {}, reject: { comment: required } }
    if_silent: { 4 working hours: remind, 2 working days: expire }
    then:
      approve: [{ reply: mail, text: Approved. }]
      reject: []
      expire: [{ reply: mail, text: Nobody decided. }]
"#;

#[test]
fn the_sound_flow_is_sound() {
    assert_eq!(wrong(SOUND), "");
}

/// What is replaced, by what, and the beginning of the one message.
#[rustfmt::skip]
const MISTAKES: [(&str, &str, &str); 88] = [
    ("bellwether: 1\n", "", "f.yaml:1:1  the language version is missing  begin the file with `bellwether: 1`"),
    ("bellwether: 1", "bellwether: 2", "f.yaml:1:13  this server knows version 1 of the language only"),
    ("bellwether: 1\nflow: approval", "flow: approval\nbellwether: 1", "f.yaml:1:1  the language version must come first"),
    ("flow: approval", "flow: Approval Mail", "f.yaml:2:7  `Approval Mail` cannot be a flow's name"),
    ("flow: approval\n", "", "f.yaml:1:1  the flow's name is missing  add `flow: f` below"),
    ("about: Decides.", "abuot: Decides.", "f.yaml:3:1  a flow has no key `abuot`  did you mean `about`?"),
    ("case: mail.thread_id\n", "repeat: once\n", "f.yaml:13:9  warning: this changes nothing: without a case each event is its own matter  add `case:`"),
    ("when:", "on:", "f.yaml:7:1  a flow has no key `on`  did you mean `when`?"),
    ("gmail.message.received", "gmail.message.recieved", "f.yaml:8:10  there is no event `gmail.message.recieved`  did you mean `gmail.message.received`?"),
    ("gmail.message.received", "gmail.chat", "f.yaml:8:10  there is no event `gmail.chat`  gmail brings: gmail.message.received"),
    ("  in: inputs.mailbox", "  in: inputs.mailbx", "f.yaml:9:14  inputs has no field mailbx  did you mean inputs.mailbox?"),
    ("  in: inputs.mailbox", "  inn: inputs.mailbox", "f.yaml:9:3  a trigger has no key `inn`  did you mean `in`?"),
    ("  if: not mail.auto_reply", "  if: not mail.auto_replay", "f.yaml:10:16  mail has no field auto_replay  did you mean mail.auto_reply?"),
    ("  if: not mail.auto_reply", "  if: \"{{ not mail.auto_reply }}\"", "f.yaml:10:7  `if` is an expression and stands without {{ }}  write: if: not mail.auto_reply"),
    ("  if: not mail.auto_reply", "  if: not mail.auto_reply and", "f.yaml:10:30  something is missing at the end"),
    ("  if: not mail.auto_reply", "  if: mail.auto_reply = false", "f.yaml:10:23  `=` is not expected here  write == to compare"),
    ("of: gmail", "of: gmial", "f.yaml:5:36  there is no connector `gmial`  did you mean `gmail`?"),
    ("type: who", "type: whom", "f.yaml:6:18  there is no input type `whom`  did you mean `who`?"),
    ("  owner: { type: who }", "  owner: { typ: who }", "f.yaml:6:12  an input has no key `typ`  did you mean `type`?"),
    ("  owner: { type: who }", "  owner: { type: who }\n  days: { type: number, default: many }", "f.yaml:7:34  this default does not fit: this is not a number"),
    ("  owner: { type: who }", "  owner: { type: who }\n  no: { type: text }", "f.yaml:7:3  `no` cannot be a name"),
    ("reject: []", "reject: [{ emit: push.acted }]", "f.yaml:24:24  `push.acted` is not for flows to say  choose a name of your own: order.checked"),
    ("reject: []", "reject: [{ emit: gmail.made.up }]", "f.yaml:24:24  `gmail.made.up` is not for flows to say  choose a name of your own: order.checked"),
    ("labelled('Amount')", "labeled('Amount')", "f.yaml:12:23  there is no filter labeled  did you mean labelled?"),
    ("labelled('Amount')", "labelled()", "f.yaml:12:31  labelled takes 1 to 12 in brackets"),
    ("labelled('Amount')", "labelled('Amount)", "f.yaml:12:32  this quote is never closed"),
    ("labelled('Amount')", "find('[')", "f.yaml:12:28  this pattern cannot be used: unclosed character class"),
    ("  amount: mail", "  amount: amount or mail", "f.yaml:12:3  `amount` is worked out from itself"),
    ("  amount: mail", "  inputs: 1\n  amount: mail", "f.yaml:12:3  `inputs` means something already"),
    ("case: mail.thread_id", "case: mail.thread_id[amount]", "f.yaml:13:22  an index must be a fixed number or text"),
    ("case: mail.thread_id\n", "case: mail.thread_id\ngroup: approvals\n", "f.yaml:14:8  `group` is the name of a group and this flow's place in it  write group: "),
    ("case: mail.thread_id\n", "case: mail.thread_id\nprivacy: secret\n", "f.yaml:14:10  `privacy` cannot be `secret`  one of: full, brief, hidden"),
    ("case: mail.thread_id\n", "", "f.yaml:13:1  "),
    ("  - ask: inputs.owner", "  - ask: alice", "f.yaml:15:10  \"alice\" is not a variable here.  Did you mean person('alice')?  Known: inputs, mail, trigger, amount, case"),
    ("  - ask: inputs.owner", "  - ask: owner", "f.yaml:15:10  \"owner\" is not a variable here.  Did you mean inputs.owner?"),
    ("  - ask: inputs.owner", "  - ask: role legal", "f.yaml:15:15  these words belong into a table; here it is a function  write role('legal')"),
    ("  - ask: inputs.owner", "  - ask: roel('legal')", "f.yaml:15:10  there is no function roel  did you mean role?"),
    ("  - ask: inputs.owner", "  - aks: inputs.owner", "f.yaml:15:5  there is no verb `aks`  did you mean `ask`?"),
    ("  - ask: inputs.owner", "  - http: inputs.owner\n  - ask: inputs.owner", "f.yaml:15:11  `http` goes to a connection, which `inputs.owner` is not  one of: inputs.mailbox"),
    ("  - ask: inputs.owner", "  - http: https://example.com/\n  - ask: inputs.owner", "f.yaml:15:11  `http` goes to a connection, which `https://example.com/` is not  one of: inputs.mailbox"),
    ("  - ask: inputs.owner", "  - http: inputs.mailbox\n  - ask: inputs.owner", "f.yaml:15:11  `inputs.mailbox` is a connection of `gmail`, which takes no requests  connectors that do: "),
    ("  - ask: inputs.owner", "  - push: inputs.owner\n    ask: inputs.owner", "f.yaml:16:5  this step has two verbs, `push` and `ask`"),
    ("      reject: []", "      over: []\n      reject: []", "f.yaml:24:7  there is no ending `over`  add `over_if:` with what settles the matter"),
    ("  - ask: inputs.owner", "  - ask: inputs.owner\n    over_if: mail.subjct", "f.yaml:16:19  mail has no field subjct  did you mean mail.subject?"),
    ("  - ask: inputs.owner", "  - ask: inputs.owner\n    told_once: often", "f.yaml:16:16  `told_once` is true or false  write told_once: true"),
    ("reject: []", "reject: [{ push: inputs.owner, title: x, valid_untill: mail.at }]", "f.yaml:24:48  `push` has no key `valid_untill`  did you mean `valid_until`?"),
    ("  - ask: inputs.owner", "  - ask: inputs.owner\n    need: two", "f.yaml:16:11  `need` is a number from 1 to 20, or all  four eyes: need: 2"),
    ("  - ask: inputs.owner", "  - ask: inputs.owner\n    urgent: very", "f.yaml:16:13  `urgent` is true or false  write urgent: true"),
    ("  - ask: inputs.owner", "  - push: inputs.owner\n    title: x\n    withdraw_on: gmail.message.recieved\n  - ask: inputs.owner", "f.yaml:17:18  there is no event `gmail.message.recieved`"),
    ("  - ask: inputs.owner", "  - each: mail.to\n    do: [stop]\n  - ask: inputs.owner", "f.yaml:15:5  `as` is missing here  name one of them: as: person"),
    ("  - ask: inputs.owner", "  - each: mail.to\n    as: person\n  - ask: inputs.owner", "f.yaml:15:5  `do` is missing here  write what happens for each"),
    ("  - ask: inputs.owner", "  - each: mail.subject\n    as: person\n    do: [stop]\n  - ask: inputs.owner", "f.yaml:15:11  `each` goes through a list, but this is one thing"),
    ("  - ask: inputs.owner", "  - each: mail.to\n    as: mail\n    do: [stop]\n  - ask: inputs.owner", "f.yaml:16:9  `mail` cannot be a name here"),
    ("  - ask: inputs.owner", "  - each: mail.to\n    as: one\n    do: [{ push: one, title: \"{{ one.adress }}\" }]\n  - ask: inputs.owner", "f.yaml:17:38  one has no field adress"),
    ("  - ask: inputs.owner", "  - each: mail.to\n    as: one\n    do: [stop]\n  - push: one\n    title: x\n  - ask: inputs.owner", "f.yaml:18:11  \"one\" is not a variable here."),
    ("  - ask: inputs.owner", "  - together: [stop]\n  - ask: inputs.owner", "f.yaml:15:15  `together` is a group of named branches, but this is a list"),
    ("  - ask: inputs.owner", "  - meanwhile: gmail.message.received\n  - ask: inputs.owner", "f.yaml:15:5  `do` is missing here  write what happens each time"),
    ("  - ask: inputs.owner", "  - meanwhile: gmail.message.received\n    if: it.subjet\n    do: []\n  - ask: inputs.owner", "f.yaml:16:12  it has no field subjet  did you mean it.subject?"),
    ("  - ask: inputs.owner", "  - meanwhile: gmail.message.received\n    do: [{ pause: 1 hour }]\n  - ask: inputs.owner", "f.yaml:16:12  `pause` cannot stand in `meanwhile`: nothing there may wait"),
    ("  - ask: inputs.owner", "  - together:\n      legal: [{ meanwhile: gmail.message.received, do: [stop] }]\n      b: []\n  - ask: inputs.owner",
     "f.yaml:16:1  `meanwhile` cannot stand in a branch  write it before `each` or `together`"),
    ("  - ask: inputs.owner", "  - together: { legal: [stop] }\n  - ask: inputs.owner", "f.yaml:15:15  `together` has two to 20 branches"),
    ("  - ask: inputs.owner", "  - together: { mail: [stop], legal: [] }\n  - ask: inputs.owner", "f.yaml:15:17  `mail` cannot be a branch's name here"),
    ("  - ask: inputs.owner", "  - together: { legal: [stop], brand: [] }\n  - if: legal.chioce == 'x'\n    then: []\n  - ask: inputs.owner", "f.yaml:16:15  legal has no field chioce"),
    ("  - ask: inputs.owner", "  - ask: inputs.owner\n    id: Not An Id", "f.yaml:16:9  `Not An Id` cannot be an id"),
    ("    title: \"{{ amount }} wanted\"", "    titel: wanted", "f.yaml:16:5  `ask` has no key `titel`  did you mean `title`?"),
    ("\"{{ amount }} wanted\"", "\"\\u20ac {{ amont }} wanted\"", "f.yaml:16:23  \"amont\" is not a variable here.  Did you mean amount?"),
    ("\"{{ amount }} wanted\"", "'it''s {{ amont }}'", "f.yaml:16:22  \"amont\" is not a variable here.  Did you mean amount?"),
    ("\"{{ amount }} wanted\"", "Wanted by {{ mail.form }}", "f.yaml:16:30  mail has no field form  did you mean mail.from?"),
    ("\"{{ amount }} wanted\"", "{{ amount }}", "f.yaml:16:12  a value that begins with {{ needs quotes  write: title: \"{{ amount }}\""),
    ("\"{{ amount }} wanted\"", "{{ amount }} wanted", "f.yaml:16:12  a value that begins with {{ needs quotes  write: title: \"{{ amount }} wanted\""),
    ("\"{{ amount }} wanted\"", "\"{{ amount wanted\"", "f.yaml:16:13  {{ is never closed  add }} after the value"),
    ("\"{{ amount }} wanted\"", "\"{% if amount %}\"", "f.yaml:16:13  {% has no meaning in a text"),
    ("mail.from.name", "mail.from.nam", "f.yaml:18:25  mail.from has no field nam  did you mean mail.from.name?"),
    ("        Really?", "        {{ reely }}", "f.yaml:19:12  \"reely\" is not a variable here."),
    ("    text: |", "    text: >", "f.yaml:18:7  `text` cannot be written with >, which loses where its lines are  use | or quotes"),
    ("approve: {}, reject", "yes: {}, reject", "f.yaml:20:16  `yes` cannot be a choice: some YAML tools read it as true"),
    ("comment: required", "comment: requird", "f.yaml:20:48  `comment` cannot be `requird`  did you mean `required`?"),
    ("4 working hours: remind", "4 hurs: remind", "f.yaml:21:18  `hurs` is not a unit of time"),
    ("4 working hours: remind", "3 working days: remind", "f.yaml:21:42  `2 working days` does not come after the rung before it"),
    ("4 working hours: remind", "4 working hours: remnd", "f.yaml:21:35  `remnd` cannot happen here  did you mean `remind`?"),
    (", 2 working days: expire", "", "f.yaml:21:16  this ladder has no end  add a last rung such as `5 working days: expire`"),
    ("      reject: []\n", "", "f.yaml:23:7  the ending `reject` is missing in `then`  add `reject: []` if nothing follows"),
    ("      reject: []", "      rejectd: []", "f.yaml:23:7  the ending `reject` is missing in `then`"),
    ("      reject: []", "      reject: [{ reply: mail, text: \"{{ decision.coment }}\" }]", "f.yaml:24:50  decision has no field coment  did you mean decision.comment?"),
    ("      reject: []", "      reject: []\n      reject: []", "f.yaml:25:7  `reject` stands here twice, first in line 24  remove one of them"),
    ("      reject: []", "      reject: *nothing", "f.yaml:24:15  "),
    ("      reject: []", "      reject: !now []", "f.yaml:24:1"),
    ("      reject: []", "\treject: []", "f.yaml:24:1  a tab is used to indent  indent with two spaces"),
];

#[test]
fn each_mistake_gets_its_own_message_at_its_place() {
    let mut failures = Vec::new();
    for (from, to, expected) in MISTAKES {
        assert!(SOUND.contains(from), "{from}");
        let text = SOUND.replacen(from, to, 1);
        let said = wrong(&text);
        let first = said.lines().next().unwrap_or_default();
        // Without `case` the flow is sound: each event is its own matter.
        let sound = from.starts_with("case") && to.is_empty();
        if !sound && !first.starts_with(expected) || sound && !said.is_empty() {
            failures.push(format!("{to}\n  wanted {expected}\n  got    {said}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn ten_mistakes_get_ten_messages() {
    let text = r#"bellwether: 1
flow: approval
inputs:
  owner: { type: whoo }
when: { event: gmail.message.recieved, if: not mail.auto_reply }
let:
  amount: mail.text | labeled('Amount') | money
steps:
  - ask: alice
    title: "{{ amont }} wanted"
    choices: { approve: {}, no: {} }
    if_silent: { 4 working hours: remind }
    then:
      approve: [{ push: role('legal'), titel: Approved }]
      expire: []
  - wait: gmail.message.read
    if: it.subjet == 'x'
    up_to: soon
tests: {}
"#;
    insta::assert_snapshot!(wrong(text), @r#"
    f.yaml:4:18  there is no input type `whoo`  did you mean `who`?
    f.yaml:5:16  there is no event `gmail.message.recieved`  did you mean `gmail.message.received`?
    f.yaml:7:23  there is no filter labeled  did you mean labelled?
    f.yaml:9:10  "alice" is not a variable here.  Did you mean person('alice')?  Known: inputs, mail, trigger, amount, case
    f.yaml:10:16  "amont" is not a variable here.  Did you mean amount?  Known: inputs, mail, trigger, amount, case
    f.yaml:11:29  `no` cannot be a choice: some YAML tools read it as true  say what it means: approve, reject
    f.yaml:12:16  this ladder has no end  add a last rung such as `5 working days: expire`
    f.yaml:14:40  `push` has no key `titel`  did you mean `title`?
    f.yaml:17:12  it has no field subjet  did you mean it.subject?
    f.yaml:18:12  `soon` is not a length of time; write it as `30 minutes`, `4 working hours` or `2 working days`
    "#);
}

#[test]
fn braces_that_cut_an_expression_are_explained() {
    let when = |inner: &str| {
        wrong(&format!(
            "bellwether: 1\nflow: a\nwhen: {{ event: webhook.received, if: {inner} }}\nsteps: []\n"
        ))
    };
    insta::assert_snapshot!(when("body.kind in ('a', 'b')"), @r#"f.yaml:3:38  inside { } the comma cuts this expression  give it its own line: if: body.kind in ('a', 'b')"#);
    insta::assert_snapshot!(when("body.rows[0].kind == 'a'"), @r#"f.yaml:3:38  inside { } the bracket [ cuts this expression  give it its own line: if: body.rows[0].kind == 'a'"#);
    insta::assert_snapshot!(when("{{ body.kind }}"), @r#"f.yaml:3:38  a value that begins with {{ needs quotes  write: when: { event: webhook.received, if: "{{ body.kind }}" }"#);
    insta::assert_snapshot!(when("body.kind in [a, b]"), @r#"f.yaml:3:38  inside { } the bracket [ cuts this expression  give it its own line: if: body.kind in [a, b]"#);
    insta::assert_snapshot!(when("body.kind | default(a, b)"), @r#"f.yaml:3:38  inside { } the comma ends this expression  give it its own line: if: body.kind | default(a, b)"#);
}

#[test]
fn doubtful_words_are_warned_about() {
    let text = "bellwether: 1\nflow: a\ninputs:\n  land: { type: text, default: NO }\n  at: { type: time, default: 08:30 }\nwhen: { event: webhook.received }\nsteps: []\n";
    insta::assert_snapshot!(wrong(text), @r#"
    f.yaml:4:32  warning: some YAML tools read `NO` as true or false  write "NO" in quotes
    f.yaml:5:30  warning: some YAML tools read `08:30` as a number  write "08:30" in quotes
    "#);
}
