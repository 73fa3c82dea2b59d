//! Mistakes of form, one at a time, and what is said about each.

use crate::yaml::{parse, parse_shown};

/// What follows `steps:`, and what is said about it.
#[rustfmt::skip]
const MISTAKES: [(&str, &str); 31] = [
    ("\t- stop: x", "5:1  a tab is used to indent  indent with two spaces"),
    ("  - stop:\tx", "5:10  a tab stands here  write blanks instead of the tab"),
    ("  - push: a\n   title: x", "6:4  this line is not indented like those that it belongs to  begin it in column 5 beside `push`"),
    ("  - push: a\n      title: x", "6:7  this line is not indented like those that it belongs to  begin it in column 5 beside `push`"),
    ("  - stop: x\n - stop: y", "6:2  this line is not indented like those that it belongs to  begin it in column 3 beside `-`"),
    ("  - stop: x\n  tests: {}", "6:3  this line is not indented like those that it belongs to  begin it in column 5 beside `stop` or in column 1 beside `steps`"),
    ("  - push: a\n    text: |\n   hi there", "7:4  this text must stand further in than its key  begin it in column 7"),
    ("  - push: a\n    title: {{ x }} wanted", "6:12  a value that begins with {{ needs quotes  write: title: \"{{ x }} wanted\""),
    ("  - push: a\n    title: Order: PO-4711", "6:12  a text that contains `: ` needs quotes  write: title: \"Order: PO-4711\""),
    ("  - push: a\n    title: Say \"yes\": now", "6:12  a text that contains `: ` needs quotes  write: title: \"Say \\\"yes\\\": now\""),
    ("  - { push: a, title: Order: late }", "5:23  a text that contains `: ` needs quotes  write: title: \"Order: late\""),
    ("  - if: body.kind == 'a: b'", "5:9  a text that contains `: ` needs quotes  write: if: \"body.kind == 'a: b'\""),
    ("  - push: a\n    title: \"Order\n    text: hi", "6:12  this quote is never closed  write: title: \"Order\""),
    ("  - push: a\n    title: 'Order\n    text: hi", "6:12  this quote is never closed  write: title: 'Order'"),
    ("  - push: a\n    title: \"Order\" late", "6:18  the quote ends here, but the line goes on  write: title: '\"Order\" late'"),
    ("  - if: 'x' in labels and kind == 'y'", "5:11  the quote ends here, but the line goes on  write: if: \"'x' in labels and kind == 'y'\""),
    ("  - push: a\n    title: 'it's late'", "6:15  the quote ends here, but the line goes on  inside '…' write '' for an apostrophe"),
    ("  - push: a\n    title: \"say \"hi\"\"", "6:17  the quote ends here, but the line goes on  inside \"…\" write \\\" for a quote"),
    ("  - push: a\n    title: \"a\"#x", "6:14  a comment begins right behind the quote  leave a blank before the #"),
    ("  - push: a\n    title: \"C:\\Users\"", "6:15  a \\ inside \"…\" begins a special sign"),
    ("  - push: a\n    title: %d orders", "6:12  a value that begins with % needs quotes  write: title: \"%d orders\""),
    ("  - push: a\n    title: @alice", "6:12  a value that begins with @ needs quotes"),
    ("  - push: a\n    title: *now* read", "6:12  a value that begins with * needs quotes  write: title: \"*now* read\""),
    ("  - push: a\n    title: - x", "6:12  a list cannot begin behind its key"),
    ("  - push: a\n    text: | x", "6:11  no text may stand behind |  write it on the next line"),
    ("  - push: a\n    title x\n    text: y", "6:5  a colon is missing behind the key  write: title: x"),
    ("  - push: a\n    title:x\n    text: y", "6:5  a blank is missing behind the colon  write: title: x"),
    ("  - { push: a, title: x\n  - stop: y", "5:5  this { is never closed  add } where it ends"),
    ("  - push: [a, b\n    title: x", "5:11  this [ is never closed  add ] where it ends"),
    ("  - { stop: y }}", "5:16  this } closes nothing"),
    ("  - push: a\n    text: [a, b", "6:11  this [ is never closed"),
];

#[test]
fn what_is_no_yaml_is_said_in_plain_words_with_what_to_write() {
    let mut failures = Vec::new();
    for (steps, expected) in MISTAKES {
        let text = format!("bellwether: 1\nflow: f\nwhen: {{ event: x.y }}\nsteps:\n{steps}\n");
        let problems = parse_shown(&text).1;
        let said: Vec<String> = problems.iter().map(|one| one.in_file("f")).collect();
        let first = said.first().map_or("", String::as_str);
        if !first.starts_with(&format!("f:{expected}")) || problems[0].hint.is_empty() {
            failures.push(format!("{steps}\n  wanted {expected}\n  got    {said:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn what_may_hold_secrets_is_never_repeated() {
    let lines = [
        "password: \"hunter2",
        "password: 'hun'ter2'",
        "password: \"hun\" ter2",
        "password: hun: ter2",
        "password: %hunter2",
        "password: @hunter2: x",
        "password: {{ hunter2 }}",
        "password: - hunter2",
        "password: | hunter2",
        "password: \"hunter2\\q\"",
        "{ password: hun: ter2 }",
        "{ password: hun(ter2, x) }",
        "{ password: hunter2[0] }",
        "password:hunter2\nb: c",
        "password hunter2\nb: c",
        "a: 1\n password: hunter2",
        "password: [hunter2",
    ];
    for line in lines {
        let problems = parse(&format!("{line}\n")).1;
        assert!(!problems.is_empty(), "{line}");
        for problem in problems {
            let said = problem.in_file("f");
            assert!(!said.contains("ter2"), "{line}\n{said}");
        }
    }
}
