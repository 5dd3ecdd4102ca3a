//! The questions, and what they have in common.

mod beside;
mod connections;
mod echo;
mod fanout;
mod footprint;
mod handshake;
mod instructions;
mod memory;
mod slow;
mod storm;
mod strace;
mod syscalls;
mod turns;

use std::io::Write;
use std::path::Path;

use crate::clock::SECOND;
use crate::crowd::hearing::describe;
use crate::crowd::{Crowd, Goal};
use crate::machine;
use crate::options::Options;
use crate::report::{Form, Report};
use crate::server::Server;
use crate::server::catalog;
use crate::server::watch::Spent;
use crate::talk;

/// Connections that may be on their way in at once, unless that is the question.
const TOGETHER: usize = 256;
/// Files that the generator needs for itself.
const OWN_FILES: usize = 64;

/// How to ask.
#[derive(Debug)]
struct Plan {
    quick: bool,
    /// Connections that the generator can have open.
    connections_max: usize,
    /// How many to hold, if that was said.
    connections: Vec<usize>,
}

/// One question.
#[derive(Debug, Clone, Copy)]
struct Question {
    form: Form,
    ask: fn(&str, &Plan, &mut Report) -> Result<(), String>,
}

const QUESTIONS: [Question; 11] = [
    Question { form: connections::FORM, ask: connections::ask },
    Question { form: fanout::FORM, ask: fanout::ask },
    Question { form: storm::FORM, ask: storm::ask },
    Question { form: handshake::FORM, ask: handshake::ask },
    Question { form: slow::FORM, ask: slow::ask },
    Question { form: beside::FORM, ask: beside::ask },
    Question { form: echo::FORM, ask: echo::ask },
    Question { form: footprint::FORM, ask: footprint::ask },
    Question { form: syscalls::FORM, ask: syscalls::ask },
    Question { form: memory::FORM, ask: memory::ask },
    Question { form: instructions::FORM, ask: instructions::ask },
];

/// Asks what the options say.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let wanted = |question: &&Question| options.question == "all" || options.question == question.form.question;
    let questions: Vec<&Question> = QUESTIONS.iter().filter(wanted).collect();
    if questions.is_empty() {
        return Err(format!("{} is no question", options.question));
    }
    if options.build && options.servers.iter().any(|server| server == "hollerd") {
        catalog::build()?;
    }
    let files = usize::try_from(machine::raise_file_limit()).unwrap_or(usize::MAX);
    if options.one_core {
        machine::use_one_core()?;
    }
    let connections_max = files.saturating_sub(OWN_FILES);
    let plan = Plan { quick: options.quick, connections_max, connections: options.connections.clone() };
    let mut failures = Vec::new();
    for question in questions {
        let mut report = Report::new(question.form);
        for server in &options.servers {
            if let Err(reason) = (question.ask)(server, &plan, &mut report) {
                report.add_missing(server, &reason);
            }
        }
        progress("");
        let cores = if options.one_core { "server and generator on one core" } else { "nothing pinned" };
        let how = format!("{}{cores}", if options.quick { "quick, " } else { "" });
        report.publish(Path::new(&options.results), options.quick, &how)?;
        failures.extend(report.failures_of("hollerd"));
    }
    // Other servers may be missing or lose what they like; ours may not.
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// One line on standard error that the next one replaces.
fn progress(text: &str) {
    eprint!("\r\x1b[K{text}");
    let _ = std::io::stderr().flush();
}

/// A crowd of so many, all of them named.
fn named_crowd(server: &Server, count: usize) -> Result<Crowd, String> {
    let mut crowd = Crowd::new(&server.door)?;
    crowd.gather(count, TOGETHER, Goal::Named, 5 * SECOND)?;
    Ok(crowd)
}

/// Notes what everybody has to know to read a row: lost deliveries, lost connections, and a generator that was too slow.
fn note_doubts(report: &mut Report, server: &str, case: &str, crowd: &Crowd, spent: &Spent) {
    note_faults(report, server, case, crowd, spent);
    let endings = crowd.endings(0..usize::MAX);
    if endings.keys().any(Option::is_some) {
        report.note(server, case, &format!("connections: {}", describe(&endings)));
    }
}

/// The same where connections are meant to be lost.
fn note_faults(report: &mut Report, server: &str, case: &str, crowd: &Crowd, spent: &Spent) {
    if let Some(faults) = talk::faults(crowd.hearing.ledger.totals()) {
        report.fail(server, case, &faults);
    }
    if spent.generator_was_the_bottleneck() {
        report.note(server, case, "the generator was the bottleneck: look at the CPU, not at the rate");
    }
}

/// Some questions are asked of the library, which only ours is.
fn ours_alone(server: &str) -> Result<(), String> {
    if server == "hollerd" { Ok(()) } else { Err("is not a library that runs in here".to_owned()) }
}

/// Nanoseconds as microseconds.
fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1_000.0
}
