//! Memory and descriptors of the daemon while it works.

use std::time::{Duration, Instant};

use crate::Stop;
use crate::support::{Daemon, Meter, PATIENCE, now};

/// What was seen so far.
pub(crate) struct Watch {
    meter: Meter,
    descriptors: usize,
    begun: Instant,
    samples: Vec<u64>,
}

impl Watch {
    /// Nobody is connected yet.
    pub(crate) fn begin(daemon: &Daemon) -> Self {
        let meter = Meter::of(daemon);
        Self { meter, descriptors: meter.descriptors().len(), begun: now(), samples: Vec::new() }
    }

    /// Takes a sample and says how many there are.
    pub(crate) fn sample(&mut self) -> usize {
        let kib = self.meter.private_kib();
        self.samples.push(kib);
        if self.samples.len().is_multiple_of(SAMPLES_PER_LINE) {
            let descriptors = self.meter.descriptors().len();
            println!("{:>4} s: {kib} KiB, {descriptors} descriptors", self.begun.elapsed().as_secs());
        }
        self.samples.len()
    }

    /// Memory is as large in the last quarter as in the second one, give or take what an allocator keeps back.
    pub(crate) fn verify_plateau(&self) {
        let quarter = self.samples.len() / 4;
        let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
        let early = most(&self.samples[quarter..2 * quarter]);
        let late = most(&self.samples[3 * quarter..]);
        println!("most memory in the second quarter {early} KiB, in the last {late} KiB");
        assert!(late <= early + early / 10 + SLACK_KIB, "memory grew from {early} to {late} KiB");
    }

    /// When everybody has left, every descriptor is given back.
    pub(crate) fn verify_descriptors(&self, stop: &Stop) {
        let deadline = now() + PATIENCE;
        while self.meter.descriptors().len() > self.descriptors && now() < deadline {
            // It has come already, so this only lets some time pass.
            let _over = stop.within(Duration::ZERO);
            std::thread::yield_now();
        }
        assert_eq!(self.meter.descriptors().len(), self.descriptors, "descriptors that nobody closed");
    }
}

const SAMPLES_PER_LINE: usize = 20;
const SLACK_KIB: u64 = 512;
