//! What happens when the system gives no more descriptors: who is connected is served, who comes
//! waits at the door, and gets in as soon as somebody has gone.
use e2e::raw::{Raw, connect};
use e2e::{Options, Server};

#[test]
fn at_the_limit_of_open_files_newcomers_wait_and_get_in_later() {
    let options = Options { open_files: Some((60, 120)), ..Options::default() };
    let server = Server::start(&options);
    // More than the soft limit: it was raised to the hard one.
    let mut served: Vec<Raw> = (0..70).map(|n| Raw::v5(&server, &format!("early-{n}"))).collect();
    // The rest of the descriptors, and more than there are.
    let mut waiting: Vec<Raw> = (0..70)
        .map(|n| {
            let mut raw = Raw::open(&server);
            raw.send(&connect(5, 2, &format!("late-{n}"), &[]));
            raw
        })
        .collect();
    served[0].ping();
    served[69].ping();
    // With the early ones gone there is room for everybody.
    drop(served);
    let last = waiting.last_mut().expect("seventy came");
    let (first, body) = last.packet();
    assert_eq!((first, body[1]), (0x20, 0), "CONNACK {body:02x?}");
    last.ping();
}
