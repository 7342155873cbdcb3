//! `?wait=delivered`: counts acknowledgements of one publish (product 4). Refuses to know who
//! acknowledges.

use std::sync::atomic::{AtomicU32, Ordering};

use broker::publication::Watch;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

/// How many receivers have acknowledged so far.
#[derive(Debug, Default)]
pub struct Delivery {
    delivered: AtomicU32,
    changed: Notify,
}

impl Delivery {
    /// Waits until `subscribers` have acknowledged, or for `longest`. Returns how many had.
    pub async fn wait(&self, subscribers: u32, longest: Duration) -> u32 {
        let all = async {
            while self.delivered() < subscribers {
                // One waiter: a notice between the check and the wait is kept as a permit.
                self.changed.notified().await;
            }
        };
        // The time being over is an answer, not an error.
        let _ = timeout(longest, all).await;
        self.delivered().min(subscribers)
    }

    fn delivered(&self) -> u32 {
        self.delivered.load(Ordering::Acquire)
    }
}

impl Watch for Delivery {
    fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Release);
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_when_all_have_acknowledged() {
        let delivery = Arc::new(Delivery::default());
        let watch: Arc<dyn Watch> = delivery.clone();
        let waiting = tokio::spawn(async move { delivery.wait(2, Duration::from_secs(5)).await });
        watch.delivered();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        watch.delivered();
        assert_eq!(waiting.await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_when_the_time_is_over() {
        let delivery = Delivery::default();
        Watch::delivered(&delivery);
        assert_eq!(delivery.wait(3, Duration::from_secs(5)).await, 1);
        assert_eq!(delivery.wait(0, Duration::from_secs(5)).await, 0);
    }
}
