//! Which path of the service API it is (iot-hub C1): fixed segments in any case, ids with theirs
//! and percent-encoded, perhaps a slash at the end. Refuses to know methods' meaning and rights.

use std::borrow::Cow;

use hub::LockToken;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{DeviceId, IdentityId, ModuleId, NameError};
use hub::job::JobId;

use crate::http::query::percent_decode;

/// A path.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `/devices`.
    Devices,
    /// `/devices/query`: queries for `POST`, else the device of that name.
    Query(IdentityId),
    /// `/devices/{id}` and `/devices/{id}/modules/{id}`.
    Identity(IdentityId),
    /// `/devices/{id}/modules`.
    Modules(IdentityId),
    /// `/twins/{id}` and `/twins/{id}/modules/{id}`.
    Twin(IdentityId),
    /// `/twins/{id}/methods` and `/twins/{id}/modules/{id}/methods`.
    Methods(IdentityId),
    /// `/messages/deviceBound`: what services send to devices.
    Send,
    /// `/messages/serviceBound/feedback`: what becomes of that.
    Feedback,
    /// `/messages/serviceBound/feedback/{lock}`.
    FeedbackLocked(LockToken),
    /// `/messages/serviceBound/feedback/{lock}/abandon`.
    FeedbackAbandon(LockToken),
    /// `/jobs/v2/query`: all of them.
    Jobs,
    /// `/jobs/v2/{id}`.
    Job(JobId),
    /// `/jobs/v2/{id}/cancel`.
    CancelJob(JobId),
    /// `/devices/{id}/commands`.
    Commands(IdentityId),
    /// `/admin/devices/{id}/commands`.
    Shown(IdentityId),
    /// `/admin/devices/{id}[/modules/{id}]/twin/history`.
    TwinHistory(IdentityId),
    /// `/devices/{id}/messages/events`: what a device sends.
    Events(IdentityId),
    /// `/devices/{id}/messages/devicebound`: what a device receives.
    DeviceBound(IdentityId),
    /// `/devices/{id}/messages/devicebound/{lock}`.
    Locked(IdentityId, LockToken),
    /// `/devices/{id}/messages/devicebound/{lock}/abandon`.
    Abandon(IdentityId, LockToken),
    /// `/statistics/devices`.
    DeviceStatistics,
    /// `/statistics/service`.
    ServiceStatistics,
}

impl Route {
    /// The route of a request's path; `None` when there is none.
    ///
    /// # Errors
    /// ArgumentInvalid for an id that cannot be; OperationNotAvailableInCurrentTier for what the
    /// cloud has and no hub of ours.
    pub fn find(path: &str) -> Result<Option<Self>, Refusal> {
        let Some(path) = path.strip_prefix('/') else { return Ok(None) };
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.splitn(SEGMENTS_MAX + 1, '/').collect();
        let fixed: Vec<String> = segments.iter().map(|part| part.to_ascii_lowercase()).collect();
        let fixed: Vec<&str> = fixed.iter().map(String::as_str).collect();
        let device = || id(segments[1], None);
        let module = || id(segments[1], Some(segments[3]));
        Ok(Some(match fixed[..] {
            ["devices"] => Self::Devices,
            ["devices", "query"] => Self::Query(device()?),
            ["devices", _] => Self::Identity(device()?),
            ["devices", _, "modules"] => Self::Modules(device()?),
            ["devices", _, "modules", _] => Self::Identity(module()?),
            ["devices", _, "commands"] => Self::Commands(device()?),
            ["devices", _, "messages", "devicebound"] => Self::DeviceBound(device()?),
            ["devices", _, "messages", "devicebound", token] => {
                Self::Locked(device()?, lock(token)?)
            }
            ["devices", _, "messages", "devicebound", token, "abandon"] => {
                Self::Abandon(device()?, lock(token)?)
            }
            ["devices", _, "messages", "events"] => Self::Events(device()?),
            ["twins", _] => Self::Twin(device()?),
            ["twins", _, "methods"] => Self::Methods(device()?),
            ["twins", _, "modules", _] => Self::Twin(module()?),
            ["twins", _, "modules", _, "methods"] => Self::Methods(module()?),
            ["messages", "devicebound"] => Self::Send,
            ["messages", "servicebound", "feedback"] => Self::Feedback,
            ["messages", "servicebound", "feedback", token] => {
                Self::FeedbackLocked(lock(unquoted(token))?)
            }
            ["messages", "servicebound", "feedback", token, "abandon"] => {
                Self::FeedbackAbandon(lock(unquoted(token))?)
            }
            ["jobs", "v2", "query"] => Self::Jobs,
            ["jobs", "v2", _] => Self::Job(job(segments[2])?),
            ["jobs", "v2", _, "cancel"] => Self::CancelJob(job(segments[2])?),
            ["statistics", "devices"] => Self::DeviceStatistics,
            ["statistics", "service"] => Self::ServiceStatistics,
            ["admin", "devices", _, "commands"] => Self::Shown(id(segments[2], None)?),
            ["admin", "devices", _, "twin", "history"] => Self::TwinHistory(id(segments[2], None)?),
            ["admin", "devices", _, "modules", _, "twin", "history"] => {
                Self::TwinHistory(id(segments[2], Some(segments[4]))?)
            }
            _ => return not_served(&fixed).map_or(Ok(None), Err),
        }))
    }

    /// The decoded segments, as a token's resource names them.
    pub fn segments(&self) -> Vec<Cow<'_, str>> {
        let lock = |token: &LockToken| Cow::Owned(token.to_string());
        let of = |first, id, last: &[&'static str]| {
            let IdentityId { device, module }: &IdentityId = id;
            let mut segments: Vec<Cow<'_, str>> =
                vec![Cow::Borrowed(first), device.as_str().into()];
            segments.extend(module.iter().flat_map(|m| [MODULES.into(), m.as_str().into()]));
            segments.extend(last.iter().map(|last| Cow::Borrowed(*last)));
            segments
        };
        match self {
            Self::Devices => vec!["devices".into()],
            Self::Query(id) | Self::Identity(id) => of("devices", id, &[]),
            Self::Modules(id) => of("devices", id, &[MODULES]),
            Self::Commands(id) => of("devices", id, &["commands"]),
            Self::Twin(id) => of("twins", id, &[]),
            Self::Methods(id) => of("twins", id, &["methods"]),
            Self::Events(id) => of("devices", id, &["messages", "events"]),
            Self::DeviceBound(id) => of("devices", id, &DEVICE_BOUND),
            Self::Locked(id, token) => {
                [of("devices", id, &DEVICE_BOUND), vec![lock(token)]].concat()
            }
            Self::Abandon(id, token) => {
                [of("devices", id, &DEVICE_BOUND), vec![lock(token), "abandon".into()]].concat()
            }
            Self::Feedback => FEEDBACK.map(Cow::Borrowed).into(),
            Self::FeedbackLocked(token) => {
                [&FEEDBACK.map(Cow::Borrowed)[..], &[lock(token)]].concat()
            }
            Self::FeedbackAbandon(token) => {
                [&FEEDBACK.map(Cow::Borrowed)[..], &[lock(token), "abandon".into()]].concat()
            }
            Self::Jobs => vec!["jobs".into(), "v2".into(), "query".into()],
            Self::Job(id) => vec!["jobs".into(), "v2".into(), id.as_str().into()],
            Self::CancelJob(id) => {
                vec!["jobs".into(), "v2".into(), id.as_str().into(), "cancel".into()]
            }
            Self::Send => DEVICE_BOUND.map(Cow::Borrowed).into(),
            Self::DeviceStatistics => vec!["statistics".into(), "devices".into()],
            Self::ServiceStatistics => vec!["statistics".into(), "service".into()],
            Self::Shown(id) => [vec!["admin".into()], of("devices", id, &["commands"])].concat(),
            Self::TwinHistory(id) => {
                [vec!["admin".into()], of("devices", id, &["twin", "history"])].concat()
            }
        }
    }

    /// What `Allow` says.
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Devices => "GET, POST",
            Self::Query(_) => "POST, GET, PUT, DELETE",
            Self::Identity(_) => "GET, PUT, DELETE",
            Self::Twin(_) => "GET, PATCH, PUT",
            Self::Methods(_) | Self::Send | Self::Events(_) => "POST",
            Self::Abandon(..) | Self::FeedbackAbandon(_) | Self::CancelJob(_) => "POST",
            Self::Job(_) => "GET, PUT",
            Self::Commands(_) | Self::Locked(..) | Self::FeedbackLocked(_) => "DELETE",
            Self::Modules(_)
            | Self::DeviceBound(_)
            | Self::Feedback
            | Self::Jobs
            | Self::DeviceStatistics
            | Self::ServiceStatistics
            | Self::Shown(_)
            | Self::TwinHistory(_) => "GET",
        }
    }
}

/// The token of a lock, in any case.
fn lock(text: &str) -> Result<LockToken, Refusal> {
    LockToken::parse(text).ok_or_else(|| {
        let text = "the path ends with no lock token; it is the ETag of what was received";
        Refusal::new(ErrorCode::ArgumentInvalid, text)
    })
}

/// Without the quotes of the `ETag` that it was, as some clients send it.
fn unquoted(text: &str) -> &str {
    let text = text.strip_prefix("%22").or(text.strip_prefix('"')).unwrap_or(text);
    text.strip_suffix("%22").or(text.strip_suffix('"')).unwrap_or(text)
}

fn id(device: &str, module: Option<&str>) -> Result<IdentityId, Refusal> {
    let device = DeviceId::parse(&decoded(device, "device")?).map_err(|why| bad("device", why))?;
    let module = match module {
        None => None,
        Some(text) => {
            Some(ModuleId::parse(&decoded(text, "module")?).map_err(|why| bad("module", why))?)
        }
    };
    Ok(IdentityId { device, module })
}

fn job(segment: &str) -> Result<JobId, Refusal> {
    JobId::parse(&decoded(segment, "job")?)
}

fn decoded(segment: &str, what: &str) -> Result<String, Refusal> {
    let bytes = percent_decode(segment).ok().map(|bytes| bytes.into_owned());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        let text = format!("the {what} id in the path is not percent-encoded UTF-8");
        Refusal::new(ErrorCode::ArgumentInvalid, text)
    })
}

fn bad(what: &str, why: NameError) -> Refusal {
    Refusal::new(ErrorCode::ArgumentInvalid, format!("the {what} id in the path {why}"))
}

const MODULES: &str = "modules";
const DEVICE_BOUND: [&str; 2] = ["messages", "devicebound"];
const FEEDBACK: [&str; 3] = ["messages", "servicebound", "feedback"];
/// `/devices/{id}/messages/devicebound/{lock}/abandon`.
/// Why a path of the cloud's leads nowhere, in words that its SDKs understand (iot-hub C3, C4, C7,
/// C8, D6).
fn not_served(fixed: &[&str]) -> Option<Refusal> {
    let what = match fixed {
        ["configurations", ..] | ["devices", _, "applyconfigurationcontent"] => "configurations",
        ["digitaltwins", ..] => "digital twins; the twin is at /twins/{id}",
        ["devices", _, "files", ..] | ["messages", "servicebound", "filenotifications", ..] => {
            "file upload"
        }
        ["devices", "keys", "regenerate"] => "key regeneration; update the device with empty keys",
        ["jobs"] | ["jobs", _] => "import and export; jobs over devices are at /jobs/v2/{id}",
        _ => return None,
    };
    let code = ErrorCode::OperationNotAvailableInCurrentTier;
    Some(Refusal::new(code, format!("this hub has no {what}")))
}

const SEGMENTS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "0123ABCD-0000-1111-2222-333344445555";

    #[test]
    fn fixed_segments_have_any_case_and_ids_have_theirs() {
        let id = |text: &str| IdentityId::parse(text).unwrap();
        let held = LockToken::parse(LOCK).unwrap();
        for (path, route) in [
            ("/devices", Some(Route::Devices)),
            ("/Devices/", Some(Route::Devices)),
            ("/devices/D1", Some(Route::Identity(id("D1")))),
            ("/DEVICES/a%23b%25%2B/", Some(Route::Identity(id("a#b%+")))),
            ("/devices/Query", Some(Route::Query(id("Query")))),
            ("/devices/d/Modules", Some(Route::Modules(id("d")))),
            ("/devices/d/modules/", Some(Route::Modules(id("d")))),
            ("/devices/d/MODULES/M", Some(Route::Identity(id("d/M")))),
            ("/twins/D", Some(Route::Twin(id("D")))),
            ("/TWINS/D/modules/$edge/", Some(Route::Twin(id("D/$edge")))),
            ("/statistics/Devices", Some(Route::DeviceStatistics)),
            ("/Statistics/service/", Some(Route::ServiceStatistics)),
            ("/", None),
            ("/twins", None),
            ("/twins/d/modules", None),
            ("/Twins/D/Methods", Some(Route::Methods(id("D")))),
            ("/twins/d/modules/M/methods/", Some(Route::Methods(id("d/M")))),
            ("/twins/d/modules/methods", Some(Route::Twin(id("d/methods")))),
            ("/messages/deviceBound", Some(Route::Send)),
            ("/devices/d/commands", Some(Route::Commands(id("d")))),
            ("/admin/devices/D/commands", Some(Route::Shown(id("D")))),
            ("/admin/devices/D/twin/history", Some(Route::TwinHistory(id("D")))),
            ("/admin/devices/d/modules/m/twin/history", Some(Route::TwinHistory(id("d/m")))),
            ("/devices/D/messages/deviceBound", Some(Route::DeviceBound(id("D")))),
            (
                &format!("/devices/d/messages/DEVICEBOUND/{LOCK}"),
                Some(Route::Locked(id("d"), held)),
            ),
            (
                &format!("/devices/d/messages/devicebound/{LOCK}/Abandon/"),
                Some(Route::Abandon(id("d"), held)),
            ),
            (&format!("/devices/d/messages/devicebound/{LOCK}/abandon/x"), None),
            ("/devices/d/messages/Events", Some(Route::Events(id("d")))),
            ("/devices/d/modules/m/messages/events", None),
            ("/messages/serviceBound/feedback", Some(Route::Feedback)),
            (
                &format!("/messages/SERVICEBOUND/feedback/%22{LOCK}%22/"),
                Some(Route::FeedbackLocked(held)),
            ),
            (
                &format!("/messages/servicebound/Feedback/{LOCK}/Abandon"),
                Some(Route::FeedbackAbandon(held)),
            ),
            ("/Jobs/V2/Query/", Some(Route::Jobs)),
            ("/jobs/v2/J%3A1", Some(Route::Job(JobId::parse("J:1").unwrap()))),
            ("/jobs/v2/query/Cancel", Some(Route::CancelJob(JobId::parse("query").unwrap()))),
            ("/devices/d/modules/m/x", None),
            ("/statistics", None),
            ("/admin/sessions", None),
        ] {
            assert_eq!(Route::find(path), Ok(route), "{path}");
        }
        let long = format!("/devices/{}", "a".repeat(129));
        for path in [
            "/devices/%2",
            "/devices/%ff",
            "/devices/a%2Fb",
            "/devices//",
            "/twins/a b",
            &long,
            "/devices/d/messages/devicebound/1",
        ] {
            let refused = Route::find(path).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ArgumentInvalid, "{path}");
        }
    }

    #[test]
    fn what_only_the_cloud_has_is_refused_by_name() {
        for (path, what) in [
            ("/configurations", "configurations"),
            ("/Configurations/c1/", "configurations"),
            ("/devices/d/applyConfigurationContent", "configurations"),
            ("/digitaltwins/d/components/c/commands/x", "digital twins"),
            ("/devices/d/files/notifications", "file upload"),
            ("/messages/serviceBound/filenotifications", "file upload"),
            ("/devices/keys/regenerate", "key regeneration"),
            ("/jobs/create", "import and export"),
        ] {
            let refused = Route::find(path).unwrap_err();
            assert_eq!(refused.code, ErrorCode::OperationNotAvailableInCurrentTier, "{path}");
            assert!(refused.message.contains(what), "{path}: {refused}");
        }
    }

    /// Any text is a path: what is found is found again under its own segments.
    #[test]
    fn what_is_found_is_found_again_by_its_segments() {
        let pieces =
            ["/", "devices", "TWINS", "modules", "statistics", "d%231", "%", "a", "é", "?"];
        let (mut seed, mut found) = (1_u64, 0);
        for _ in 0..20_000 {
            let mut next = |bound: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) as usize % bound
            };
            let path: String = (0..next(6))
                .flat_map(|_| [["/", "/", "/", ""][next(4)], pieces[next(10)]])
                .collect();
            let Ok(Some(route)) = Route::find(&path) else { continue };
            let segments = route.segments();
            let again: String = segments
                .iter()
                .map(|s| format!("/{}", crate::http::query::percent_encode(s)))
                .collect();
            assert_eq!(Route::find(&again), Ok(Some(route)), "{path}");
            found += 1;
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn a_resource_names_the_decoded_path() {
        let segments = |path| {
            let route = Route::find(path).unwrap().unwrap();
            route.segments().join("|")
        };
        assert_eq!(segments("/Twins/a%23/Modules/m/"), "twins|a#|modules|m");
        assert_eq!(segments("/devices/query"), "devices|query");
        assert_eq!(segments("/devices/d/modules"), "devices|d|modules");
        assert_eq!(segments("/statistics/service"), "statistics|service");
        assert_eq!(segments("/twins/d/modules/m/methods"), "twins|d|modules|m|methods");
        assert_eq!(segments("/messages/deviceBound"), "messages|devicebound");
    }
}
