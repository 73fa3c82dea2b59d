//! The dependency law: which crate may see which, what a crate must never see, and that nothing is
//! listed that is not used.

use serde_json::Value;

use super::tree::{Source, metadata, sources};
use super::{Offence, judge};

/// What a crate of ours may name.
struct Law {
    name: &'static str,
    /// Crates of ours that it may depend on.
    may: &'static [&'static str],
    /// Further ones for its tests.
    tests_may: &'static [&'static str],
    /// Libraries that would break what the crate promises.
    never: &'static [&'static str],
}

const DATABASES: &str = "rusqlite";
const SERVER: &str = "axum";
const CLIENT: &str = "reqwest";
const RUNTIME: &str = "tokio";

/// The whole law. ARCHITECTURE.md says why each absence matters.
const LAWS: &[Law] = &[
    Law {
        name: "bellwether",
        may: &[
            "bellwether-connectors",
            "bellwether-engine",
            "bellwether-model",
            "bellwether-sandbox",
            "bellwether-store",
            "bellwether-web",
        ],
        tests_may: &[],
        never: &[DATABASES],
    },
    Law {
        name: "bellwether-bench",
        may: &[],
        tests_may: &[],
        never: &[],
    },
    Law {
        name: "bellwether-connectors",
        may: &["bellwether-model"],
        tests_may: &["bellwether-sandbox"],
        never: &[DATABASES, SERVER],
    },
    Law {
        name: "bellwether-engine",
        may: &["bellwether-model"],
        tests_may: &[],
        never: &[DATABASES, SERVER, CLIENT],
    },
    Law {
        name: "bellwether-model",
        may: &[],
        tests_may: &[],
        never: &[DATABASES, SERVER, CLIENT, RUNTIME],
    },
    Law {
        name: "bellwether-sandbox",
        may: &[],
        tests_may: &[],
        never: &[DATABASES, CLIENT],
    },
    Law {
        name: "bellwether-store",
        may: &["bellwether-engine", "bellwether-model"],
        tests_may: &[],
        never: &[SERVER, CLIENT],
    },
    Law {
        name: "bellwether-web",
        may: &["bellwether-engine", "bellwether-model"],
        tests_may: &[],
        never: &[DATABASES, CLIENT],
    },
];

/// One line of a manifest's dependencies.
struct Dependency<'a> {
    name: &'a str,
    for_tests: bool,
}

fn packages(metadata: &Value) -> impl Iterator<Item = (&str, Vec<Dependency<'_>>)> {
    metadata["packages"].as_array().unwrap().iter().map(|p| {
        let dependencies = p["dependencies"].as_array().unwrap().iter();
        let dependencies = dependencies.map(|d| Dependency {
            name: d["name"].as_str().unwrap(),
            for_tests: d["kind"].as_str() == Some("dev"),
        });
        (p["name"].as_str().unwrap(), dependencies.collect())
    })
}

/// Where a package lives.
fn folder(package: &str) -> String {
    match package {
        "bellwether-bench" => "bench/".to_owned(),
        name => format!("crates/{name}/"),
    }
}

#[test]
fn crates_keep_the_dependency_law() {
    let metadata = metadata(&["--no-deps"]);
    let mut offences = Vec::new();
    let mut names = Vec::new();
    for (package, dependencies) in packages(&metadata) {
        names.push(package);
        let manifest = folder(package) + "Cargo.toml";
        let Some(law) = LAWS.iter().find(|law| law.name == package) else {
            offences.push(Offence::new(
                &manifest,
                "a crate without a law; add its line",
            ));
            continue;
        };
        for dependency in &dependencies {
            let name = dependency.name;
            let allowed =
                law.may.contains(&name) || dependency.for_tests && law.tests_may.contains(&name);
            if name.starts_with("bellwether") && !allowed || law.never.contains(&name) {
                offences.push(Offence::new(&manifest, format!("must not see {name}")));
            }
        }
    }
    judge("A crate sees what it must not see.", &offences, &[]);
    let gone: Vec<_> = LAWS.iter().filter(|l| !names.contains(&l.name)).collect();
    assert!(gone.is_empty(), "a law without its crate: {}", gone[0].name);
}

#[test]
fn manifests_list_only_what_is_used() {
    let metadata = metadata(&["--no-deps"]);
    let sources = sources();
    let mut offences = Vec::new();
    for (package, dependencies) in packages(&metadata) {
        let folder = folder(package);
        let (code, tests): (Vec<&Source>, Vec<&Source>) = sources
            .iter()
            .filter(|s| s.is_rust() && s.path.starts_with(&folder))
            .partition(|s| s.path.starts_with(&(folder.clone() + "src/")));
        for dependency in &dependencies {
            let word = dependency.name.replace('-', "_");
            let in_code = code.iter().any(|s| has_word(&s.text, &word));
            let in_tests = tests.iter().any(|s| has_word(&s.text, &word));
            let what = match (dependency.for_tests, in_code, in_tests) {
                (false, true, _) | (true, _, true) | (true, true, _) => continue,
                (false, false, true) => "is for tests only",
                (_, false, false) => "is not used",
            };
            let what = format!("{} {what}", dependency.name);
            offences.push(Offence::new(&(folder.clone() + "Cargo.toml"), what));
        }
    }
    judge("A manifest lists what it does not need.", &offences, &[]);
}

/// Whether a crate is named in `text` as code names it: `word::` or `use word;`.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + word.len()..];
        !before.is_some_and(part) && ["::", ";", " as "].iter().any(|s| after.starts_with(s))
    })
}
