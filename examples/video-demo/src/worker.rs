//! The desk on a thread of its own, so that a window never waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use video_demo_app::{Event, Problem, Request};

use crate::desk::Desk;

/// A desk at work. Dropped, it finishes the frame that it is at.
pub struct Worker {
    requests: Option<Sender<Request>>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
    is_gone: bool,
}

impl Worker {
    /// Has a desk made and started on a thread of its own. `wake` is called after every event.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn new(
        desk: impl FnOnce() -> Desk + Send + 'static,
        mut wake: impl FnMut() + Send + 'static,
    ) -> Result<Self, std::io::Error> {
        let (requests, asked) = channel::<Request>();
        let (tell, events) = channel();
        let thread = std::thread::Builder::new().name("networks".into());
        let thread = thread.spawn(move || {
            let mut desk = desk();
            let mut answer = |events: Vec<Event>| {
                // Nobody listens any more when the window is closed.
                let heard = events.into_iter().all(|event| tell.send(event).is_ok());
                wake();
                heard
            };
            let mut heard = answer(desk.start());
            while heard && let Ok(request) = asked.recv() {
                heard = answer(desk.handle(request));
            }
        })?;
        Ok(Self {
            requests: Some(requests),
            events,
            thread: Some(thread),
            is_gone: false,
        })
    }

    /// Asks for something.
    pub fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // If the thread is gone, the next look for an event says so.
            let _ = requests.send(request);
        }
    }

    /// What has happened, if anything, without waiting. That the thread has died is a problem, told once.
    pub fn poll(&mut self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.gone(),
        }
    }

    /// What happens within a time, waiting for it.
    pub fn wait(&mut self, time: Duration) -> Option<Event> {
        match self.events.recv_timeout(time) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.gone(),
        }
    }

    fn gone(&mut self) -> Option<Event> {
        let first = !std::mem::replace(&mut self.is_gone, true);
        first.then(|| {
            Event::Problem(Problem {
                what: "The networks stopped for a reason that this program does not know; what it printed says \
                       more. Close it and start it again."
                    .to_owned(),
                offers: Vec::new(),
                stuck: true,
            })
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been told already.
            let _ = thread.join();
        }
    }
}
