//! A text that never prints: not in Debug, not in Display, not in serialised settings.

use std::fmt;

/// A password, key or token. Only [`Secret::expose`] gives the text out.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it where the secret goes onto the wire, nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was set. An empty secret never authenticates anybody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Secret(empty)"
        } else {
            "Secret(set)"
        })
    }
}
