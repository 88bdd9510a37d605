//! Does what the app asks for: a source, networks and a device, put together.
//!
//! It blocks while it works and tells no thread anything, so that a window runs it on a thread of its own, and a
//! program without a window just calls it.

use video_demo_app::{
    Compute, Deed, Description, Event, Gpu, Look, Offer, Problem, Request, Shown, Step,
};

use crate::networks::{Memory, NetworkError, Networks};
use crate::source::{Source, SourceError};

/// Makes networks on the devices that there are.
pub trait Devices: Send {
    /// The networks on a device, ready to run: what a device compiles is compiled.
    ///
    /// # Errors
    ///
    /// If the device is missing or the weights are wrong.
    fn networks(&mut self, compute: Compute) -> Result<Box<dyn Networks>, NetworkError>;

    /// Whether the GPU can compute.
    fn gpu(&self) -> Gpu;

    /// The processor and how it runs, to show.
    fn cpu(&self) -> String;

    /// Uses the weights that the program came with from now on.
    fn use_own_weights(&mut self);
}

/// A source, and networks on a device that look at it.
pub struct Desk {
    source: Box<dyn Source>,
    devices: Box<dyn Devices>,
    compute: Compute,
    networks: Option<Box<dyn Networks>>,
    saved: Option<Memory>,
}

impl Desk {
    /// A desk that computes on `compute`, or on the CPU where that is not to be had. [`start`](Self::start) gets it
    /// going.
    pub fn new(source: Box<dyn Source>, devices: Box<dyn Devices>, compute: Compute) -> Self {
        Self {
            source,
            devices,
            compute,
            networks: None,
            saved: None,
        }
    }

    /// Gets the networks ready.
    pub fn start(&mut self) -> Vec<Event> {
        self.switch(self.compute)
    }

    /// Does what is asked for.
    pub fn handle(&mut self, request: Request) -> Vec<Event> {
        match request {
            Request::Step(step) => self.step(&step),
            Request::Look(look) => self.look(look),
            Request::Restart => {
                self.source.restart();
                self.reset();
                vec![Event::Did(Deed::Restarted)]
            }
            Request::NextVideo => {
                self.source.next_video();
                self.reset();
                vec![Event::Did(Deed::NextVideo)]
            }
            Request::ResetMemory => {
                self.reset();
                vec![Event::Did(Deed::MemoryReset)]
            }
            Request::SaveMemory => self.save(),
            Request::RestoreMemory => self.restore(),
            Request::Compute(compute) => self.switch(compute),
            Request::OwnWeights => {
                self.devices.use_own_weights();
                self.switch(self.compute)
            }
        }
    }

    fn reset(&mut self) {
        if let Some(networks) = &mut self.networks {
            networks.reset();
        }
    }

    fn step(&mut self, step: &Step) -> Vec<Event> {
        let Some(networks) = &mut self.networks else {
            return Vec::new();
        };
        let still = match self.source.next(step) {
            Ok(still) => still,
            Err(SourceError(what)) => return vec![over(what)],
        };
        let mut views = match networks.look(&still.picture, step.look) {
            Ok(views) => views,
            Err(error) => return self.failed(&error),
        };
        for view in &mut views {
            view.tally = self.source.judge(&still, &mut view.found);
        }
        let shown = Shown {
            views,
            number: still.number,
            picture: still.picture,
            damage: still.damage,
            truth: still.truth,
        };
        vec![Event::Shown(Box::new(shown))]
    }

    fn look(&mut self, look: Look) -> Vec<Event> {
        let Some(networks) = &mut self.networks else {
            return Vec::new();
        };
        match networks.look_again(look) {
            Ok(heats) => vec![Event::Looked(heats)],
            Err(error) => self.failed(&error),
        }
    }

    fn save(&mut self) -> Vec<Event> {
        let Some(networks) = &self.networks else {
            return Vec::new();
        };
        match networks.memory() {
            Ok(memory) => {
                self.saved = Some(memory);
                vec![Event::Did(Deed::MemorySaved)]
            }
            Err(error) => self.failed(&error),
        }
    }

    fn restore(&mut self) -> Vec<Event> {
        let (Some(networks), Some(saved)) = (&mut self.networks, &self.saved) else {
            return Vec::new();
        };
        match networks.set_memory(saved) {
            Ok(()) => vec![Event::Did(Deed::MemoryRestored)],
            Err(error) => vec![problem(error.to_string(), Vec::new(), false)],
        }
    }

    /// Goes over to a device with the memories as they are.
    fn switch(&mut self, compute: Compute) -> Vec<Event> {
        // A device that failed has nothing to take along.
        let memory = self.networks.as_ref().and_then(|n| n.memory().ok());
        let mut networks = match self.devices.networks(compute) {
            Ok(networks) => networks,
            Err(NetworkError::Weights(what)) => {
                return vec![problem(what, vec![own_weights()], self.networks.is_none())];
            }
            Err(error) if compute == Compute::Gpu => {
                let what = format!("The GPU cannot compute, so the CPU does: {error}");
                let mut events = match self.networks {
                    // It goes on where it is.
                    Some(_) => vec![Event::Ready(self.describe())],
                    None => self.switch(Compute::Cpu),
                };
                events.push(problem(what, Vec::new(), false));
                return events;
            }
            Err(error) => return vec![problem(error.to_string(), Vec::new(), true)],
        };
        if let Some(memory) = memory {
            // The same networks on another device; other weights start anew.
            if networks.set_memory(&memory).is_err() {
                networks.reset();
            }
        }
        self.networks = Some(networks);
        self.compute = compute;
        vec![Event::Ready(self.describe())]
    }

    fn describe(&self) -> Description {
        let networks = self.networks.as_ref();
        Description {
            source: self.source.card(),
            networks: networks.map_or_else(Vec::new, |networks| networks.cards()),
            compute: self.compute,
            cpu: self.devices.cpu(),
            gpu: self.devices.gpu(),
        }
    }

    /// A GPU that failed is left for the CPU; what its memories held is lost with it.
    fn failed(&mut self, error: &NetworkError) -> Vec<Event> {
        if self.compute != Compute::Gpu {
            return vec![problem(error.to_string(), Vec::new(), false)];
        }
        self.networks = None;
        let mut events = self.switch(Compute::Cpu);
        events.push(Event::Did(Deed::MemoryReset));
        let again = Offer {
            label: "Try the GPU again".to_owned(),
            request: Request::Compute(Compute::Gpu),
        };
        let what = format!("The GPU failed, so the CPU goes on with a fresh memory: {error}.");
        events.push(problem(what, vec![again], false));
        events
    }
}

fn own_weights() -> Offer {
    Offer {
        label: "Use the weights of the demo".to_owned(),
        request: Request::OwnWeights,
    }
}

fn over(what: String) -> Event {
    let restart = Offer {
        label: "Restart".to_owned(),
        request: Request::Restart,
    };
    problem(what, vec![restart], true)
}

/// Tells what went wrong.
pub(crate) fn problem(what: String, offers: Vec<Offer>, stuck: bool) -> Event {
    Event::Problem(Problem {
        what,
        offers,
        stuck,
    })
}
