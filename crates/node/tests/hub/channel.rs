//! What the telemetry channel has, as readers find it.

use crate::world::World;
use hub::channel::Envelope;
use std::sync::Arc;
use store::log::Credit;
use store::op::Sequence;

/// Partition, offset, and the line of each message, without what readers skip over.
pub fn lines(world: &mut World) -> Vec<(usize, u64, String)> {
    let (log, channel) = (world.log(), Arc::clone(&world.hub.channel));
    let credit = Credit { records: 7, bytes: 1 << 20 };
    let mut all = Vec::new();
    for partition in 0..channel.settings().partitions.count() {
        let mut from = Sequence(0);
        loop {
            let page = channel.read(log.as_ref(), partition, from, credit).unwrap();
            if page.records.is_empty() {
                break;
            }
            from = page.next;
            for (at, payload) in page.records {
                let mut line = Vec::new();
                let envelope = Envelope::decode(&payload).unwrap();
                envelope.write_json(partition, at.0, &mut line);
                all.push((partition, at.0, String::from_utf8(line).unwrap()));
            }
        }
    }
    all
}

/// All messages as the channel has them, a list for each partition.
fn kept(world: &mut World) -> Vec<Vec<Vec<u8>>> {
    let (log, channel) = (world.log(), Arc::clone(&world.hub.channel));
    let credit = Credit { records: usize::MAX, bytes: usize::MAX };
    let all = 0..channel.settings().partitions.count();
    let read = |partition| channel.read(log.as_ref(), partition, Sequence(0), credit).unwrap();
    all.map(|partition| read(partition).records.into_iter().map(|(_, p)| p).collect()).collect()
}

/// The same, in the order of each device.
pub fn payloads(world: &mut World) -> Vec<Vec<u8>> {
    kept(world).concat()
}

/// The bodies of all messages, a list for each partition.
pub fn bodies(world: &mut World) -> Vec<Vec<String>> {
    let body = |payload: &Vec<u8>| {
        String::from_utf8(Envelope::decode(payload).unwrap().body.to_vec()).unwrap()
    };
    kept(world).iter().map(|partition| partition.iter().map(body).collect()).collect()
}

pub fn count(world: &mut World) -> usize {
    kept(world).iter().map(Vec::len).sum()
}
