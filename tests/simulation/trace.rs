//! What a run did, as one line: everything that the world outside the pure half can see of it.
//!
//! Four BLAKE3 hashes: the bytes written to each connection, the closes, the lines of the log, and
//! the payloads of the jobs, each with the time. Tickets are left out: they are names that nobody
//! outside sees. `tests/golden/traces.txt` has the line of every seed, as it was the day it was
//! written down; `GOLDEN_WRITE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use parlor::facts::Fact;
use parlor::id::ConnId;
use parlor::job::Job;
use parlor::logging::Words;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    written: BTreeMap<u64, blake3::Hasher>,
    closes: blake3::Hasher,
    log: blake3::Hasher,
    jobs: blake3::Hasher,
}

impl Trace {
    pub(super) fn written<'a>(&mut self, conn: ConnId, bytes: impl Iterator<Item = &'a [u8]>) {
        let hasher = self.written.entry(conn.to_token()).or_default();
        bytes.for_each(|bytes| {
            hasher.update(bytes);
        });
    }

    pub(super) fn closed(&mut self, at_ms: u64, conn: ConnId) {
        add(&mut self.closes, at_ms, &conn.to_token().to_be_bytes());
    }

    pub(super) fn logged(&mut self, at_ms: u64, fact: &Fact) {
        let line = format!("{:?} {} {}", fact.level(), fact.category(), Words(fact));
        add(&mut self.log, at_ms, line.as_bytes());
    }

    pub(super) fn submitted(&mut self, at_ms: u64, job: &Job) {
        add(&mut self.jobs, at_ms, format!("{job:?}").as_bytes());
    }

    /// The first half of each hash; of the bytes, over those of all connections.
    pub(crate) fn line(&self) -> String {
        let mut written = blake3::Hasher::new();
        for (token, hasher) in &self.written {
            written.update(&token.to_be_bytes()).update(hasher.finalize().as_bytes());
        }
        let short = |hasher: &blake3::Hasher| hasher.finalize().to_hex()[..32].to_owned();
        [&written, &self.closes, &self.log, &self.jobs].map(short).join(" ")
    }
}

/// Each part is preceded by its length, so that no two runs of parts look the same.
fn add(hasher: &mut blake3::Hasher, at_ms: u64, bytes: &[u8]) {
    hasher.update(&at_ms.to_be_bytes()).update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
}

/// Compares the lines of seeds with those that were written down.
pub(crate) fn compare(lines: &BTreeMap<u64, String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/traces.txt");
    if std::env::var_os("GOLDEN_WRITE").is_some() {
        let mut text = "seed written closes log jobs\n".to_owned();
        for (seed, line) in lines {
            writeln!(text, "{seed} {line}").unwrap();
        }
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let mut known = 0;
    let mut differ = Vec::new();
    for line in golden.lines().skip(1) {
        let (seed, theirs) = line.split_once(' ').expect("a seed and its hashes");
        let Some(ours) = lines.get(&seed.parse().expect("a seed is a number")) else { continue };
        known += 1;
        if ours != theirs {
            differ.push(format!("seed {seed}\n  was {theirs}\n  is  {ours}"));
        }
    }
    let shown = differ.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(differ.is_empty(), "{} of {known} seeds run otherwise:\n{shown}", differ.len());
    assert!(known > 0 || lines.is_empty(), "no seed of this run is in {}", path.display());
}
