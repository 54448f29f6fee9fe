//! What is watched during a flood: the memory of the process, and the service for another
//! namespace.

use crate::client::Client;
use crate::flood::{RUNNING, Run};
use crate::shared::process::resident_bytes;
use crate::shared::wait::pause;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Between two runs of the other namespace.
const FRESH_EVERY: Duration = Duration::from_millis(40);

/// Records the peak memory of a process.
pub struct MemoryWatch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    pub fn start(process: u32) -> Self {
        let (stop, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&most));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(bytes) = resident_bytes(&process.to_string()) {
                    seen.fetch_max(bytes, Ordering::Relaxed);
                }
                pause(SAMPLE_EVERY);
            }
        });
        Self { stop, most, thread: Some(thread) }
    }

    /// Ends the watch and returns the peak in bytes.
    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only samples: its result does not matter.
            let _ = thread.join();
        }
        self.most.load(Ordering::Relaxed)
    }
}

/// The service for events of another namespace.
#[derive(Default)]
pub struct Fresh {
    pub latencies: Vec<Duration>,
    pub refused: u64,
}

impl Fresh {
    /// Of all answered events, the latency that one in a hundred exceeds.
    pub fn p99(&mut self) -> Duration {
        self.latencies.sort_unstable();
        let at = self.latencies.len() * 99 / 100;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Sends runs of another namespace at a steady pace until stopped.
pub fn trickle(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<anyhow::Result<Fresh>> {
    std::thread::spawn(move || {
        let (mut client, mut fresh) = (Client::new(address), Fresh::default());
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let run = Run { namespace: "fresh", number, annotations: 0 };
            let started = Instant::now();
            let status = client.post(&run.uid(), RUNNING, &run.body("Unknown", "Running"))?;
            fresh.latencies.push(started.elapsed());
            fresh.refused += u64::from(status != 202);
            pause(FRESH_EVERY);
        }
        Ok(fresh)
    })
}
