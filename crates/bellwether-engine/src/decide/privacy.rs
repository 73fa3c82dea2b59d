//! How much of a message leaves the hosted page: the flow's word, and the person's own wish.

use bellwether_model::directory::{Person, PushText};

use crate::flow::Privacy;

/// What a push may show: the flow's word or the person's own wish, whichever shows less.
pub(super) fn stricter(privacy: Privacy, person: &Person) -> Privacy {
    match (privacy, person.privacy.unwrap_or_default()) {
        (Privacy::Hidden, _) | (_, PushText::Hidden) => Privacy::Hidden,
        (Privacy::Brief, _) | (_, PushText::Brief) => Privacy::Brief,
        _ => Privacy::Full,
    }
}

/// The word that connectors get.
pub(super) fn word(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Full => "full",
        Privacy::Brief => "brief",
        Privacy::Hidden => "hidden",
    }
}

/// That word for what may be shown.
pub(super) fn shown(privacy: Privacy, person: &Person) -> &'static str {
    word(stricter(privacy, person))
}
