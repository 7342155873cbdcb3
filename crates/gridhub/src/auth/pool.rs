//! A few threads for checks that cost more than a reactor may spend. Owns the bound on what
//! waits; knows nothing of what a check is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A piece of work; it reports its own outcome.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that take jobs in order. Dropping the pool finishes what waits and ends the threads.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// The queue is full; the job was dropped unrun.
#[derive(Debug)]
pub struct Full;

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    waiting_max: usize,
}

struct Queue {
    jobs: VecDeque<Job>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closing,
}

impl Pool {
    /// Starts the threads; at most `waiting_max` jobs wait.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(threads: usize, waiting_max: usize) -> std::io::Result<Self> {
        let queue = Mutex::new(Queue { jobs: VecDeque::new(), state: State::Open });
        let shared = Arc::new(Shared { queue, wake: Condvar::new(), waiting_max });
        let mut pool = Self { shared, threads: Vec::new() };
        for at in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new()
                .name(format!("auth-{at}"))
                .spawn(move || shared.work())?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Queues a job; never blocks for longer than a push.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn submit(&self, job: Job) -> Result<(), Full> {
        let mut queue = self.shared.lock();
        if queue.jobs.len() >= self.shared.waiting_max {
            return Err(Full);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().state = State::Closing;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread cannot end by a panic: jobs are caught.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let mut queue = self.lock();
            let job = loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.state == State::Closing {
                    return;
                }
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            // One broken check must not take the thread from all that follow.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_full_queue_refuses_and_a_panic_harms_nobody() {
        let pool = Pool::new(1, 2).expect("pool");
        let (go, gate) = channel::<()>();
        let (started, has_started) = channel();
        let blocking = Box::new(move || {
            started.send(()).expect("test listens");
            gate.recv().expect("test sends");
        });
        assert!(pool.submit(blocking).is_ok());
        has_started.recv().expect("started");
        let (done, answers) = channel();
        let answer = done.clone();
        assert!(pool.submit(Box::new(|| panic!("broken check"))).is_ok());
        assert!(pool.submit(Box::new(move || answer.send(1).expect("listening"))).is_ok());
        assert!(pool.submit(Box::new(move || done.send(2).expect("listening"))).is_err());
        go.send(()).expect("job waits");
        drop(pool);
        assert_eq!(answers.iter().collect::<Vec<i32>>(), [1]);
    }
}
