//! What a process has used so far, as Linux tells it in `/proc`.
//!
//! Knows nothing of servers and clients. The rule it keeps: a figure that cannot be read is 0,
//! because a server that is gone is reported by whoever waits for it.

use std::fs;
use std::path::PathBuf;

/// A process to look at.
#[derive(Clone, Debug)]
pub(crate) struct Process(PathBuf);

/// What a process has used at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time of all its threads in seconds, user and system.
    pub(crate) cpu_s: f64,
    /// Resident memory in bytes.
    pub(crate) rss_bytes: u64,
    /// The most resident memory it ever had in bytes.
    pub(crate) peak_bytes: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
}

impl Process {
    /// The process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{pid}")))
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(PathBuf::from("/proc/self"))
    }

    /// What it has used up to now.
    pub(crate) fn usage(&self) -> Usage {
        let read = |name: &str| fs::read_to_string(self.0.join(name)).unwrap_or_default();
        let status = read("status");
        Usage {
            cpu_s: self.cpu_of_threads_s().unwrap_or_else(|| cpu_s(&read("stat"))),
            rss_bytes: kib_line(&status, "VmRSS:"),
            peak_bytes: kib_line(&status, "VmHWM:"),
            descriptors: fs::read_dir(self.0.join("fd")).map_or(0, |fds| fds.count() as u64),
        }
    }

    /// To the nanosecond, where the kernel keeps such accounts: of the threads that there are now.
    fn cpu_of_threads_s(&self) -> Option<f64> {
        let threads = fs::read_dir(self.0.join("task")).ok()?;
        let used: Option<Vec<f64>> = threads
            .map(|thread| run_s(&fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?))
            .collect();
        used.map(|each| each.iter().sum()).filter(|&all| all > 0.0)
    }
}

/// The first field of `/proc/PID/task/TID/schedstat`, in nanoseconds (proc_pid_schedstat(5)).
fn run_s(schedstat: &str) -> Option<f64> {
    let ns: u64 = schedstat.split_ascii_whitespace().next()?.parse().ok()?;
    Some(ns as f64 / 1e9)
}

impl Process {
    /// Processor time in seconds of those of its threads that have this name, as far as they still
    /// run; in nanoseconds where the kernel counts them (proc_pid_schedstat(5)).
    pub(crate) fn threads_cpu_s(&self, name: &str) -> f64 {
        let Ok(tasks) = fs::read_dir(self.0.join("task")) else { return 0.0 };
        let read = |task: &fs::DirEntry, file| {
            fs::read_to_string(task.path().join(file)).unwrap_or_default()
        };
        let is_named = |task: &fs::DirEntry| read(task, "comm").trim_end() == name;
        let used_s = |task: fs::DirEntry| {
            run_s(&read(&task, "schedstat")).unwrap_or_else(|| cpu_s(&read(&task, "stat")))
        };
        tasks.map_while(Result::ok).filter(is_named).map(used_s).sum()
    }
}

/// Fields 14 and 15 of `/proc/PID/stat` (proc_pid_stat(5)). The name before them may hold spaces
/// and brackets, so counting begins after its last bracket, at field 3.
fn cpu_s(stat: &str) -> f64 {
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return 0.0;
    };
    let ticks = |at: usize| fields.split_ascii_whitespace().nth(at - 3)?.parse::<u64>().ok();
    let used = ticks(14).unwrap_or(0) + ticks(15).unwrap_or(0);
    used as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn kib_line(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_ascii_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = Process::own().usage();
        assert!(usage.rss_bytes > 100_000 && usage.peak_bytes >= usage.rss_bytes, "{usage:?}");
        assert!(usage.descriptors >= 3, "{usage:?}");
    }

    #[test]
    fn time_on_a_processor_is_told_in_nanoseconds() {
        assert_eq!(run_s("1500000000 20 30\n"), Some(1.5));
        assert_eq!(run_s(""), None);
    }

    #[test]
    fn a_thread_is_found_by_its_name() {
        let (ready, wait) = std::sync::mpsc::sync_channel(0);
        let (end, until) = std::sync::mpsc::sync_channel::<()>(0);
        let work = move || {
            std::hint::black_box((0..1_000_000_u64).map(std::hint::black_box).sum::<u64>());
            ready.send(()).unwrap();
            until.recv().unwrap();
        };
        let thread = std::thread::Builder::new().name("counted".to_owned()).spawn(work).unwrap();
        wait.recv().unwrap();
        assert!(Process::own().threads_cpu_s("counted") > 0.0);
        assert!(Process::own().threads_cpu_s("nobody") <= 0.0);
        end.send(()).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert!((cpu_s(stat) - 200.0 / ticks).abs() < 1e-9);
    }
}
