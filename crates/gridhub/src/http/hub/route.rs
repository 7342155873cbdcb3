//! Which path of the service API it is (iot-hub C1): fixed segments in any case, ids with theirs
//! and percent-encoded, perhaps a slash at the end. Refuses to know methods' meaning and rights.

use hub::errors::{ErrorCode, Refusal};
use hub::identity::{DeviceId, IdentityId, ModuleId, NameError};

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
    /// `/statistics/devices`.
    DeviceStatistics,
    /// `/statistics/service`.
    ServiceStatistics,
}

impl Route {
    /// The route of a request's path; `None` when there is none.
    ///
    /// # Errors
    /// ArgumentInvalid for an id that cannot be.
    pub fn find(path: &str) -> Result<Option<Self>, Refusal> {
        let Some(path) = path.strip_prefix('/') else { return Ok(None) };
        let mut parts = path.strip_suffix('/').unwrap_or(path).splitn(SEGMENTS_MAX + 1, '/');
        let mut next = || parts.next();
        let segments: [Option<&str>; SEGMENTS_MAX + 1] = std::array::from_fn(|_| next());
        let is = |segment: &str, name: &str| segment.eq_ignore_ascii_case(name);
        let identity = |device, module| Ok(Some(Self::Identity(id(device, module)?)));
        let twin = |device, module| Ok(Some(Self::Twin(id(device, module)?)));
        match segments {
            [Some(a), None, ..] if is(a, "devices") => Ok(Some(Self::Devices)),
            [Some(a), Some(b), None, ..] if is(a, "devices") && is(b, "query") => {
                Ok(Some(Self::Query(id(b, None)?)))
            }
            [Some(a), Some(device), None, ..] if is(a, "devices") => identity(device, None),
            [Some(a), Some(device), Some(b), module, None] if is(b, "modules") => {
                match (is(a, "devices"), is(a, "twins"), module) {
                    (true, _, None) => Ok(Some(Self::Modules(id(device, None)?))),
                    (true, _, module) => identity(device, module),
                    (_, true, Some(_)) => twin(device, module),
                    _ => Ok(None),
                }
            }
            [Some(a), Some(device), None, ..] if is(a, "twins") => twin(device, None),
            [Some(a), Some(b), None, ..] if is(a, "statistics") && is(b, "devices") => {
                Ok(Some(Self::DeviceStatistics))
            }
            [Some(a), Some(b), None, ..] if is(a, "statistics") && is(b, "service") => {
                Ok(Some(Self::ServiceStatistics))
            }
            _ => Ok(None),
        }
    }

    /// The decoded segments, as a token's resource names them.
    pub fn segments(&self) -> Vec<&str> {
        let of = |first, id| {
            let IdentityId { device, module }: &IdentityId = id;
            let mut segments = vec![first, device.as_str()];
            segments.extend(module.iter().flat_map(|module| [MODULES, module.as_str()]));
            segments
        };
        match self {
            Self::Devices => vec!["devices"],
            Self::Query(id) | Self::Identity(id) => of("devices", id),
            Self::Modules(id) => vec!["devices", id.device.as_str(), MODULES],
            Self::Twin(id) => of("twins", id),
            Self::DeviceStatistics => vec!["statistics", "devices"],
            Self::ServiceStatistics => vec!["statistics", "service"],
        }
    }

    /// What `Allow` says.
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Devices => "GET, POST",
            Self::Query(_) => "POST, GET, PUT, DELETE",
            Self::Identity(_) => "GET, PUT, DELETE",
            Self::Modules(_) | Self::DeviceStatistics | Self::ServiceStatistics => "GET",
            Self::Twin(_) => "GET, PATCH, PUT",
        }
    }
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
/// `/devices/{id}/modules/{id}`.
const SEGMENTS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_segments_have_any_case_and_ids_have_theirs() {
        let id = |text: &str| IdentityId::parse(text).unwrap();
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
            ("/twins/d/methods", None),
            ("/devices/d/messages/events", None),
            ("/devices/d/modules/m/x", None),
            ("/statistics", None),
            ("/admin/sessions", None),
        ] {
            assert_eq!(Route::find(path), Ok(route), "{path}");
        }
        let long = format!("/devices/{}", "a".repeat(129));
        for path in
            ["/devices/%2", "/devices/%ff", "/devices/a%2Fb", "/devices//", "/twins/a b", &long]
        {
            let refused = Route::find(path).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ArgumentInvalid, "{path}");
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
    }
}
