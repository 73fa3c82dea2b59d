//! The licences of everything that is linked in, against the list in `deny.toml`: one list, read
//! here without the network and by `cargo deny` where it is installed.

use std::process::Command;

use super::tree::{metadata, root};

#[test]
fn every_dependency_has_an_allowed_licence() {
    let allowed = allowed();
    let host = host();
    let metadata = metadata(&["--filter-platform", &host]);
    let mut refused = Vec::new();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages.iter().filter(|p| !p["source"].is_null()) {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none given");
        if !is_allowed(licence, &allowed) {
            refused.push(format!("  {name} {}: {licence}", package["version"]));
        }
    }
    assert!(packages.len() > 50, "the lock file names hardly anything");
    let refused = refused.join("\n");
    assert!(
        refused.is_empty(),
        "Licences that deny.toml does not allow:\n{refused}\n"
    );
}

#[test]
fn an_expression_is_read_as_spdx_has_it() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for (expression, want) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("GPL-3.0-only/MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("ISC AND (GPL-3.0-only OR MIT)", true),
        ("(GPL-3.0-only OR MIT) AND AGPL-3.0-only", false),
        ("GPL-2.0-only OR ISC AND MIT", true),
        ("MIT WITH Some-exception", true),
        ("none given", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), want, "{expression}");
    }
}

/// The `allow` list of `deny.toml`.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let list = text.split_once("\nallow = [").unwrap().1;
    let list = list.split_once(']').unwrap().0;
    let quoted = list.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// The platform that this runs on: the only one whose packages are sure to be at hand.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    line.unwrap().to_owned()
}

/// Whether a licence expression can be met from the list: OR asks for one side, AND for both, and
/// AND binds closer. An exception (`WITH`) only adds permissions.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = either(&mut words, allowed);
    verdict && words.next().is_none()
}

type Words<'a, 'b> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn either(words: Words<'_, '_>, allowed: &[String]) -> bool {
    let mut verdict = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        verdict |= both(words, allowed);
    }
    verdict
}

fn both(words: Words<'_, '_>, allowed: &[String]) -> bool {
    let mut verdict = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, allowed);
    }
    verdict
}

fn one(words: Words<'_, '_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let verdict = either(words, allowed);
            words.next() == Some(")") && verdict
        }
        Some(name) => {
            if words.next_if_eq(&"WITH").is_some() {
                words.next();
            }
            allowed.iter().any(|a| a == name)
        }
        None => false,
    }
}
