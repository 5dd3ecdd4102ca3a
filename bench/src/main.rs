//! hollerd-bench: how many connections, how fast, how small. One command asks one question of one server or of all, and
//! leaves a table, a CSV file and a plot. See `bench/README.md`.

mod clock;
mod crowd;
mod formula;
mod frame;
mod histogram;
mod ledger;
mod machine;
mod options;
mod plot;
mod prober;
mod questions;
mod report;
mod server;
mod stamp;
mod talk;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("hollerd-bench: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match questions::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hollerd-bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
