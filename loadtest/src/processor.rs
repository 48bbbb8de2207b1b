//! Which processor runs what: a comparison of servers is one of processor time only when each has
//! one core, and not the one of the load test.
//!
//! The rule it keeps: a server is on its processor before its first instruction, so that all its
//! threads are born there.

use std::io;
use std::process::{Child, Command};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::failure::Failure;

/// Keeps this thread, and all that it starts, on one processor.
pub(crate) fn stay_on(cpu: usize) -> Result<(), Failure> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(Failure::Server(format!("there is no processor {cpu}")));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    allow(&set, cpu)
}

/// Starts a program on one processor: it inherits that of the thread that starts it.
pub(crate) fn spawn_on(cpu: usize, command: &mut Command) -> Result<io::Result<Child>, Failure> {
    let before = sched_getaffinity(None).map_err(io::Error::from);
    let before = before.map_err(Failure::io("ask for our processors"))?;
    stay_on(cpu)?;
    let child = command.spawn();
    allow(&before, cpu)?;
    Ok(child)
}

fn allow(set: &CpuSet, cpu: usize) -> Result<(), Failure> {
    let done = sched_setaffinity(None, set).map_err(io::Error::from);
    done.map_err(Failure::io(format!("move to processor {cpu}")))
}
