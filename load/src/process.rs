//! What the system says of a process, and where a process may run. Refuses to know what it does.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use rustix::thread::CpuSet;
use std::process::{Command, Stdio};

/// A process that is watched from outside.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// By its number.
    pub fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// Its threads run before every other, where the system allows it: what else the machine does
    /// delays none. They may not be busy all the time, as the system gives a twentieth of each
    /// second to others.
    pub fn goes_first(self) {
        real_time(&["--rr", "--all-tasks", "--pid", "10", &self.0.to_string()]);
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_kib(self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let value = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
        value.context("the process has no memory: it has ended")
    }

    /// Open file descriptors.
    ///
    /// # Errors
    /// When it has ended.
    pub fn descriptors(self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Asks it to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Stops it where it is; only its end can follow.
    pub fn freeze(self) {
        self.signal(Signal::STOP);
    }

    fn signal(self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.0).ok().and_then(Pid::from_raw) {
            // It may have ended already, which nobody here minds.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Keeps this thread, and those it starts, on one core.
///
/// # Errors
/// When there is no such core for us.
pub fn stay_on(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).context("cannot choose a core")
}

/// As many open files as the hard limit allows.
pub fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, opening a connection will say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// This thread runs before every other on its core, where the system allows it.
pub fn go_first() {
    let tid = rustix::thread::gettid().as_raw_nonzero().to_string();
    real_time(&["--fifo", "--pid", "10", &tid]);
}

fn real_time(words: &[&str]) {
    let mut command = Command::new("chrt");
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    // Where it is not allowed the figures of the stream alone show it.
    let _ = command.status();
}

/// This thread gives way to every other: the paced stream must not wait for the load beside it.
pub fn give_way() {
    // Lowering one's own priority is always allowed; were it not, the lag would show it.
    let _ = rustix::process::setpriority_process(None, LOWEST);
}

const LOWEST: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_this_process() {
        let own = Process::new(std::process::id());
        assert!(own.resident_kib().unwrap() > 500);
        assert!(own.descriptors().unwrap() > 2);
        assert!(Process::new(u32::MAX).descriptors().is_err());
    }
}
