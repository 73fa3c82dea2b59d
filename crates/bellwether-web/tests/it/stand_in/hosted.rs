//! The hosted pages of the stand-in engine.

use bellwether_engine::seam::*;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock as _;

use super::fake::{Fake, ODD, done, lock};

impl Hosted for Fake {
    fn open<'a>(
        &'a self,
        token: &'a str,
        grade: OpenGrade,
        visitor: &'a Visitor,
    ) -> BoxFuture<'a, Result<Card, HostedError>> {
        lock(&self.opens).push((token.to_owned(), grade));
        let card = lock(&self.cards).get(token).cloned();
        let found = match (token, card) {
            ("expired", _) => Err(HostedError::Expired),
            ("gone", _) => Err(HostedError::Gone),
            ("broken", _) => Err(HostedError::Store("disk".to_owned())),
            (_, None) => Err(HostedError::BadToken),
            (_, Some(mut card)) => {
                if let CardState::Waiting(ask) = &mut card.state {
                    let session = visitor.session.as_deref();
                    ask.needs_sign_in &= session != Some("proven") && session != Some(ODD);
                }
                Ok(card)
            }
        };
        done(found)
    }

    fn press<'a>(
        &'a self,
        press: &'a Press,
        _: &'a Visitor,
    ) -> BoxFuture<'a, Result<Pressed, HostedError>> {
        let Some(token) = press.act_token.strip_prefix("act-") else {
            return done(Err(HostedError::BadToken));
        };
        let now = self.now();
        let mut cards = lock(&self.cards);
        let Some(card) = cards.get_mut(token) else {
            return done(Err(HostedError::BadToken));
        };
        lock(&self.presses).push(press.clone());
        let said = match &card.state {
            CardState::Decided { by, .. } => Some(TurnSaid::AlreadyDecided {
                choice: "approve".to_owned(),
                by: by.clone(),
                at: now,
            }),
            CardState::Waiting(ask) if ask.shown != press.shown => Some(TurnSaid::Changed),
            CardState::Waiting(_) if press.choice == "ask" => Some(TurnSaid::PassedOn {
                choice: "ask".to_owned(),
            }),
            CardState::Waiting(_) if press.comment == "refuse me" => Some(TurnSaid::Refused {
                code: "no".to_owned(),
                reason: "Four eyes are needed <b>here</b>.".to_owned(),
            }),
            _ => Some(TurnSaid::Decided {
                choice: press.choice.clone(),
                by: card.person.clone(),
                at: now,
            }),
        };
        if matches!(said, Some(TurnSaid::Decided { .. })) {
            let label = if press.choice == "reject" {
                "Rejected"
            } else {
                "Approved"
            };
            card.state = CardState::Decided {
                said: label.to_owned(),
                by: card.person_name.clone(),
                by_reader: true,
                at: now,
                comment: press.comment.clone(),
            };
        }
        let card = card.clone();
        done(Ok(Pressed { said, card }))
    }

    fn send_code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<CodeSent, HostedError>> {
        done(Ok(CodeSent::To("a…@example.com".to_owned())))
    }

    fn check_code<'a>(
        &'a self,
        _: &'a str,
        code: &'a str,
    ) -> BoxFuture<'a, Result<CodeChecked, HostedError>> {
        done(Ok(match code {
            "123456" => CodeChecked::Right("proven".to_owned()),
            "654321" => CodeChecked::Right(ODD.to_owned()),
            "111111" => CodeChecked::TooMany,
            _ => CodeChecked::Wrong,
        }))
    }
}
