//! Stories: a flow's tests, kept as positioned nodes until the story runner reads them.

/// One test of a flow.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it shows, in words.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// What happens and what is expected, in order.
    pub steps: Vec<crate::yaml::Node>,
}
