//! hollerd's engine without sockets and without a clock: peers in memory, and a virtual clock that is moved by hand. What
//! is left is what user space does for a connection, a ping, a delivery; and a million peers need no file each.
//!
//! - `lines` is what peers say, `seat` what they keep, `world` drives the engine turn after turn
//! - `many` is the run with very many peers, `cases` are the short ones whose instructions are compared with a baseline
//! - `child` runs either in a process of its own, `callgrind` does so under valgrind

pub(crate) mod callgrind;
pub(crate) mod cases;
pub(crate) mod child;
mod lines;
mod many;
mod seat;
mod world;

/// What valgrind is to count: callgrind is told to collect while this function runs, and to write down the sum when it
/// returns. It is found by its name, so it must stay a function and keep that name.
#[inline(never)]
pub(crate) fn counted<R>(work: impl FnOnce() -> R) -> R {
    work()
}
