//! Which messages belong together, as W3C trace context says it
//! (<https://www.w3.org/TR/trace-context/>, `traceparent`).
//!
//! What is said of an attempt has a trace that derives from the task's id, and a span that is the
//! attempt's number: both can be found again from the log. A question has the trace of whoever
//! asks, from `TRACEPARENT` in the environment or drawn; its answer has the same. A message of
//! several has a header for each of them that has a trace, in their order.

use std::hash::{BuildHasher as _, RandomState};

use async_nats::HeaderMap;
use push0_core::{AttemptId, FromDispatcher, TaskId, ToDispatcher};

/// What one message belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trace {
    id: u128,
    span: u64,
}

impl Trace {
    fn of(task: &TaskId, attempt: AttemptId) -> Self {
        let id = task.0.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
        // Neither may be zero; positions in the log begin at one.
        Self { id: id.max(1), span: attempt.0.max(1) }
    }

    pub(super) fn of_down(message: &ToDispatcher) -> Option<Self> {
        match message {
            ToDispatcher::Grant(grant) => Some(Self::of(&grant.task, grant.attempt)),
            ToDispatcher::Cancel(_) | ToDispatcher::Verdict(..) => None,
        }
    }

    pub(super) fn of_up(message: &FromDispatcher) -> Option<Self> {
        match message {
            FromDispatcher::Report(report) => Some(Self::of(&report.task, report.attempt)),
            FromDispatcher::Beat(_) => None,
        }
    }

    /// Of a question that this process asks.
    pub(super) fn of_question() -> Self {
        let drawn = |what: &str| RandomState::new().hash_one(what);
        let from_outside = std::env::var("TRACEPARENT").ok().and_then(|text| Self::parse(&text));
        let id = u128::from(drawn("id")) << 64 | u128::from(drawn("more"));
        let id = from_outside.map_or(id, |trace| trace.id);
        Self { id: id.max(1), span: drawn("span").max(1) }
    }

    /// Of what was heard.
    pub(super) fn of_headers(headers: Option<&HeaderMap>) -> Option<Self> {
        Self::parse(headers?.get(HEADER)?.as_str())
    }

    pub(super) fn headers(self) -> HeaderMap {
        Self::headers_of(std::iter::once(self))
    }

    /// Of what shares a message: one for each that has one, in their order.
    pub(super) fn headers_of(traces: impl Iterator<Item = Self>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for Self { id, span } in traces {
            headers.append(HEADER, format!("00-{id:032x}-{span:016x}-01"));
        }
        headers
    }

    /// None for what is none; a later version may have more fields behind those of the first.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let (version, id, span) = (fields.next()?, fields.next()?, fields.next()?);
        let is_hex = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        let flags = fields.next()?;
        if !is_hex(version, 2) || version == "ff" || !is_hex(flags, 2) {
            return None;
        }
        if !is_hex(id, 32) || !is_hex(span, 16) {
            return None;
        }
        let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { id, span })
    }
}

const HEADER: &str = "traceparent";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_was_put_into_it() {
        let trace = Trace::of(&TaskId([0xab; 32]), AttemptId(7));
        let headers = trace.headers();
        let text = headers.get(HEADER).expect("it is there").as_str();
        assert_eq!(text, "00-abababababababababababababababab-0000000000000007-01");
        assert_eq!(Trace::of_headers(Some(&headers)), Some(trace));
        assert_eq!(Trace::of_headers(None), None);
    }

    /// The examples of the recommendation, and what it calls invalid.
    #[test]
    fn what_is_no_trace_context_is_none() {
        let known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(Trace::parse(known).is_some());
        assert!(Trace::parse(&known.replacen("00", "cc", 1)).is_some(), "a later version");
        for (from, to) in [
            ("00-4b", "ff-4b"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("4bf9", "4BF9"),
            ("-01", "-1"),
            ("-01", ""),
            ("4736-", "473-"),
        ] {
            let wrong = known.replace(from, to);
            assert_eq!(Trace::parse(&wrong), None, "{wrong}");
        }
    }
}
