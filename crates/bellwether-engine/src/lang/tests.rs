//! Tests of the language: what expressions come to, what is refused, and that MiniJinja agrees.

mod agreement;

use std::sync::Arc;

use bellwether_model::directory::{Directory, Person};
use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::json;

use super::*;
use crate::flow::def::Flow;

fn directory() -> Directory {
    let person = |id: &str, name: &str, roles: &[&str]| Person {
        id: id.to_owned(),
        name: name.to_owned(),
        emails: vec![format!("{id}@example.com")],
        zone: "Europe/Berlin".to_owned(),
        language: "en".to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..Person::default()
    };
    let mut people = [
        person("alice", "Alice", &["purchasing-lead"]),
        person("bob", "Bob", &["legal"]),
        person("carl", "Carl", &["legal", "cfo"]),
        person("gone", "Gone", &["legal"]),
    ];
    people[0].manager = Some("carl".to_owned());
    people[0].deputy = Some("bob".to_owned());
    people[3].inactive = true;
    Directory {
        version: 1,
        people: people.into_iter().map(|p| (p.id.clone(), p)).collect(),
        owner: None,
        ..Directory::default()
    }
}

fn flow(lets: &[(&str, &str)]) -> Arc<Flow> {
    Arc::new(Flow {
        gatherers: Vec::new(),
        name: "test".to_owned(),
        about: String::new(),
        hash: [0; 16],
        source: Arc::from(""),
        inputs: Vec::new(),
        when: Vec::new(),
        lets: lets
            .iter()
            .map(|(name, source)| ((*name).to_owned(), Expr::parse(source).unwrap()))
            .collect(),
        case: None,
        only_once: false,
        group: None,
        at_most: Default::default(),
        steps: crate::flow::def::Block::default(),
        tests: Vec::new(),
    })
}

fn scope_of(lets: &[(&str, &str)]) -> Scope {
    let data = json!({
        "mail": {
            "subject": "Purchase order PO-4711",
            "text": "Hello,\n> Amount: 1 EUR\nVendor: Huber GmbH\nAmount: 4.200,00 EUR\nBetrag (netto): 3.000,00 EUR\n",
            "from": { "name": "Ariba", "address": "alice@example.com" },
            "to": [{ "address": "bob@example.com" }, { "address": "x@elsewhere.com" }],
            "labels": ["Critical", "INBOX"],
            "auto_reply": false,
            "missing": null,
            "at": "2026-03-02T09:05:00Z",
            "attachments": [
                { "name": "a.pdf", "size": 10 }, { "name": "b.pdf", "size": 20 }
            ],
        },
        "number": 7,
    });
    let event = NewEvent::new("approvals", "e1", "gmail.message.received", Time(0), data);
    let rows = json!([
        { "kind": "Order", "words": "purchase order, bestellung", "approver": "role purchasing-lead" },
        { "kind": "Order", "words": "purchase order", "approver": "role cfo" },
        { "kind": "PO", "words": "PO", "approver": "bob" },
    ]);
    let mut rows: Vec<Value> = rows.as_array().unwrap().iter().map(value_of).collect();
    let limit = money_value(Money::parse("5000 EUR").unwrap());
    let cell = |key: &str| (key.to_owned(), rows[0].get_attr(key).unwrap());
    rows[0] = Value::from_pairs(
        [cell("kind"), cell("words"), cell("approver")]
            .into_iter()
            .chain([("up_to".to_owned(), limit)]),
    );
    let inputs = Value::from_pairs([("routes", Value::from(rows))]);
    let world = Arc::new(World {
        directory: Arc::new(directory()),
        now: Time::parse("2026-03-02T12:05:00Z").unwrap(),
        lookups: Arc::new(Lookups::of(vec![(
            crate::store::Query::UsersOf {
                asset: "logo".to_owned(),
            },
            crate::store::Answer::People(vec!["alice".to_owned(), "bob".to_owned()]),
        )])),
        ..World::default()
    });
    let data = value_of(&event.data);
    Scope::of_value(&flow(lets), &inputs, &event, data, Some("came"), world)
}

fn said(scope: &Scope, source: &str) -> String {
    match Expr::parse(source).and_then(|expr| scope.eval(&expr)) {
        Ok(value) if value.is_none() => "absent".to_owned(),
        Ok(value) => scope.display(&value),
        Err(error) => format!("error {}: {}", error.column, error.message),
    }
}

/// What is written, and what it comes to.
#[rustfmt::skip]
const VALUES: &[(&str, &str)] = &[
        ("1 + 2 * 3 - 4", "3"),
        ("7 % 4 ~ 'x'", "3x"),
        ("-number", "-7"),
        ("10 / 4", "2.5"),
        ("mail.subject | lower", "purchase order po-4711"),
        ("mail.subject | find('[A-Z]{2,4}-[0-9]+')", "PO-4711"),
        ("mail.subject | find('PO-(\\d+)')", "4711"),
        ("mail.subject | find('zzz')", "absent"),
        ("mail.subject | find('zzz') or 'none found'", "none found"),
        ("mail.text | labelled('Amount')", "4.200,00 EUR"),
        ("mail.text | labelled('Betrag')", "3.000,00 EUR"),
        ("mail.text | labelled('Supplier', 'Vendor')", "Huber GmbH"),
        ("mail.text | labelled('Nothing')", "absent"),
        ("mail.text | labelled('Nothing') | money", "absent"),
        ("amount", "€4,200.00"),
        ("amount > money('5000 EUR')", "no"),
        ("amount <= money('4200.00 EUR')", "yes"),
        ("amount == money('€4,200.00')", "yes"),
        ("amount + money('0.01 EUR')", "€4,200.01"),
    ("money('1 EUR') == money('1 USD')", "no"),
    ("money('1 EUR') != money('1.00 EUR')", "no"),
    ("person('alice') == person('alice@example.com')", "yes"),
    ("person('bob') in role('legal')", "yes"),
        ("not amount or amount > money('5000 EUR')", "no"),
        (
            "inputs.routes | first_row(words=mail.subject, up_to=amount) | default('x')",
            "kind: Order, words: purchase order, bestellung, approver: role purchasing-lead, up_to: €5,000.00",
        ),
        (
            "(inputs.routes | first_row(words=mail.subject, up_to=mail.missing)).approver",
            "role cfo",
        ),
        (
            "(inputs.routes | first_row(words=mail.subject, up_to=money('1 USD'))).approver",
            "role cfo",
        ),
        ("(inputs.routes | first_row(words='about PO 4')).kind", "PO"),
        (
            "inputs.routes | first_row(words='important report')",
            "absent",
        ),
        ("inputs.routes | where(words=mail.subject) | column('approver')", "role purchasing-lead, role cfo, bob"),
        ("inputs.routes | where(words='nothing') | count", "0"),
        ("inputs.routes | where(words='nothing') or 'none'", "none"),
        ("mail.missing | where(kind='x') | column('y')", "absent"),
        ("inputs.routes | column('up_to') | count", "1"),
        ("mail.to | known", "Bob"),
        ("mail.to[1] | known or 'nobody'", "nobody"),
        ("'gone, alice, x@y.com' | known | names", "Alice"),
        ("(mail.from | known | first).name", "Alice"),
        ("mail.missing | known", "absent"),
        ("users_of('logo') | names", "Alice and Bob"),
        ("users_of('logo') | without(mail.from)", "Bob"),
        ("users_of('logo') | without([mail.from, 'role legal']) or 'nobody'", "nobody"),
        ("users_of(mail.missing)", "absent"),
        ("mail.from.address | one_of('bob@example.com; ALICE@example.com')", "yes"),
        ("mail.from.address | one_of('@example.com')", "yes"),
        ("mail.from.address | one_of('@ample.com, lice@example.com, @example.com.evil.net')", "no"),
        ("'erp@example.com.evil.net' | one_of('erp@example.com, @example.com')", "no"),
        ("'erp@x.example.com' | one_of('@example.com')", "no"),
        ("mail.from.address | one_of(['x', 'alice@example.com'])", "yes"),
        ("mail.missing | one_of('x') or 'none'", "none"),
        ("mail.subject | one_of('')", "no"),
        ("'rights_managed' | replace('_', ' ')", "rights managed"),
        ("'Critical' in mail.labels", "yes"),
        ("'critical' not in mail.labels", "yes"),
        ("'order' in mail.subject", "yes"),
        ("mail.labels[0]", "Critical"),
        ("mail.labels[-1]", "INBOX"),
        ("mail.labels[9]", "absent"),
        ("mail['subject']", "Purchase order PO-4711"),
        ("mail.missing", "absent"),
        ("mail.missing is defined", "no"),
        ("mail.missing == none", "yes"),
        ("mail.missing.deeper.still", "absent"),
        ("mail.missing | default(3)", "3"),
        ("mail.missing == 'x'", "no"),
        ("mail.subject is matching('^Purchase')", "yes"),
        ("mail.subject is not matching('^Re:')", "yes"),
        ("mail.from", "Ariba <alice@example.com>"),
        ("mail.attachments", "2 files: a.pdf, b.pdf"),
        ("mail.attachments | count", "2"),
        ("mail.missing | count", "0"),
        ("mail.at | in_words", "2 March 2026, 09:05 UTC"),
        ("mail.at | in_zone('Europe/Vienna')", "2 March 2026, 10:05"),
        ("mail.at | ago", "3 hours ago"),
        ("mail.text | first_lines(1)", "Hello,"),
        ("role('legal')", "Bob, Carl"),
        ("role('legal') | names", "Bob and Carl"),
        ("person('alice').name", "Alice"),
        ("deputy_of(person('alice')) | names", "Bob"),
        ("manager_of('alice') | names", "Carl"),
        ("'role legal, alice' | names", "Bob, Carl and Alice"),
        ("'yes' if number > 3 else 'no'", "yes"),
        ("'yes' if number > 9", "absent"),
        ("trigger == 'came'", "yes"),
        ("case", "approvals/e1"),
        ("[1, 2] | join('-')", "1-2"),
        ("'a' + 'b'", "ab"),
];

#[test]
fn expressions_come_to_what_they_say() {
    let scope = scope_of(&[("amount", "mail.text | labelled('Total', 'Amount') | money")]);
    for (source, expected) in VALUES {
        assert_eq!(said(&scope, source), *expected, "{source}");
    }
}

/// What is written, and what it comes to.
#[rustfmt::skip]
const ERRORS: &[(&str, &str)] = &[
        (
            "amount > 5000",
            "error 8: an amount of money cannot be compared with a number; write the other side as money('5000 EUR')",
        ),
        (
            "amount > money('1 USD')",
            "error 8: EUR cannot be compared with USD",
        ),
        (
            "number == '7'",
            "error 8: a number cannot be compared with a text",
        ),
        (
            "mail.missing > 3",
            "error 14: the left side is absent here; test it first, or use default",
        ),
        (
            "'a' < 1",
            "error 5: a text cannot be compared with a number",
        ),
        ("mail < mail", "error 6: a group of fields has no order"),
        (
            "1 + 'a'",
            "error 3: a number and a text cannot be calculated",
        ),
        (
            "1 / 0",
            "error 3: this has no result: too large, or divided by zero",
        ),
        (
            "9223372036854775807 + 1",
            "error 21: this has no result: too large, or divided by zero",
        ),
        (
            "person('nobody')",
            "error 1: the directory does not know nobody",
        ),
        ("role('nothing')", "error 1: nobody holds the role nothing"),
        (
            "number | lower",
            "error 10: lower needs a text, but this is a number",
        ),
        ("mail.subject | where(a='b')", "error 16: where needs a table or a list, but this is a text"),
        ("users_of('other')", "error 1: who uses an asset can be asked in steps, not in `when` or `case`"),
        ("number | one_of('7')", "error 10: one_of needs a text, but this is a number"),
        ("'a' | replace('a', 1)", "error 7: replace needs two texts in quotes"),
        ("mail.subjct | lowr", "error 15: there is no filter lowr"),
        (
            "mail[number]",
            "error 6: an index must be a fixed number or text",
        ),
        ("mail.text.upper()", "error 16: a value cannot be called"),
        ("1 < 2 < 3", "error 3: comparisons cannot be chained"),
        ("a = 1", "error 3: `=` is not expected here"),
        ("a && b", "error 3: the sign & has no meaning here"),
        ("'open", "error 1: this quote is never closed"),
        ("a b", "error 3: `b` is not expected here"),
        ("a or", "error 5: something is missing at the end"),
        ("(a", "error 3: `)` is missing here"),
        (
            "a | find(b)",
            "error 10: the pattern must be a fixed text in quotes",
        ),
        (
            "a | find('(')",
            "error 10: this pattern cannot be used: unclosed group",
        ),
        (
            "money('1.234 EUR')",
            "error 7: '1.234 EUR' is not a clear amount",
        ),
        ("", "error 1: an expression is missing here"),
        ("range(3)", "error 1: there is no function range"),
        (
            "a | in_zone('Europe/Wien')",
            "error 13: there is no time zone Europe/Wien",
        ),
];

#[test]
fn mistakes_are_errors_with_their_column() {
    let scope = scope_of(&[("amount", "mail.text | labelled('Amount') | money")]);
    for (source, expected) in ERRORS {
        assert_eq!(said(&scope, source), *expected, "{source}");
    }
}

#[test]
fn amounts_and_dates_print_themselves_for_the_reader() {
    let scope = scope_of(&[
        ("amount", "mail.text | labelled('Amount') | money"),
        ("when", "mail.at | in_words"),
        ("sentence", "'um ' ~ when"),
    ]);
    let text = Text::parse("{{ amount }} · {{ sentence }} · {{ mail.at | ago }}").unwrap();
    assert_eq!(
        scope.text(&text).unwrap(),
        "€4,200.00 · um 2 March 2026, 09:05 UTC · 3 hours ago"
    );
    // What depends on its reader is never kept for the next one; marking is the reader's work.
    let lets = [
        ("amount", "mail.text | labelled('Amount') | money"),
        ("when", "mail.at | in_words"),
    ];
    let scope = scope_of(&lets);
    let text = Text::parse("{{ amount }} · {{ when }}").unwrap();
    let dora = scope.for_reader("de-AT", "Europe/Vienna");
    assert_eq!(
        dora.text(&text).unwrap(),
        "4.200,00 € · 2. März 2026, 10:05 Uhr"
    );
    let alice = scope.for_reader("en", "America/New_York");
    assert_eq!(
        alice.text(&text).unwrap(),
        "€4,200.00 · 2 March 2026, 04:05"
    );
}

#[test]
fn texts_are_bounded_and_hold_nothing_invisible() {
    let scope = scope_of(&[]).with("evil", Value::from("a\u{202e}b\u{200b}c\u{7}d"));
    let text = Text::parse("<{{ evil }}>").unwrap();
    assert_eq!(scope.text(&text).unwrap(), "<abcd>");
    let big = scope.with("big", Value::from("x".repeat(40_000)));
    let text = Text::parse("{{ big }}{{ big }}").unwrap();
    assert!(big.text(&text).unwrap_err().message.contains("65536"));
    let joined = Expr::parse("big ~ big").unwrap();
    assert!(big.eval(&joined).is_err());
    for wrong in [
        "{% if x %}",
        "{# no #}",
        "{{ x",
        "x }}",
        "{{- x }}",
        "{{ }}",
    ] {
        assert!(Text::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        scope.text(&Text::parse("{{ '}}' }} {a}").unwrap()).unwrap(),
        "}} {a}"
    );
}

#[test]
fn who_is_words_addresses_and_people() {
    let scope = scope_of(&[]);
    let who = |source: &str| scope.who(&Expr::parse(source).unwrap());
    let ids = |source: &str| who(source).unwrap().join(" ");
    assert_eq!(ids("'role legal'"), "bob carl");
    assert_eq!(
        ids("[role('legal'), person('bob'), 'alice']"),
        "bob carl alice"
    );
    assert_eq!(ids("'manager of sender'"), "carl");
    assert_eq!(ids("'deputy of alice'"), "bob");
    assert_eq!(ids("mail.from"), "alice");
    assert_eq!(ids("'Alice'"), "alice");
    assert_eq!(ids("'Carl <carl@example.com>'"), "carl");
    assert_eq!(ids("mail.missing"), "");
    assert_eq!(who("mail.to").unwrap_err().unknown, ["x@elsewhere.com"]);
    let forged = json!({ "name": "alice", "address": "role legal" });
    let forged = scope.with("forged", value_of(&forged));
    let forged = forged.who(&Expr::parse("forged").unwrap());
    assert_eq!(forged.unwrap_err().unknown, ["role legal"]);
    assert_eq!(
        who("['alice', 'role x', 'gone']").unwrap_err().unknown,
        ["role x", "gone"]
    );
    let both = scope.people_or_addresses(&Expr::parse("[mail.to, mail.missing]").unwrap());
    assert_eq!(
        both.unwrap(),
        [
            PersonOrAddress::Person("bob".to_owned()),
            PersonOrAddress::Address("x@elsewhere.com".to_owned())
        ]
    );
}

#[test]
fn a_user_of_another_system_is_who_his_connection_says() {
    let uuid = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";
    let mut outside = bellwether_model::directory::Outside::default();
    outside.add("approvals", "u-1", "alice");
    outside.add("assets", "u-2", "bob");
    outside.add("assets", uuid, "carl");
    outside.add("approvals", "u-9", "gone");
    let mut world = (*scope_of(&[]).world().as_ref()).clone();
    let mut people = (*world.directory).clone();
    people.outside = Arc::new(outside);
    world.directory = Arc::new(people);
    let named = json!({"a": {"id": "u-1", "name": "role legal"}, "b": {"id": "u-2"},
        "c": {"uuid": uuid}, "d": {"id": "u-9"}, "e": {"id": "role legal"}});
    let event = NewEvent::new("approvals", "e1", "x", Time(0), named);
    let data = value_of(&event.data);
    let inputs = Value::from_pairs([("x", Value::from(()))]);
    let scope = Scope::of_value(&flow(&[]), &inputs, &event, data, None, Arc::new(world));
    let who = |source: &str| scope.who(&Expr::parse(source).unwrap());
    assert_eq!(who("[a, c, 'u-1']").unwrap(), ["alice", "carl"]);
    // Another connection's short id is somebody else's; who left is told nothing; no id is a role.
    for nobody in ["b", "d", "e"] {
        assert_eq!(who(nobody).unwrap_err().unknown.len(), 1, "{nobody}");
    }
}

#[test]
fn it_is_the_one_noun_or_all_of_them() {
    let field = |data, path: &str| {
        let scope = scope_of(&[]).with("it", it_value(&data));
        said(&scope, path)
    };
    assert_eq!(field(json!({ "mail": { "id": "m" } }), "it.id"), "m");
    let both = json!({ "mail": { "id": "m" }, "push": { "id": "p" } });
    assert_eq!(field(both, "it.push.id"), "p");
}

#[test]
fn a_circle_of_names_is_an_error_and_not_the_end() {
    let scope = scope_of(&[("a", "b"), ("b", "a")]);
    let error = scope.eval(&Expr::parse("a").unwrap()).unwrap_err();
    assert!(error.message.contains("refers to itself"), "{error}");
}

/// The worst that the limits allow: on a thread with two megabytes, in a debug build.
#[test]
fn the_deepest_expression_does_not_overflow_the_stack() {
    let work = || {
        let scope = scope_of(&[]);
        let nested = format!("{}1{}", "(".repeat(22), ")".repeat(22));
        let deep = [
            format!("{}{nested}", "1 + ".repeat(199)),
            format!("mail{}", ".a".repeat(200)),
            format!("'x'{}", " | lower".repeat(200)),
            format!("{}true", "not ".repeat(200)),
            format!("{}1", "-".repeat(20)),
            format!("{}1", "1 ~ ".repeat(200)),
            format!("{}1{}", "[".repeat(22), "]".repeat(22)),
            format!("1{}", " if 1 else 1".repeat(20)),
        ];
        for source in &deep {
            let expr = Expr::parse(source).unwrap();
            scope.eval(&expr).unwrap();
            drop(expr);
        }
        for source in [
            format!("{}1", "1 + ".repeat(201)),
            format!("{}1", "-".repeat(100)),
            "(".repeat(4000),
            format!("1{}", " if 1 else 1".repeat(150)),
            "x".repeat(5000),
        ] {
            assert!(Expr::parse(&source).is_err());
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work);
    thread.unwrap().join().unwrap();
}
