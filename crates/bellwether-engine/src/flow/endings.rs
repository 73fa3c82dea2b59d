//! What may follow within a step: its blocks with their names. What the steps are is in `def`.

use super::fan::DO;
use super::{Block, Verb};

impl Verb {
    /// What may follow within the step, each block with the name of its ending.
    pub fn endings(&self) -> Vec<(&str, &Block)> {
        match self {
            Self::If(both) => vec![("then", &both.then), ("else", &both.otherwise)],
            Self::Ask(ask) => {
                let endings = ask.then.iter();
                endings
                    .map(|(name, block)| (name.as_str(), block))
                    .collect()
            }
            Self::Digest(digest) => vec![("then", &digest.then)],
            Self::Each(each) => vec![(DO, &each.steps)],
            Self::Meanwhile(meanwhile) => vec![(DO, &meanwhile.steps)],
            Self::Together(together) => {
                let branches = together.branches.iter();
                branches
                    .map(|(name, block)| (name.as_str(), block))
                    .collect()
            }
            _ => {
                let remedy = self.on_error().into_iter();
                remedy.map(|block| ("on_error", block)).collect()
            }
        }
    }

    /// What happens when it cannot be sent, if the flow says so.
    pub fn on_error(&self) -> Option<&Block> {
        match self {
            Self::Push(message) | Self::Mail(message) => message.on_error.as_ref(),
            Self::Reply(reply) => reply.on_error.as_ref(),
            Self::Http(request) => request.on_error.as_ref(),
            _ => None,
        }
    }
}
