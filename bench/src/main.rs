//! hollerd-bench: how many connections, how fast, how small. One command asks one question of one server or of all, and
//! leaves a table, a CSV file and a plot. See `bench/README.md`.

mod baseline;
mod clock;
mod crowd;
mod formula;
mod frame;
mod histogram;
mod inner;
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

use inner::child;
use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((word, rest)) = arguments.split_first()
        && word == child::WORD
    {
        return code(child::run(rest));
    }
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("hollerd-bench: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    code(questions::run(&options))
}

fn code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hollerd-bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
