//! A service that asks for jobs and follows them.

use crate::device::{Device, Hello};
use crate::world::{Answer, World, take, take_after};
use hub::IfMatch;
use hub::errors::Refusal;
use hub::job::{JobId, Plan, Planned};
use hub::query::Query;
use mqtt::qos::QoS;
use node::jobs::{JobAsk, JobRow};
use node::post::Post;
use serde_json::Value;
use std::sync::Arc;

pub type Shown = Answer<Result<Vec<u8>, Refusal>>;

pub fn plan(world: &mut World, id: &str, body: &str) -> Shown {
    let body: Box<[u8]> = body.as_bytes().into();
    let plan = Plan::read(JobId::parse(id).unwrap(), &body, world.now.wall_ms).unwrap();
    let planned = Box::new(Planned { plan: Arc::new(plan), body });
    world.post(|reply| Post::Jobs(Box::new(JobAsk::Plan(planned, reply))))
}

pub fn planned(world: &mut World, id: &str, body: &str) -> Value {
    document(take_after(world, |world| plan(world, id, body)))
}

pub fn document(shown: Result<Vec<u8>, Refusal>) -> Value {
    serde_json::from_slice(&shown.unwrap()).unwrap()
}

pub fn get(world: &mut World, id: &str) -> Result<Vec<u8>, Refusal> {
    let id = JobId::parse(id).unwrap();
    take(&world.post(|reply| Post::Jobs(Box::new(JobAsk::Get(id, reply)))))
}

pub fn status(world: &mut World, id: &str) -> String {
    document(get(world, id))["status"].as_str().unwrap().to_owned()
}

pub fn cancel(world: &mut World, id: &str) -> Shown {
    let id = JobId::parse(id).unwrap();
    world.post(|reply| Post::Jobs(Box::new(JobAsk::Cancel(id, reply))))
}

/// deviceCount, failedCount, succeededCount, runningCount, pendingCount.
pub fn counts(world: &mut World, id: &str) -> [u64; 5] {
    let job = document(get(world, id));
    ["deviceCount", "failedCount", "succeededCount", "runningCount", "pendingCount"]
        .map(|name| job["deviceJobStatistics"][name].as_u64().unwrap())
}

/// A connection that hears of methods.
pub fn listening(world: &mut World, id: &str) -> Device {
    let (mut device, _) = Hello::new(id).connect(world);
    device.subscribe(world, &[("$iothub/methods/+", QoS::AtMostOnce)]);
    device
}

/// All that a query of devices.jobs finds.
pub fn rows(world: &mut World, query: &str) -> Vec<Value> {
    let query = Arc::new(Query::parse(query).unwrap());
    let (mut all, mut after): (Vec<Value>, Option<JobRow>) = (Vec::new(), None);
    loop {
        let ask = |reply| JobAsk::Rows(Arc::clone(&query), after, 3, reply);
        let part = take(&world.post(|reply| Post::Jobs(Box::new(ask(reply)))));
        all.extend(part.rows.iter().map(|(_, row)| serde_json::from_slice::<Value>(row).unwrap()));
        after = part.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Devices d0, d1 ... of which every second is even.
pub fn with_devices(mut world: World, count: usize) -> World {
    for n in 0..count {
        let id = format!("d{n}");
        assert_eq!(take_after(&mut world, |w| w.put(&id, IfMatch::Absent)), Ok(true));
        let tags = format!(r#"{{"tags":{{"even":{}}}}}"#, n % 2 == 0);
        assert!(take_after(&mut world, |w| w.patch(&id, &tags)).is_ok());
    }
    world
}

pub fn version(world: &mut World, id: &str) -> u64 {
    let twin: Value = serde_json::from_str(&world.twin(id).unwrap()).unwrap();
    twin["version"].as_u64().unwrap()
}

pub fn twin_job(name: &str, rest: &str) -> String {
    format!(r#"{{"type":"scheduleUpdateTwin","updateTwin":{{"tags":{{"{name}":1}}}}{rest}}}"#)
}

pub fn method_job(rest: &str) -> String {
    format!(
        r#"{{"type":"scheduleDeviceMethod","cloudToDeviceMethod":{{"methodName":"reboot",
            "responseTimeoutInSeconds":5,"connectTimeoutInSeconds":0}}{rest}}}"#
    )
}
