//! Carries out one operation so many times, for `instructions.sh` to count its instructions.
//!
//! ```text
//! instructions                  the operations, one a line: group/name, tab, deliveries
//! instructions GROUP/NAME N     sets one up and carries it out N times
//! ```

mod operations;

use std::process::ExitCode;

use operations::Operation;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let title = |operation: &Operation| format!("{}/{}", operation.group, operation.name);
    match arguments.as_slice() {
        [] => {
            for operation in operations::all() {
                println!("{}\t{}", title(&operation), operation.deliveries);
            }
        }
        [name, times] => {
            let found = operations::all().into_iter().find(|known| title(known) == *name);
            let (Some(operation), Ok(times)) = (found, times.parse::<u32>()) else {
                eprintln!("instructions: no operation {name}, or {times} is no number");
                return ExitCode::from(2);
            };
            let mut action = operation.prepare();
            (0..times).for_each(|_| action());
        }
        _ => {
            eprintln!("use: instructions [GROUP/NAME TIMES]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
