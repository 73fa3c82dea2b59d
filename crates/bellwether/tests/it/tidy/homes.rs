//! Provider names stay home: a connector is named in its own folder, in the two registries, in the
//! stand-ins and where people read, and nowhere else. This is what keeps "add a connector" at two
//! edited files.

use bellwether_connectors::all;

use super::tree::{Source, sources};
use super::{Exception, Offence, judge};

/// Words of the providers, as identifiers or prose begin with them.
const WORDS: [&str; 11] = [
    "appworks", "fcm", "firebase", "gmail", "google", "mra", "opentext", "otag", "otds", "pubsub",
    "smint",
];

/// Connectors whose name is a word of the language and no provider's.
const GENERAL: [&str; 1] = ["webhook"];

/// Where provider names may stand, beside each connector's own folder.
const HOMES: [&str; 5] = [
    // It writes configurations of the server and stands for a provider, from outside.
    "bench/",
    "crates/bellwether-connectors/src/lib.rs",
    "crates/bellwether-sandbox/",
    // The demonstration tells a story of one company and its providers.
    "crates/bellwether/src/demo/",
    "crates/bellwether/src/demo.rs",
];

const STRAYS: &[Exception] = &[];

#[test]
fn connector_names_stay_home() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| is_code(s)) {
        for (n, line) in source.text.lines().enumerate() {
            for name in words_in(line) {
                let what = format!("line {} names {name}", n + 1);
                offences.push(Offence::new(&source.path, what));
            }
        }
    }
    judge("A provider's name left its home.", &offences, STRAYS);
}

#[test]
fn every_connector_has_a_word_and_a_home() {
    for connector in all() {
        let name = connector.name;
        let known = WORDS.iter().any(|word| name.starts_with(word)) || GENERAL.contains(&name);
        assert!(
            known,
            "{name}: add its words to WORDS, so that they stay home"
        );
        let home = format!("crates/bellwether-connectors/src/{name}");
        let found = sources().iter().any(|s| s.path.starts_with(&home));
        assert!(found, "{name} has no folder at {home}");
    }
}

/// Code that is no test and no home.
fn is_code(source: &Source) -> bool {
    let path = source.path.as_str();
    let ends = [".rs", ".sql", ".js", ".css"];
    (path.starts_with("crates/") || path.starts_with("bench/"))
        && ends.iter().any(|end| path.ends_with(end))
        && !source.is_test()
        && !HOMES.iter().any(|home| path.starts_with(home))
        && !is_own_folder(path)
}

/// A new connector brings its folder and its words, and is named in no list of the tests.
fn is_own_folder(path: &str) -> bool {
    let rest = path.strip_prefix("crates/bellwether-connectors/src/");
    let folder = rest.and_then(|rest| rest.split_once('/'));
    folder.is_some_and(|(folder, _)| all().iter().any(|connector| connector.name == folder))
}

/// The provider words that begin a run of letters in the line.
fn words_in(line: &str) -> Vec<&'static str> {
    let line = line.to_lowercase();
    line.split(|c: char| !c.is_alphanumeric())
        .filter_map(|run| WORDS.iter().find(|word| run.starts_with(**word)))
        .copied()
        .collect()
}
