//! The house rules as tests: what review would otherwise have to repeat. They read the source tree
//! and the manifests; behaviour is tested elsewhere.

mod crates;
mod files;
mod homes;
mod licences;
mod pages;
mod tree;

/// A place that a rule does not bind yet, or for a reason never will.
struct Exception {
    /// The file, from the root of the tree.
    path: &'static str,
    /// Why; shown when the exception is no longer needed.
    why: &'static str,
}

/// Fails with every offence in one message. An exception that excuses nothing is an offence too, so
/// that the lists stay true in both directions.
fn judge(rule: &str, offences: &[Offence], exceptions: &[Exception]) {
    let mut lines: Vec<String> = offences
        .iter()
        .filter(|o| !exceptions.iter().any(|e| e.path == o.path))
        .map(|o| format!("  {}: {}", o.path, o.what))
        .collect();
    lines.extend(
        exceptions
            .iter()
            .filter(|e| !offences.iter().any(|o| o.path == e.path))
            .map(|e| {
                format!(
                    "  {}: keeps the rule now; strike it off ({})",
                    e.path, e.why
                )
            }),
    );
    assert!(lines.is_empty(), "{rule}\n{}\n", lines.join("\n"));
}

/// One breach of a rule.
#[derive(Debug)]
struct Offence {
    path: String,
    what: String,
}

impl Offence {
    fn new(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}
