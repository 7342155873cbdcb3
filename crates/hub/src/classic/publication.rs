//! What a device means by publishing to a topic (iot-hub D2). Refuses to know the payload.

use crate::identity::IdentityId;
use crate::plane::{parse_i32, parse_u64};
use crate::twin::IfVersion;

/// A topic that a device may publish to, taken apart. Case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication<'t> {
    /// `devices/{d}[/modules/{m}]/messages/events/{bag}`; the bag as it stands there, without the
    /// slashes around it.
    Telemetry {
        /// [`telemetry`](super::telemetry) reads it.
        bag: &'t str,
    },
    /// `$iothub/methods/res/{status}/?$rid={rid}`
    MethodResponse {
        /// Of the device's own choice.
        status: i32,
        /// Of the request.
        rid: &'t str,
    },
    /// `$iothub/twin/GET/?$rid={rid}`. What payload there is means nothing: SDKs send a blank.
    TwinGet {
        /// Of the device's own choice; the response carries it as it stands here.
        rid: &'t str,
    },
    /// `$iothub/twin/PATCH/properties/reported/?$rid={rid}[&$version={base}]`
    PatchReported {
        /// Likewise.
        rid: &'t str,
        /// The version that the patch is for.
        base: BaseVersion,
    },
}

/// `$version` of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseVersion {
    /// What the reported section has to be at, or anything.
    Known(IfVersion),
    /// It is no number: the response is a 400.
    Unreadable,
}

/// Why a publication is none: the connection is closed (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPublication {
    /// A topic under `$iothub/` that is not defined.
    #[error("there is no such topic under $iothub/")]
    Topic,
    /// A topic elsewhere, of another device's perhaps. Where ordinary topics exist too (profile
    /// `open`) it is the broker's.
    #[error("the topic is none of this device's")]
    Outside,
    /// A topic with `$rid` has none.
    #[error("the topic has no $rid")]
    NoRequestId,
    /// The status of a method response is no integer.
    #[error("the status of a method response is an integer")]
    Status,
}

impl<'t> Publication<'t> {
    /// Takes a topic name apart on a connection of this identity. The values of `$rid` and
    /// `$version` are not percent-encoded; their `$` may be.
    ///
    /// # Errors
    /// When the identity has no such topic.
    pub fn of(id: &IdentityId, topic: &'t str) -> Result<Self, NoPublication> {
        match topic.strip_prefix("$iothub/") {
            Some(rest) => Self::under_iothub(rest),
            None => telemetry(id, topic),
        }
    }

    fn under_iothub(rest: &'t str) -> Result<Self, NoPublication> {
        let (path, query) = rest.split_once("/?").ok_or(NoPublication::Topic)?;
        let of = |key: &str| {
            let value = |pair: &'t str| {
                let named = pair.strip_prefix('$').or_else(|| pair.strip_prefix("%24"))?;
                named.strip_prefix(key)?.strip_prefix('=')
            };
            query.split('&').find_map(value)
        };
        let rid = || of("rid").filter(|rid| !rid.is_empty()).ok_or(NoPublication::NoRequestId);
        match path {
            "twin/GET" => Ok(Self::TwinGet { rid: rid()? }),
            "twin/PATCH/properties/reported" => {
                let base = match of("version").map(parse_u64) {
                    None => BaseVersion::Known(IfVersion::Any),
                    Some(Some(version)) => BaseVersion::Known(IfVersion::Is(version)),
                    Some(None) => BaseVersion::Unreadable,
                };
                Ok(Self::PatchReported { rid: rid()?, base })
            }
            _ => {
                let status = path.strip_prefix("methods/res/").ok_or(NoPublication::Topic)?;
                let status = parse_i32(status).ok_or(NoPublication::Status)?;
                Ok(Self::MethodResponse { status, rid: rid()? })
            }
        }
    }
}

/// Of `devices/{d}/messages/events`, what stands behind; a slash may end it in every form.
fn telemetry<'t>(id: &IdentityId, topic: &'t str) -> Result<Publication<'t>, NoPublication> {
    let events = own(id, topic).and_then(|rest| rest.strip_prefix("messages/events"));
    let rest = events.ok_or(NoPublication::Outside)?;
    let bag = match rest.strip_prefix('/') {
        Some(bag) => bag.strip_suffix('/').unwrap_or(bag),
        None if rest.is_empty() => rest,
        None => return Err(NoPublication::Outside),
    };
    Ok(Publication::Telemetry { bag })
}

/// What stands behind `devices/{d}/`, or behind `devices/{d}/modules/{m}/` for a module.
pub(super) fn own<'t>(id: &IdentityId, topic: &'t str) -> Option<&'t str> {
    let rest = topic.strip_prefix("devices/")?.strip_prefix(id.device.as_str())?;
    let rest = rest.strip_prefix('/')?;
    match &id.module {
        Some(module) => {
            rest.strip_prefix("modules/")?.strip_prefix(module.as_str())?.strip_prefix('/')
        }
        None => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn id(text: &str) -> IdentityId {
        IdentityId::parse(text).unwrap()
    }

    #[test]
    fn telemetry_has_slashes_anywhere() {
        for (topic, bag) in [
            ("", ""),
            ("/", ""),
            ("//", ""),
            ("/a=b", "a=b"),
            ("/a=b/", "a=b"),
            ("/?a&b=", "?a&b="),
            ("/%24.ct=application%2Fjson&%24.ce=utf-8/", "%24.ct=application%2Fjson&%24.ce=utf-8"),
            ("/$.on=out/", "$.on=out"),
            ("/a=b/c", "a=b/c"),
        ] {
            for (who, start) in [("D1", "devices/D1"), ("D1/m", "devices/D1/modules/m")] {
                let topic = format!("{start}/messages/events{topic}");
                let read = Publication::of(&id(who), &topic);
                assert_eq!(read, Ok(Publication::Telemetry { bag }), "{topic}");
            }
        }
    }

    #[test]
    fn methods_and_twins() {
        let reported = "$iothub/twin/PATCH/properties/reported/";
        let patch = |rid, base| Ok(Publication::PatchReported { rid, base });
        let any = BaseVersion::Known(IfVersion::Any);
        let is = |version| BaseVersion::Known(IfVersion::Is(version));
        let uuid = "0a2b-%41";
        for (topic, expected) in [
            ("$iothub/twin/GET/?$rid=7", Ok(Publication::TwinGet { rid: "7" })),
            ("$iothub/twin/GET/?x=1&$rid=0a2b-%41", Ok(Publication::TwinGet { rid: uuid })),
            ("$iothub/twin/GET/?%24rid=7", Ok(Publication::TwinGet { rid: "7" })),
            ("$iothub/twin/GET/?$rid=", Err(NoPublication::NoRequestId)),
            ("$iothub/twin/GET/?rid=1", Err(NoPublication::NoRequestId)),
            ("$iothub/twin/GET/?", Err(NoPublication::NoRequestId)),
            ("$iothub/twin/GET/", Err(NoPublication::Topic)),
            ("$iothub/twin/GET?$rid=1", Err(NoPublication::Topic)),
            ("$iothub/twin/get/?$rid=1", Err(NoPublication::Topic)),
            (&*format!("{reported}?$rid=1"), patch("1", any)),
            (&*format!("{reported}?$rid=1&$version=4"), patch("1", is(4))),
            (&*format!("{reported}?$version=4&$rid=1"), patch("1", is(4))),
            (&*format!("{reported}?$rid=1&$version=x"), patch("1", BaseVersion::Unreadable)),
            (&*format!("{reported}?$rid=1&$version=+4"), patch("1", BaseVersion::Unreadable)),
            (&*format!("{reported}?$version=4"), Err(NoPublication::NoRequestId)),
            (
                "$iothub/methods/res/200/?$rid=5",
                Ok(Publication::MethodResponse { status: 200, rid: "5" }),
            ),
            (
                "$iothub/methods/res/-1/?$rid=5",
                Ok(Publication::MethodResponse { status: -1, rid: "5" }),
            ),
            ("$iothub/methods/res/ok/?$rid=5", Err(NoPublication::Status)),
            ("$iothub/methods/res//?$rid=5", Err(NoPublication::Status)),
            ("$iothub/methods/res/200/?", Err(NoPublication::NoRequestId)),
            ("$iothub/methods/POST/reboot/?$rid=5", Err(NoPublication::Topic)),
            ("$iothub/twin/res/200/?$rid=5", Err(NoPublication::Topic)),
            ("$iothub/telemetry", Err(NoPublication::Topic)),
        ] {
            assert_eq!(Publication::of(&id("D1"), topic), expected, "{topic}");
            assert_eq!(Publication::of(&id("D1/m"), topic), expected, "{topic}");
        }
    }

    #[test]
    fn topics_of_others_are_none() {
        for (who, topic) in [
            ("D1", "devices/D2/messages/events/"),
            ("D1", "devices/d1/messages/events/"),
            ("D1", "devices/D12/messages/events/"),
            ("D1", "devices/D1/modules/m/messages/events/"),
            ("D1/m", "devices/D1/messages/events/"),
            ("D1/m", "devices/D1/modules/n/messages/events/"),
            ("D1", "devices/D1/messages/eventsx"),
            ("D1", "devices/D1/messages/devicebound/"),
            ("D1", "devices/D1/Messages/Events/"),
            ("D1", "devices/D1"),
            ("D1", "/devices/D1/messages/events/"),
            ("D1", "a/b"),
            ("D1", ""),
        ] {
            let read = Publication::of(&id(who), topic);
            assert_eq!(read, Err(NoPublication::Outside), "{who} {topic}");
        }
    }

    #[test]
    fn any_topic_is_read_or_refused() {
        let mut chance = Chance::new(2);
        let pieces = [
            "devices",
            "/",
            "D1",
            "messages/events",
            "$iothub",
            "/?",
            "$rid=",
            "$version=",
            "&",
            "twin/GET",
            "methods/res/",
            "twin/PATCH/properties/reported",
            "é",
            "1",
        ];
        for _ in 0..3_000 {
            let topic: String = (0..chance.below(9)).map(|_| chance.one_of(&pieces)).collect();
            let _ = Publication::of(&id("D1"), &topic);
        }
    }
}
