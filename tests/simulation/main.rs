//! The whole server but its poll, in a world that is made up: fake sockets, a virtual clock, seeded clients.
//!
//! Every seed is one life of one server, from the first connection to the last. Nothing in it depends on the machine, so
//! a seed that fails once fails always.
//!
//! | file | what it is |
//! | --- | --- |
//! | `world.rs` | the loop: clients act, time passes, the engine turns |
//! | `plan.rs` | what a seed decides |
//! | `socket.rs`, `layer.rs`, `tap.rs` | a connected socket with faults; what TLS puts on top; what the server sent over it |
//! | `client.rs`, `request.rs`, `speech.rs` | a client, how it comes, what it says |
//! | `chat.rs`, `busybody.rs` | the applications: the real chat, and one that uses all of the desk |
//! | `ledger.rs` | the shadow model: what everybody has to receive |
//! | `audit.rs`, `rest.rs` | what must hold after every turn, and whenever the server sleeps |
//! | `door.rs` | what the limits on who comes allow |
//! | `coverage.rs` | what must have happened over all seeds |
//!
//! `SIM_SEEDS=300 SIM_STEPS=2000` plays more and longer lives; `SIM_SEED=7` plays one and tells it, turn by turn.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this crate is nothing but tests")]
#![allow(clippy::struct_excessive_bools, reason = "a fake client is a handful of switches that have no order")]
#![allow(clippy::print_stdout, reason = "the trace of a seed is for reading")]

mod audit;
mod busybody;
mod chat;
mod client;
mod coverage;
mod door;
mod layer;
mod ledger;
mod plan;
mod request;
mod rest;
mod socket;
mod speech;
mod tap;
mod world;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use hollerd::engine::Counters;

use busybody::Busybody;
use chat::WatchedChat;
use coverage::Coverage;
use plan::Plan;
use world::World;

const SEEDS: u64 = 80;
const STEPS: u64 = 500;

#[test]
fn every_promise_holds_in_every_life() {
    let steps = number("SIM_STEPS").unwrap_or(STEPS);
    if let Some(seed) = number("SIM_SEED") {
        play(seed, steps, true);
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let mut coverage = Coverage::default();
    for seed in 0..seeds {
        let (counters, methods) = play(seed, steps, false);
        coverage.add(&counters, &methods);
    }
    let missing = coverage.missing();
    let enough = seeds >= SEEDS && steps >= STEPS;
    assert!(!enough || missing.is_empty(), "never seen in {seeds} seeds of {steps} steps: {missing:?}");
}

#[test]
fn a_life_can_be_repeated() {
    assert_eq!(play(3, 100, false), play(3, 100, false));
}

fn play(seed: u64, steps: u64, trace: bool) -> (Counters, BTreeMap<&'static str, u64>) {
    let step = Rc::new(Cell::new(0));
    let at = Rc::clone(&step);
    let life = AssertUnwindSafe(move || {
        let plan = Plan::new(seed, steps);
        if trace {
            println!("{plan:#?}");
        }
        if plan.is_chat {
            let chat = WatchedChat::new(&plan.chat, &plan.settings.history);
            World::new(plan, chat, at, trace).run()
        } else {
            let busybody = Busybody::new(seed, &plan.settings.limits);
            World::new(plan, busybody, at, trace).run()
        }
    });
    catch_unwind(life).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        let step = step.get();
        panic!(
            "seed {seed}, step {step}: {text}\n\
             to repeat it: SIM_SEED={seed} SIM_STEPS={steps} cargo test --test simulation -- --nocapture"
        );
    })
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
