//! The server under test: started in a directory of its own, asked for its address, watched, and
//! ended, whatever happens.
//!
//! Refuses to know what is done to it. The rule it keeps: no server and no directory outlives the
//! run that made them.

use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::options::{Plan, Scenario, Target};
use crate::process::{Process, Usage};
use crate::processor;

/// How long a server may take to say where it listens.
const START_BEFORE: Duration = Duration::from_secs(10);
/// How long it may take to end. Longer than its own drain time.
const STOP_BEFORE: Duration = Duration::from_secs(20);
const STOP_LOOK: Duration = Duration::from_millis(5);

/// What the threads of the server that hash passwords are called.
pub(crate) const PASSWORD_THREADS: &str = "passwords";
/// The password of every account that is made for a run.
pub(crate) const PASSWORD: &str = "open sesame";

/// A server, ours or somebody else's.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process, if it is known.
    pub(crate) process: Option<Process>,
    child: Option<Child>,
    built_in: bool,
    data: Option<TempDir>,
}

impl Server {
    /// Starts what the plan asks for.
    pub(crate) fn start(plan: &Plan) -> Result<Self, Failure> {
        let (command, data) = match &plan.target {
            Target::Address { address, pid, .. } => {
                return Ok(Self::running(*address, pid.map(Process::of)));
            }
            Target::Bare => (bare_command()?, None),
            Target::Binary(binary) => {
                let data = TempDir::new().map_err(Failure::io("make a directory"))?;
                if plan.accounts > 0 {
                    import(binary, data.path(), plan)?;
                }
                (serve_command(binary, "127.0.0.1:0", data.path(), plan), Some(data))
            }
        };
        Self::spawn(plan, command, data)
    }

    /// Kills it without a word (SIGKILL).
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().and_then(|()| child.wait()).map_err(Failure::io("kill the server"))?;
        Ok(())
    }

    /// Starts it again after it was killed: on the same folder, at the same address.
    pub(crate) fn start_again(mut self, plan: &Plan) -> Result<Self, Failure> {
        let (Target::Binary(binary), Some(data)) = (&plan.target, self.data.take()) else {
            return Err(Failure::Server("only a server that we started is started again".into()));
        };
        let address = self.address.to_string();
        let command = serve_command(binary, &address, data.path(), plan);
        Self::spawn(plan, command, Some(data))
    }

    fn spawn(plan: &Plan, mut command: Command, data: Option<TempDir>) -> Result<Self, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        // A pipe that is never written to: the built-in server ends when it does.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = match plan.server_cpu {
            Some(cpu) => processor::spawn_on(cpu, &mut command)?,
            None => command.spawn(),
        };
        let child = child.map_err(Failure::io(format!("start {program}")))?;
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            process: Some(Process::of(child.id())),
            child: Some(child),
            built_in: plan.target == Target::Bare,
            data,
        };
        server.address = server.await_address(&program)?;
        Ok(server)
    }

    /// One that runs already and is not ours to end.
    pub(crate) fn running(address: SocketAddr, process: Option<Process>) -> Self {
        Self { address, process, child: None, built_in: false, data: None }
    }

    fn await_address(&mut self, program: &str) -> Result<SocketAddr, Failure> {
        let stdout = self.child.as_mut().and_then(|child| child.stdout.take());
        let Some(stdout) = stdout else {
            return Err(Failure::Server(format!("{program} has no standard output")));
        };
        let (tell, told): (_, Receiver<SocketAddr>) = mpsc::sync_channel(1);
        // Reads on after the address, so that the server never waits for its own words.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = tell.try_send(address);
                }
            }
        });
        told.recv_timeout(START_BEFORE).map_err(|_| {
            Failure::Server(format!("{program} did not say where it listens; see its words above"))
        })
    }

    /// What it has used up to now, if its process is known.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.process.as_ref().map(Process::usage)
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let asked = terminate(&child);
        let ended = asked.and_then(|()| wait(&mut child));
        let Some(status) = ended.map_err(Failure::io("end the server"))? else {
            self.child = Some(child);
            let seconds = STOP_BEFORE.as_secs();
            return Err(Failure::Server(format!("the server did not end within {seconds} s")));
        };
        // The built-in server takes no signals: being ended by one is its good end.
        if status.success() || self.built_in && status.code().is_none() {
            return Ok(());
        }
        Err(Failure::Server(format!("the server ended with {status}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already; there is nobody left to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn bare_command() -> Result<Command, Failure> {
    let own = std::env::current_exe().map_err(Failure::io("find this program"))?;
    let mut command = Command::new(own);
    command.arg(crate::options::BARE_SERVER);
    Ok(command)
}

fn serve_command(binary: &Path, listen: &str, data: &Path, plan: &Plan) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", listen, "--data"]).arg(data);
    command.args(limits(plan)).args(&plan.server_args);
    command
}

/// Makes accounts for the first of those who are to come back.
fn import(binary: &Path, data: &Path, plan: &Plan) -> Result<(), Failure> {
    let failed = || Failure::io("make accounts with parlor user import");
    let mut command = Command::new(binary);
    command.args(["user", "import", "-", "--data"]).arg(data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(failed())?;
    let lines =
        (plan.healthy..plan.healthy + plan.accounts).map(|who| format!("u{who} {PASSWORD}\n"));
    let input = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe.into());
    input
        .and_then(|mut input| input.write_all(lines.collect::<String>().as_bytes()))
        .map_err(failed())?;
    let status = child.wait().map_err(failed())?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Server("parlor user import refused; see its words above".into())),
    }
}

/// The limits that the default ones would stand in the way of this run.
fn limits(plan: &Plan) -> Vec<String> {
    let members = match plan.scenario {
        Scenario::Slow => 1 + plan.healthy + plan.dead,
        _ => plan.layout().group,
    };
    let clients = plan.at_once();
    // What is measured is the server at its limit, not the limit it sets to people: all clients
    // come at once, and say as much as they can.
    let off: &[&str] = match plan.scenario {
        // Here it is the limits that hold off strangers and bring thousands in.
        Scenario::Guess | Scenario::Return => &[],
        _ => &["before-login", "message-rate", "presence"],
    };
    let mut limits: Vec<String> = off.iter().map(|key| format!("--{key}=0")).collect();
    let mut raise = |option: &str, value: usize, default: usize| {
        if value > default {
            limits.extend([format!("--{option}"), value.to_string()]);
        }
    };
    raise("room-members", members, 15);
    raise("connections", clients + 100, 10_000);
    raise("rooms", plan.rooms, 10_000);
    match plan.scenario {
        Scenario::Files => {
            raise("file-max", plan.size, 3 << 20);
            raise("upload-waiting", plan.clients, 64);
        }
        _ => raise("message-max", plan.size, 4096),
    }
    limits
}

/// The first `127.0.0.1:PORT` (or other IPv4 address with a port) of a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .find_map(|word| word.trim_matches(['.', ':']).parse().ok())
}

fn terminate(child: &Child) -> std::io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < STOP_BEFORE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(STOP_LOOK);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_whatever_is_said_around_it() {
        for (line, port) in [
            ("listening on 127.0.0.1:4711", Some(4711)),
            ("parlor 0.1.0 at 127.0.0.1:80.", Some(80)),
            ("try: nc 127.0.0.1 80", None),
            ("12:30 started", None),
        ] {
            assert_eq!(address_in(line).map(|address| address.port()), port, "{line}");
        }
    }
}
