//! Everybody takes their place: connected, greeted, named and in their room, so many at a time
//! that the server's queue of new connections never overflows.

use std::time::Duration;

use super::place;
use crate::dialect::Heard;
use crate::failure::Failure;
use crate::options::Plan;
use crate::progress::Progress;
use crate::swarm::{Script, Swarm};

/// Clients that are on their way in at once.
const AT_ONCE: usize = 128;

struct Entrance<'a> {
    plan: &'a Plan,
    progress: Progress,
    clients: usize,
    opened: usize,
    entered: usize,
    last_ids: Vec<u64>,
    problem: Option<Failure>,
}

/// Brings clients 0 to `clients` in; how long that took.
pub(super) fn enter(plan: &Plan, swarm: &mut Swarm, clients: usize) -> Result<Duration, Failure> {
    let begun_ns = swarm.refresh_now();
    let mut script = Entrance {
        plan,
        progress: Progress::new("entering"),
        clients,
        opened: 0,
        entered: 0,
        last_ids: vec![0; clients],
        problem: None,
    };
    script.open_more(swarm);
    swarm.run_until(
        &mut script,
        "clients take their places",
        |script, _| script.entered == clients || script.problem.is_some(),
        |script| format!("{} of {clients} have theirs", script.entered),
    )?;
    match script.problem {
        Some(problem) => Err(problem),
        None => Ok(Duration::from_nanos(swarm.refresh_now() - begun_ns)),
    }
}

impl Entrance<'_> {
    fn open_more(&mut self, swarm: &mut Swarm) {
        while self.opened < self.clients.min(self.entered + AT_ONCE) && self.problem.is_none() {
            self.problem = swarm.open(self.opened).err();
            self.opened += 1;
        }
    }

    fn fail(&mut self, who: usize, why: String) {
        self.problem.get_or_insert(Failure::NotPlaced { who, why });
    }
}

impl Script for Entrance<'_> {
    fn on_connected(&mut self, swarm: &mut Swarm, who: usize) {
        let dialect = swarm.dialect;
        self.last_ids[who] = dialect.enter(swarm.say(who), who, place(self.plan, who));
    }

    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        match heard {
            Heard::Answer { id, ok: true, .. } if id == self.last_ids[who] => {
                self.entered += 1;
                swarm.progress();
                self.open_more(swarm);
            }
            Heard::Answer { id, ok: true, .. } => {
                let dialect = swarm.dialect;
                dialect.enter_further(swarm.say(who), id, place(self.plan, who));
            }
            Heard::Answer { ok: false, frame, .. } => self.fail(who, swarm.dialect.shown(frame)),
            Heard::Bye { reason, .. } => self.fail(who, reason),
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(who), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, _: &mut Swarm, who: usize) {
        self.fail(who, "the connection ended".to_owned());
    }

    fn on_turn(&mut self, _: &mut Swarm) {
        let Self { entered, clients, .. } = self;
        self.progress.show(|| format!("{entered} of {clients}"));
    }
}
