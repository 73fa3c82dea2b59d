//! Says where flows start each other in a circle: an event that is emitted, or a call, leads back
//! to the step that it comes from. What stops such a circle while it runs is the hop limit.

use bellwether_model::event::HOP_MAX;

use super::calls::is_callable;
use super::def::{Block, Flow, Step, Verb};
use crate::yaml::Problem;

/// A warning for each step whose event leads back to its own flow, with the number of the flow. A
/// circle may be meant, and end by its conditions: so it is said, and not refused.
pub fn circles(flows: &[&Flow]) -> Vec<(usize, Problem)> {
    let mut out = Vec::new();
    for (number, flow) in flows.iter().enumerate() {
        for (step, said) in says(flow) {
            let Some(way) = way_back(flows, said, number) else {
                continue;
            };
            let through = match way.as_slice() {
                [] => "this flow".to_owned(),
                others => format!("{}, and then this flow again", others.join(", then ")),
            };
            let message = format!(
                "`{}` starts {through}: one event may become very many",
                said.word()
            );
            let hint = format!(
                "give it a type that nothing in this circle starts with, or an `if:` in its `when:` that ends \
                 the circle; after {HOP_MAX} rounds it is cut off"
            );
            let place = (step.line, flow.column_of(step.line));
            out.push((number, Problem::warning(place, message).hint(hint)));
        }
    }
    out
}

/// The flows between an event and the flow that emits it, on the shortest way back to it.
fn way_back<'f>(flows: &[&'f Flow], said: Said<'f>, home: usize) -> Option<Vec<&'f str>> {
    let mut seen = vec![false; flows.len()];
    let mut round = vec![(said, Vec::new())];
    while !round.is_empty() {
        let mut next = Vec::new();
        for (said, way) in round {
            for (number, flow) in flows.iter().enumerate() {
                if seen[number] || !starts_with(flow, said) {
                    continue;
                }
                if number == home {
                    return Some(way);
                }
                seen[number] = true;
                let mut way = way.clone();
                way.push(flow.name.as_str());
                let all = says(flow).into_iter();
                next.extend(all.map(|(_, said)| (said, way.clone())));
            }
        }
        round = next;
    }
    None
}

/// What a step says to other flows.
#[derive(Clone, Copy, Debug)]
enum Said<'f> {
    Event(&'f str),
    Call(&'f str),
}

impl<'f> Said<'f> {
    fn word(self) -> &'f str {
        match self {
            Self::Event(word) | Self::Call(word) => word,
        }
    }
}

fn starts_with(flow: &Flow, said: Said<'_>) -> bool {
    match said {
        Said::Call(name) => flow.name == name && is_callable(flow),
        Said::Event(event) => {
            let mut events = flow.when.iter().flat_map(|trigger| &trigger.events);
            events.any(|one| one == event)
        }
    }
}

fn says(flow: &Flow) -> Vec<(&Step, Said<'_>)> {
    let mut out = Vec::new();
    gather(&flow.steps, &mut out);
    out
}

fn gather<'f>(block: &'f Block, out: &mut Vec<(&'f Step, Said<'f>)>) {
    for step in &block.steps {
        match &step.verb {
            Verb::Emit(emit) => out.push((step, Said::Event(&emit.event))),
            Verb::Call(call) => out.push((step, Said::Call(&call.flow))),
            _ => {}
        }
        for (_, inner) in step.verb.endings() {
            gather(inner, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::read::tests::fixture::right;

    fn flow(name: &str, starts: &str, says: &[&str]) -> Flow {
        let steps: String = says
            .iter()
            .map(|event| format!("  - emit: {event}\n"))
            .collect();
        right(&format!(
            "bellwether: 1\nflow: {name}\nwhen: {{ event: {starts} }}\nsteps:\n{steps}  - stop\n"
        ))
    }

    fn said(flows: &[Flow]) -> Vec<(usize, String)> {
        let flows: Vec<&Flow> = flows.iter().collect();
        let found = circles(&flows);
        let line = |(number, problem): (usize, Problem)| {
            (
                number,
                problem.in_file(&format!("{}.yaml", flows[number].name)),
            )
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn a_flow_that_starts_itself_is_said_at_the_step() {
        let found = said(&[flow("one", "order.seen", &["order.other", "order.seen"])]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].1.starts_with(
                "one.yaml:6:5  warning: `order.seen` starts this flow: one event may become very \
                 many"
            ),
            "{found:?}"
        );
    }

    #[test]
    fn a_circle_through_others_names_them_and_is_said_at_each_of_its_steps() {
        let found = said(&[
            flow("one", "order.a", &["order.b"]),
            flow("two", "order.b", &["order.c"]),
            flow("three", "order.c", &["order.a", "order.d"]),
        ]);
        let numbers: Vec<usize> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert!(
            found[0]
                .1
                .contains("starts two, then three, and then this flow again"),
            "{found:?}"
        );
    }

    #[test]
    fn a_chain_that_ends_is_no_circle_even_beside_one() {
        let found = said(&[
            flow("one", "order.a", &["order.b"]),
            flow("two", "order.b", &["order.b"]),
        ]);
        let numbers: Vec<usize> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1], "{found:?}");
    }
}
