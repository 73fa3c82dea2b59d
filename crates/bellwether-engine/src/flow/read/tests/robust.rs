//! The reader must survive anything: no panic, no hang, whatever is written.

use std::time::Duration;

use proptest::prelude::*;

use super::RECIPE;
use super::fixture::CATALOG;
use crate::flow::read_checked;
use crate::lang::{Expr, Text};

/// Far more than any text needs, far less than a hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long this thread has had a processor, so that what else the machine does counts for nothing.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn survives(text: &str) {
    let start = worked();
    let (_, problems) = read_checked(text, "f.yaml", &CATALOG);
    assert!(problems.len() <= crate::yaml::PROBLEMS_MAX);
    let lines = text.lines().count().max(1);
    for problem in problems {
        assert!(problem.line >= 1 && problem.column >= 1);
        assert!(problem.line <= lines + 1, "{problem:?}");
    }
    let took = worked() - start;
    assert!(took < PATIENCE, "{took:?}");
}

/// What is likely to lead somewhere.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "steps:",
        "  - ",
        "ask: ",
        "then: ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "\n",
        "    ",
        "{{ ",
        " }}",
        "mail.subject",
        " | ",
        "money",
        "'",
        "\"",
        "|\n",
        ">\n",
        "#",
        "&a ",
        "*a",
        "!t ",
        "<<: ",
        "---\n",
        "if: ",
        "not ",
        "and ",
        "é",
        "\u{202e}",
        "\\u00",
        "\t",
        "1 working day",
        "expire",
        "?",
        "- - -",
    ];
    prop_oneof![
        4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
        1 => any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_reader_panic_or_hang(pieces in prop::collection::vec(piece(), 0..80)) {
        survives(&pieces.concat());
    }

    #[test]
    fn no_change_to_a_recipe_makes_the_reader_panic(
        at in 0..RECIPE.chars().count(),
        cut in 0_usize..40,
        pieces in prop::collection::vec(piece(), 0..4),
    ) {
        let before: String = RECIPE.chars().take(at).collect();
        let after: String = RECIPE.chars().skip(at + cut).collect();
        survives(&format!("{before}{}{after}", pieces.concat()));
    }

    #[test]
    fn no_expression_makes_the_parser_panic(text in "[ -~€é]{0,60}") {
        if let Err(error) = Expr::parse(&text) {
            prop_assert!(!error.message.is_empty());
        }
        if let Err(error) = Text::parse(&text) {
            prop_assert!(error.line >= 1);
        }
    }
}

#[test]
fn large_and_deep_files_are_refused_in_time() {
    survives(&"a".repeat(300 * 1024));
    survives(&"[".repeat(100_000));
    survives(&"- ".repeat(100_000));
    survives(&"{a: ".repeat(50_000));
    survives(&"a: b\n".repeat(50_000));
    survives(&format!(
        "bellwether: 1\nsteps:\n{}",
        "  - stop: x\n".repeat(15_000)
    ));
    let lets: String = (0..5000).map(|n| format!("  a{n}: a{}\n", n + 1)).collect();
    survives(&format!("bellwether: 1\nlet:\n{lets}"));
}
