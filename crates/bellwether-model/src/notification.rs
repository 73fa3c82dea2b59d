//! The two axes of a notification: how far its delivery is known to have come, and what its reader
//! did. Both merge as maxima, so reports may arrive in any order. `ignored` is derived elsewhere.

use serde::{Deserialize, Serialize};

/// How far delivery is known to have come. HTTP 200 of a provider is `Accepted`, never `Delivered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Recorded, not yet given to anybody.
    Queued,
    /// Nothing shows that the person's device got it, and the channel reports nothing.
    Unconfirmed,
    /// An attempt ended without an answer: it may have been sent, we cannot know.
    MaybeSent,
    /// The provider took it.
    Accepted,
    /// The provider says that it passed it on (a carrier, a mail server, a push network).
    HandedOff,
    /// Taken back before it was shown, because the matter was over.
    Withdrawn,
    /// Its time had passed before it could be sent or shown.
    Expired,
    /// The provider or the device refused it for good.
    Failed,
    /// A receipt from the device or mailbox exists.
    Delivered,
}

/// What the reader did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engagement {
    /// Nothing known.
    None,
    /// Something fetched the page: a person, a preview or a scanner.
    Fetched,
    /// The page was shown in a browser or app, or the app reported the tap.
    Opened,
    /// Dismissed without an answer.
    Dismissed,
    /// A button was pressed.
    Acted,
}

impl Delivery {
    /// What is known after both reports. `Delivered` beats a failure that was reported earlier.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// The number under which the store keeps it.
    pub fn code(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Unconfirmed => 1,
            Self::MaybeSent => 2,
            Self::Accepted => 3,
            Self::HandedOff => 4,
            Self::Withdrawn => 5,
            Self::Expired => 6,
            Self::Failed => 7,
            Self::Delivered => 8,
        }
    }

    /// The reverse of [`Delivery::code`]; an unknown number (a newer release's) reads as `Queued`.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Unconfirmed,
            2 => Self::MaybeSent,
            3 => Self::Accepted,
            4 => Self::HandedOff,
            5 => Self::Withdrawn,
            6 => Self::Expired,
            7 => Self::Failed,
            8 => Self::Delivered,
            _ => Self::Queued,
        }
    }
}

impl Engagement {
    /// What is known after both reports.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// The number under which the store keeps it.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Fetched => 1,
            Self::Opened => 2,
            Self::Dismissed => 3,
            Self::Acted => 4,
        }
    }

    /// The reverse of [`Engagement::code`]; an unknown number reads as `None`.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Fetched,
            2 => Self::Opened,
            3 => Self::Dismissed,
            4 => Self::Acted,
            _ => Self::None,
        }
    }
}
