//! The hub as metrics: names and help. Refuses to count: it reads what all homes share and asks
//! them for the rest.

use tokio::time::{Duration, timeout};

use hub::job::{Loss, Status};
use node::devices::{Hub, Metered};

use super::backend::{Backend, Family, Kind, Sample};
use super::hub::job_counts;

/// What a hub has; nothing where there is none.
pub async fn families<B: Backend>(backend: &B) -> Vec<Family> {
    let Some(hub) = backend.hub() else { return Vec::new() };
    let mut families = shared(hub);
    // A reactor that does not answer must not take all other metrics with it.
    if let Ok(Ok(counts)) = timeout(PATIENCE, job_counts(backend)).await {
        let of = |(status, count): (Status, u64)| sample("status", status.as_str(), count);
        let help = "Jobs that wait, run, or are kept, by status.";
        families.push(gauge("gridhub_hub_jobs", help, counts.map(of).into()));
    }
    let Ok(Some(counts)) = timeout(PATIENCE, backend.device_counts()).await else {
        return families;
    };
    let status = |status: &str, count| sample("status", status, count);
    families.extend([
        gauge(
            "gridhub_hub_devices",
            "Registered devices by status, modules not counted.",
            vec![status("enabled", counts.enabled), status("disabled", counts.disabled)],
        ),
        gauge(
            "gridhub_hub_connected_devices",
            "Devices that are connected.",
            vec![(Vec::new(), counts.connected)],
        ),
    ]);
    families
}

/// What homes count together.
fn shared(hub: &Hub) -> Vec<Family> {
    let room = &hub.feedback_room;
    let undefined = hub.routing.undefined();
    let undefined = undefined.map(|(route, count)| sample("route", route.as_str(), count));
    let throttled = |kind: Metered| sample("operation", kind.name(), hub.throttles.throttled(kind));
    vec![
        gauge(
            "gridhub_hub_feedback_waiting",
            "Ends of commands that wait for a reader of feedback.",
            vec![(Vec::new(), room.taken())],
        ),
        counter(
            "gridhub_hub_feedback_dropped_total",
            "Ends of commands that found no room (hub.feedback.items_max).",
            vec![(Vec::new(), room.dropped())],
        ),
        counter(
            "gridhub_hub_operations_throttled_total",
            "Operations refused at a bound of hub.throttles or hub.device_throttles.",
            Metered::ALL.map(throttled).into(),
        ),
        counter(
            "gridhub_hub_jobs_dropped_total",
            "What jobs have not kept: payloads of answers, and ended jobs before their time.",
            Loss::ALL.map(|loss| sample("reason", loss.name(), hub.job_losses.of(loss))).into(),
        ),
        counter(
            "gridhub_hub_route_conditions_undefined_total",
            "Messages of which the condition of a route could not say: it counts as false.",
            undefined.collect(),
        ),
    ]
}

fn sample(label: &'static str, content: &str, value: u64) -> Sample {
    (vec![(label, content.to_owned())], value)
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: Kind::Gauge, samples }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: Kind::Counter, samples }
}

const PATIENCE: Duration = Duration::from_secs(1);
