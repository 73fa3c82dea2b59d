//! `at_most`: how many messages a person gets in one case. Counting only; saying is `message`.

use bellwether_model::directory::Person;

use super::draft::Note;
use super::walk::Turner;

impl Turner<'_> {
    /// Whether a person got as many messages of this channel as the flow allows; else one more is
    /// counted.
    pub(super) fn has_enough(&mut self, channel: &str, most: Option<u32>, person: &Person) -> bool {
        let Some(most) = most else { return false };
        let got = self.state.got.entry(format!("{channel} {}", person.id));
        let got = got.or_default();
        if *got >= most {
            let note = Note::of("held_back").about(&person.id);
            self.out
                .notes
                .push(note.because(format!("at most {most} {channel}")));
            return true;
        }
        *got += 1;
        false
    }
}
