//! A whole reactor: whatever clients send, in whatever pieces and at whatever time, it does not
//! panic, each client receives legal packets in a legal order within its own bounds, and in the
//! end nothing is left. Refuses to know sockets: the simulator has those.

mod client;
mod observer;
mod speech;
mod world;

use crate::choices::Choices;
use world::World;

/// A list of steps of some clients, the clock and the operator.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut world = World::new(&mut choices);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        world.step(&mut choices);
    }
    world.end();
}

const STEPS_MAX: usize = 400;
