//! Where a question stands, and the one function that lists its legal moves.

/// Where a question stands. The last four are ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryState {
    /// Taken in, nothing done yet.
    Submitted,
    /// Read, cut, and turned into one query per site.
    Planning,
    /// The sites are at work.
    Asking,
    /// Their answers are put together.
    Combining,
    /// It has an answer.
    Answered,
    /// Policy said no.
    Refused,
    /// It has no answer for another reason.
    Failed,
    /// The client went away first.
    Cancelled,
}

/// What happens to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Plan,
    Ask,
    Combine,
    Answer,
    Refuse,
    Fail,
    Cancel,
}

impl QueryState {
    /// The legal moves, all of them.
    pub(crate) fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Submitted, Event::Plan) => Some(Self::Planning),
            // A site has another version of its agreement by now.
            (Self::Asking, Event::Plan) => Some(Self::Planning),
            (Self::Planning, Event::Ask) => Some(Self::Asking),
            (Self::Asking, Event::Combine) => Some(Self::Combining),
            (Self::Combining, Event::Answer) => Some(Self::Answered),
            (Self::Submitted | Self::Planning | Self::Asking | Self::Combining, Event::Refuse) => {
                Some(Self::Refused)
            }
            (Self::Submitted | Self::Planning | Self::Asking | Self::Combining, Event::Fail) => {
                Some(Self::Failed)
            }
            (Self::Submitted | Self::Planning | Self::Asking | Self::Combining, Event::Cancel) => {
                Some(Self::Cancelled)
            }
            _ => None,
        }
    }

    /// As `system.queries` shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Planning => "planning",
            Self::Asking => "asking",
            Self::Combining => "combining",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 7] =
        [Event::Plan, Event::Ask, Event::Combine, Event::Answer, Event::Refuse, Event::Fail, Event::Cancel];

    proptest! {
        // No order of events leaves an end again, and every state that is no end can end.
        #[test]
        fn ends_are_ends(events in prop::collection::vec(prop::sample::select(EVENTS.to_vec()), 0..12)) {
            let mut state = QueryState::Submitted;
            for event in events {
                state = state.after(event).unwrap_or(state);
            }
            let open = EVENTS.iter().any(|event| state.after(*event).is_some());
            prop_assert_eq!(open, state.after(Event::Cancel).is_some());
            prop_assert_eq!(open, state.after(Event::Fail).is_some());
        }
    }
}
