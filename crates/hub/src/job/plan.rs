//! A job as a service asks for it (iot-hub C7): the body of `PUT /jobs/v2/{jobId}`. Refuses to know
//! what comes of it.

use super::id::JobId;
use super::limits::{EXECUTION_TIME_DEFAULT, EXECUTION_TIME_RANGE};
use crate::errors::{ErrorCode, Refusal};
use crate::identity::member::{Members, object};
use crate::json::Value;
use crate::method::Request;
use crate::query::{self, Condition, Source};
use crate::twin::{Twin, patch};
use crate::{IfMatch, Moment};

/// A request, checked.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `jobId`.
    pub id: JobId,
    /// What is done to each device.
    pub action: Action,
    /// `queryCondition` as it was written; empty = all devices.
    pub condition_text: Box<str>,
    /// Read: over documents of devices.
    pub condition: Condition,
    /// When it was asked for, wall milliseconds.
    pub created_ms: u64,
    /// `startTime`, wall milliseconds.
    pub start_ms: u64,
    /// `maxExecutionTimeInSeconds`.
    pub execution_time_s: u32,
}

/// What is done to each device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `cloudToDeviceMethod`.
    Method(Request),
    /// `updateTwin`, for [`patch`]: JSON and the precondition of its `etag`.
    Twin {
        /// The document.
        request: Box<[u8]>,
        /// Any state, if it names none.
        if_match: IfMatch,
    },
}

/// `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A direct method.
    Method,
    /// A write of the twin.
    Twin,
}

impl Kind {
    /// Reads the name in documents and queries, in any case; the vendor's samples spell one in two
    /// ways.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |name: &str| text.eq_ignore_ascii_case(name);
        if is("scheduleUpdateTwin") || is("scheduleTwinUpdate") {
            return Some(Self::Twin);
        }
        is(Self::Method.as_str()).then_some(Self::Method)
    }

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "scheduleDeviceMethod",
            Self::Twin => "scheduleUpdateTwin",
        }
    }
}

impl Action {
    /// `type` of the job.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Method(_) => Kind::Method,
            Self::Twin { .. } => Kind::Twin,
        }
    }
}

impl Plan {
    /// Reads the body. `id`: from the path.
    ///
    /// # Errors
    /// IotHubFormatError, ArgumentNull, ArgumentInvalid, PreconditionFailed for a condition that is
    /// too long (B7), and what methods and twins refuse.
    pub fn read(id: JobId, body: &[u8], now_ms: u64) -> Result<Self, Refusal> {
        let document = object(body)?;
        let members = Members::new(&document, "");
        if members.filled("jobId")?.is_some_and(|other| other != id.as_str()) {
            return Err(members.invalid("jobId", "is not the one of the path"));
        }
        let kind = members.filled("type")?.ok_or_else(|| members.missing("type"))?;
        let kind = Kind::parse(kind).ok_or_else(|| {
            members.invalid("type", "is scheduleDeviceMethod or scheduleUpdateTwin")
        })?;
        let action = match kind {
            Kind::Method => {
                let name = "cloudToDeviceMethod";
                let method = members.object(name)?.ok_or_else(|| members.missing(name))?;
                Action::Method(Request::of(method, "cloudToDeviceMethod.")?)
            }
            Kind::Twin => {
                let name = "updateTwin";
                let update = members.object(name)?.ok_or_else(|| members.missing(name))?;
                twin(update, now_ms)?
            }
        };
        let text = members.text("queryCondition")?.unwrap_or_default();
        let condition = Condition::of_documents(text, Source::Devices).map_err(refused)?;
        let start_ms = match members.filled("startTime")? {
            None => now_ms,
            Some(text) => Moment::parse(text)
                .map(|moment| moment.unix_ms().unwrap_or(now_ms).max(now_ms))
                .ok_or_else(|| members.invalid("startTime", "is no time"))?,
        };
        let execution_time_s = execution_time(&members)?;
        let (condition_text, created_ms) = (text.into(), now_ms);
        Ok(Self { id, action, condition_text, condition, created_ms, start_ms, execution_time_s })
    }
}

impl Plan {
    /// About how much memory it takes, in bytes; a condition that was read takes several times its
    /// text.
    pub(super) fn bytes(&self) -> usize {
        let action = match &self.action {
            Action::Method(request) => request.payload.len(),
            Action::Twin { request, .. } => request.len(),
        };
        size_of::<Self>() + action + self.condition_text.len() * CONDITION_TIMES
    }
}

fn twin(update: &Value<'_>, now_ms: u64) -> Result<Action, Refusal> {
    let etag = Members::new(update, "updateTwin.").filled("etag")?;
    let if_match = match etag {
        None => IfMatch::Any,
        some => IfMatch::parse(some),
    };
    let mut request = Vec::new();
    update.write(&mut request);
    patch(&Twin::new(now_ms), &request, &IfMatch::Any, now_ms)?;
    Ok(Action::Twin { request: request.into(), if_match })
}

fn execution_time(members: &Members<'_>) -> Result<u32, Refusal> {
    let name = "maxExecutionTimeInSeconds";
    let given = match members.get(name) {
        None => return Ok(EXECUTION_TIME_DEFAULT),
        Some(Value::Number("0")) => return Ok(EXECUTION_TIME_DEFAULT),
        Some(Value::Number(text)) => text.parse().ok(),
        Some(_) => None,
    };
    given.filter(|seconds| EXECUTION_TIME_RANGE.contains(seconds)).ok_or_else(|| {
        let (from, to) = (EXECUTION_TIME_RANGE.start(), EXECUTION_TIME_RANGE.end());
        members.invalid(name, &format!("is a whole number from {from} to {to}"))
    })
}

fn refused(refused: query::Refused) -> Refusal {
    match refused {
        query::Refused::TooLong(_) => {
            Refusal::new(ErrorCode::PreconditionFailed, refused.to_string())
        }
        other => other.into(),
    }
}

const CONDITION_TIMES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_600_000_000_000;

    fn read(body: &str) -> Result<Plan, Refusal> {
        Plan::read(JobId::parse("j1")?, body.as_bytes(), NOW)
    }

    #[test]
    fn jobs_are_read_as_services_send_them() {
        let plan = read(
            r#"{"jobId":"j1","type":"scheduleDeviceMethod","queryCondition":"deviceId = 'a'",
                "cloudToDeviceMethod":{"methodName":"m","payload":{"a":1.0}},
                "startTime":"2020-09-13T12:26:41Z","maxExecutionTimeInSeconds":60}"#,
        )
        .unwrap();
        let Action::Method(request) = &plan.action else { panic!("a method") };
        assert_eq!((request.name.as_str(), &*request.payload), ("m", &b"{\"a\":1.0}"[..]));
        assert_eq!((plan.created_ms, plan.start_ms), (NOW, NOW + 1_000));
        assert_eq!((plan.execution_time_s, &*plan.condition_text), (60, "deviceId = 'a'"));
        for (etag, expected) in [
            ("", IfMatch::Any),
            (r#""etag":"*","#, IfMatch::Any),
            (r#""etag":"AAAAAAAAAAE=","#, IfMatch::Etag("AAAAAAAAAAE=".into())),
        ] {
            let body = format!(
                r#"{{"type":"scheduleTwinUpdate","startTime":"","queryCondition":"*",
                    "updateTwin":{{{etag}"tags":{{"a":1.0}}}}}}"#
            );
            let plan = read(&body).unwrap();
            let Action::Twin { request, if_match } = plan.action else { panic!("a twin") };
            assert_eq!(if_match, expected);
            assert!(String::from_utf8_lossy(&request).ends_with(r#""tags":{"a":1.0}}"#));
            assert_eq!((plan.start_ms, plan.execution_time_s), (NOW, 3600));
        }
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        use ErrorCode::{ArgumentInvalid, ArgumentNull, IotHubFormatError, PreconditionFailed};
        let method = |rest: &str| {
            let method =
                r#""type":"scheduleDeviceMethod","cloudToDeviceMethod":{"methodName":"m"}"#;
            format!("{{{method}{rest}}}")
        };
        let twin =
            |update: &str| format!(r#"{{"type":"scheduleUpdateTwin","updateTwin":{update}}}"#);
        let long = format!(r#","queryCondition":"{}""#, "x".repeat(8193));
        for (body, code) in [
            ("[]".to_owned(), Some(IotHubFormatError)),
            ("{}".into(), Some(ArgumentNull)),
            (r#"{"type":"export"}"#.into(), Some(ArgumentInvalid)),
            (r#"{"type":"scheduleDeviceMethod"}"#.into(), Some(ArgumentNull)),
            (r#"{"type":"scheduleUpdateTwin","updateTwin":null}"#.into(), Some(ArgumentNull)),
            (twin("[]"), Some(IotHubFormatError)),
            (twin(r#"{"tags":{"a b":1}}"#), Some(ArgumentInvalid)),
            (twin(r#"{"properties":{"desired":{"a":1}}}"#), None),
            (method(""), None),
            (method(r#","jobId":"j2""#), Some(ArgumentInvalid)),
            (method(r#","queryCondition":"a =""#), Some(ArgumentInvalid)),
            (method(&long), Some(PreconditionFailed)),
            (method(r#","startTime":"soon""#), Some(ArgumentInvalid)),
            (method(r#","startTime":"0001-01-01T00:00:00Z""#), None),
            (method(r#","maxExecutionTimeInSeconds":0"#), None),
            (method(r#","maxExecutionTimeInSeconds":604801"#), Some(ArgumentInvalid)),
            (method(r#","maxExecutionTimeInSeconds":"1""#), Some(ArgumentInvalid)),
        ] {
            let found = read(&body).err().map(|e| e.code);
            assert_eq!(found, code, "{}", &body[..body.len().min(90)]);
        }
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert_eq!(JobId::parse(bad).unwrap_err().code, ArgumentInvalid, "{bad}");
        }
    }
}
