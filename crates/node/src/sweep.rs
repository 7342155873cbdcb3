//! What is looked at now and then because nobody comes for it. Refuses to know what it was.

use crate::record::bury;
use crate::shard::Shard;
use crate::timers::Timer;

impl Shard {
    /// Retained messages that have expired are never given out; here their memory is freed.
    pub(crate) fn sweep(&mut self) {
        let now_ms = self.homes.now.wall_ms;
        let Self { retained, keys, perform, .. } = self;
        let swept = retained.expire(now_ms, SWEPT_AT_ONCE, |gone| {
            if let Some(need) = keys.pass(bury(gone)) {
                perform.need(need);
            }
        });
        let more = swept == SWEPT_AT_ONCE;
        self.keep_channel();
        self.keep_clock();
        self.homes.arm(Timer::Sweep, now_ms + if more { 1 } else { SWEEP_MS });
    }
}

const SWEPT_AT_ONCE: usize = 1_000;
/// How often.
pub(crate) const SWEEP_MS: u64 = 10_000;
