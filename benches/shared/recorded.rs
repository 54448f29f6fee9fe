//! The recorded request of all measurements: a TaskRun that starts to run. Copies of it differ in
//! the run, its PipelineRun and the event id, and have one length.

use anyhow::Context as _;
use std::ops::Range;
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::event::{Decoded, Keep, RunEvent, decode, parse};
use tekton_events_relay::state_machine::{Command, Entry};
use tekton_events_relay::wire::encode_entry;

const RECORDING: &str = include_str!("../../src/event/testdata/recorded-v1.12plus.jsonl");
/// `seq` of the request in the recording.
const SEQUENCE: u64 = 20;
const NAME: &str = "ok-build";
const UID: &str = "f85f4ff2-2571-494e-bd44-668a8cc76fbd";
const PARENT_UID: &str = "e057acf0-b2db-44f1-9998-244f88eb1daa";
const CE_ID: &str = "54369bfc-e04d-4790-8f50-38dff2db8825";
/// Task runs of one pipeline run.
const TASKS: u64 = 4;

/// The recorded request.
#[derive(Clone)]
pub struct Recorded {
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

/// The input of the relay's own parser.
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Recorded {
    pub fn task_run() -> anyhow::Result<Self> {
        let lines = RECORDING.lines().map(serde_json::from_str::<serde_json::Value>);
        let requests = lines.collect::<Result<Vec<_>, _>>()?;
        let request = requests.iter().find(|request| request["seq"] == SEQUENCE);
        let request = request.context("the recording lacks the request")?;
        let headers = request["headers"].as_object().context("no headers")?;
        let own = ["host", "connection", "content-length"];
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect();
        let body = request["body"].as_str().context("no body")?.to_owned();
        Ok(Self { headers, body })
    }

    /// The same with a type that the relay reads and then ignores.
    pub fn of_unknown_type(&self) -> Self {
        let mut unknown = self.clone();
        for (_, value) in unknown.headers.iter_mut().filter(|(name, _)| name == "ce-type") {
            *value = "dev.tekton.event.taskrun.unheard-of.v1".to_owned();
        }
        unknown
    }

    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// Copy `number` of the request.
    pub fn request(&self, number: u64) -> Request {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), numbered(value, number)));
        Request { headers: headers.collect(), body: numbered(&self.body, number).into_bytes() }
    }

    /// The facts of copy `number`.
    pub fn run_event(&self, number: u64) -> anyhow::Result<RunEvent> {
        let Request { headers, body } = self.request(number);
        let event = parse(&headers, &body)?.pop().context("no event")?;
        match decode(&event, Timestamp(1), &Keep::default())? {
            Decoded::Run(run) => Ok(*run),
            Decoded::Ignored { event_type } => anyhow::bail!("{event_type} was ignored"),
        }
    }

    /// Bytes that one event takes in the log.
    pub fn entry_bytes(&self) -> anyhow::Result<usize> {
        let commands = vec![Command::Accept(Box::new(self.run_event(0)?))];
        Ok(encode_entry(&Entry { at: Timestamp(1), commands }).len())
    }

    /// The request as HTTP/1.1, numbered in place.
    pub fn http(&self, connection: &str) -> HttpTemplate {
        let mut text = "POST / HTTP/1.1\r\nhost: relay\r\n".to_owned();
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        text.push_str(&format!("connection: {connection}\r\ncontent-length: {length}\r\n\r\n"));
        text.push_str(&self.body);
        HttpTemplate::new(text)
    }
}

/// An HTTP request whose numbers are overwritten for each copy.
#[derive(Clone)]
pub struct HttpTemplate {
    bytes: Vec<u8>,
    places: Vec<(Range<usize>, Replacement)>,
}

impl HttpTemplate {
    fn new(text: String) -> Self {
        let places = REPLACED.iter().flat_map(|(original, replacement)| {
            let found = text.match_indices(original);
            found.map(|(at, original)| (at..at + original.len(), *replacement))
        });
        Self { places: places.collect(), bytes: text.into_bytes() }
    }

    /// The request with this number.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        for (place, replacement) in &self.places {
            self.bytes[place.clone()].copy_from_slice(replacement(number).as_bytes());
        }
        &self.bytes
    }
}

/// The replacement text in a numbered copy.
type Replacement = fn(u64) -> String;

/// The parts that differ between copies, and their text in copy `number`. Lengths do not change.
const REPLACED: [(&str, Replacement); 4] = [
    (NAME, |number| format!("r{number:07x}")),
    (UID, |number| format!("f85f4ff2-2571-494e-bd44-{number:012x}")),
    (PARENT_UID, |number| format!("e057acf0-b2db-44f1-9998-{:012x}", number / TASKS)),
    (CE_ID, |number| format!("54369bfc-e04d-4790-8f50-{number:012x}")),
];

/// The number of the copy whose run has this uid.
pub fn number_of(uid: &str) -> Option<u64> {
    u64::from_str_radix(uid.rsplit('-').next()?, 16).ok()
}

fn numbered(text: &str, number: u64) -> String {
    let mut text = text.to_owned();
    for (original, replacement) in REPLACED {
        text = text.replace(original, &replacement(number));
    }
    text
}
