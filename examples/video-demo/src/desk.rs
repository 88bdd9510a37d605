//! Does what the app asks for: a source, networks and a device, put together.
//!
//! It blocks while it works and tells no thread anything, so that a window runs it on a thread of its own, and a
//! program without a window just calls it.

use std::path::{Path, PathBuf};

use video_demo_app::{
    Compute, Deed, Description, Event, Gpu, Look, Offer, Problem, Request, Shown, Step,
};

use crate::networks::{Memory, NetworkError, Networks};
use crate::source::{Source, SourceError};

/// Makes networks on the devices that there are.
pub trait Devices {
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

    /// Uses the weights that the program came with from now on, if it came with any.
    fn use_own_weights(&mut self) {}
}

/// A source, and the devices on which networks look at it.
pub struct Scene {
    /// What there is to see.
    pub source: Box<dyn Source>,
    /// What looks at it.
    pub devices: Box<dyn Devices>,
}

/// The scenes that there are.
pub trait Library: Send {
    /// The one that the program comes with.
    ///
    /// # Errors
    ///
    /// If it is not whole.
    fn own(&self) -> Result<Scene, SourceError>;

    /// That of a video of the viewer's.
    ///
    /// # Errors
    ///
    /// If the video cannot be read.
    fn open(&self, path: &Path) -> Result<Scene, SourceError>;
}

/// A scene, and networks that look at it.
pub struct Desk {
    library: Box<dyn Library>,
    video: Option<PathBuf>,
    scene: Option<Scene>,
    networks: Option<Box<dyn Networks>>,
    saved: Option<Memory>,
    /// What the viewer wants to compute.
    wanted: Compute,
    /// What does compute.
    compute: Compute,
}

impl Desk {
    /// A desk that shows a video, or what the program comes with, and computes on `compute`, or on the CPU where that
    /// is not to be had. [`start`](Self::start) gets it going.
    pub fn new(library: Box<dyn Library>, video: Option<PathBuf>, compute: Compute) -> Self {
        Self {
            library,
            video,
            scene: None,
            networks: None,
            saved: None,
            wanted: compute,
            compute,
        }
    }

    /// Gets the networks ready. A video that cannot be shown is a problem, and what the program comes with is shown.
    pub fn start(&mut self) -> Vec<Event> {
        let mut events = match self.video.take() {
            Some(video) => self.open(&video),
            None => Vec::new(),
        };
        if self.networks.is_none() {
            let mut own = match self.library.own() {
                Ok(scene) => {
                    self.scene = Some(scene);
                    self.switch(self.wanted)
                }
                Err(SourceError(what)) => vec![problem(what, Vec::new(), true)],
            };
            own.append(&mut events);
            events = own;
        }
        events
    }

    /// Does what is asked for.
    pub fn handle(&mut self, request: Request) -> Vec<Event> {
        match request {
            Request::Step(step) => self.step(&step),
            Request::Look(look) => self.look(look),
            Request::Restart => self.begin(Deed::Restarted, |source| source.restart()),
            Request::NextVideo => self.begin(Deed::NextVideo, |source| source.next_video()),
            Request::ResetMemory => self.begin(Deed::MemoryReset, |_| {}),
            Request::SaveMemory => self.save(),
            Request::RestoreMemory => self.restore(),
            Request::Compute(compute) => {
                self.wanted = compute;
                self.switch(compute)
            }
            Request::OwnWeights => {
                if let Some(scene) = &mut self.scene {
                    scene.devices.use_own_weights();
                }
                self.switch(self.wanted)
            }
            Request::Open(path) => self.open(&path),
            Request::OwnVideo => {
                let own = self.library.own();
                self.show(own)
            }
        }
    }

    /// Does something to the source, and begins with memories as at a start.
    fn begin(&mut self, deed: Deed, change: impl FnOnce(&mut dyn Source)) -> Vec<Event> {
        if let Some(scene) = &mut self.scene {
            change(scene.source.as_mut());
        }
        self.reset();
        vec![Event::Did(deed)]
    }

    fn open(&mut self, path: &Path) -> Vec<Event> {
        let opened = self.library.open(path);
        self.show(opened)
    }

    /// Goes over to another scene, if its networks run; else all stays as it is.
    fn show(&mut self, opened: Result<Scene, SourceError>) -> Vec<Event> {
        let mut scene = match opened {
            Ok(scene) => scene,
            Err(SourceError(what)) => return vec![problem(what, Vec::new(), false)],
        };
        let wanted = match scene.devices.gpu() {
            Gpu::Ready(_) => self.wanted,
            // Networks without a GPU are no fault.
            Gpu::Missing(_) => Compute::Cpu,
        };
        let ready = match on_device(scene.devices.as_mut(), wanted) {
            Ok(ready) => ready,
            Err(error) => return vec![problem(error.to_string(), Vec::new(), false)],
        };
        self.scene = Some(scene);
        self.networks = Some(ready.networks);
        self.compute = ready.compute;
        self.saved = None;
        let opened = self.describe().map(Event::Opened);
        opened.into_iter().chain(ready.fault).collect()
    }

    fn reset(&mut self) {
        if let Some(networks) = &mut self.networks {
            networks.reset();
        }
    }

    fn step(&mut self, step: &Step) -> Vec<Event> {
        let (Some(scene), Some(networks)) = (&mut self.scene, &mut self.networks) else {
            return Vec::new();
        };
        let still = match scene.source.next(step) {
            Ok(still) => still,
            Err(SourceError(what)) => return vec![over(what)],
        };
        if still.looped {
            networks.reset();
        }
        let mut views = match networks.look(&still.picture, step.look) {
            Ok(views) => views,
            Err(error) => return self.failed(&error),
        };
        for view in &mut views {
            view.tally = scene.source.judge(&still, &mut view.found);
        }
        let shown = Shown {
            views,
            number: still.number,
            picture: still.picture,
            damage: still.damage,
            truth: still.truth,
        };
        let looped = still.looped.then_some(Event::Did(Deed::Looped));
        let shown = Event::Shown(Box::new(shown));
        looped.into_iter().chain([shown]).collect()
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
        let Some(scene) = &mut self.scene else {
            return Vec::new();
        };
        let mut ready = match on_device(scene.devices.as_mut(), compute) {
            Ok(ready) => ready,
            Err(NetworkError::Weights(what)) => {
                return vec![problem(what, vec![own_weights()], self.networks.is_none())];
            }
            Err(error) => return vec![problem(error.to_string(), Vec::new(), true)],
        };
        if let Some(memory) = memory {
            // The same networks on another device; other weights start anew.
            if ready.networks.set_memory(&memory).is_err() {
                ready.networks.reset();
            }
        }
        self.networks = Some(ready.networks);
        self.compute = ready.compute;
        let description = self.describe().map(Event::Ready);
        description.into_iter().chain(ready.fault).collect()
    }

    fn describe(&self) -> Option<Description> {
        let (scene, networks) = (self.scene.as_ref()?, self.networks.as_ref()?);
        Some(Description {
            source: scene.source.card(),
            networks: networks.cards(),
            quantities: networks.quantities(),
            compute: self.compute,
            cpu: scene.devices.cpu(),
            gpu: scene.devices.gpu(),
        })
    }

    /// A GPU that failed is left for the CPU; what its memories held is lost with it.
    fn failed(&mut self, error: &NetworkError) -> Vec<Event> {
        if self.compute != Compute::Gpu {
            return vec![problem(error.to_string(), Vec::new(), false)];
        }
        self.networks = None;
        self.wanted = Compute::Cpu;
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

/// Networks that are ready.
struct Ready {
    networks: Box<dyn Networks>,
    compute: Compute,
    /// What was wrong with the device that was wanted.
    fault: Option<Event>,
}

/// The networks on a device, or on the CPU where it cannot be used.
fn on_device(devices: &mut dyn Devices, wanted: Compute) -> Result<Ready, NetworkError> {
    let error = match devices.networks(wanted) {
        Ok(networks) => {
            return Ok(Ready {
                networks,
                compute: wanted,
                fault: None,
            });
        }
        Err(error @ NetworkError::Weights(_)) => return Err(error),
        Err(error) if wanted == Compute::Cpu => return Err(error),
        Err(error) => error,
    };
    let what = format!("The GPU cannot compute, so the CPU does: {error}");
    Ok(Ready {
        networks: devices.networks(Compute::Cpu)?,
        compute: Compute::Cpu,
        fault: Some(problem(what, Vec::new(), false)),
    })
}

fn own_weights() -> Offer {
    Offer {
        label: "Use the weights of the demo".to_owned(),
        request: Request::OwnWeights,
    }
}

fn over(what: String) -> Event {
    let offers = [
        ("From the start", Request::Restart),
        ("The demo's own video", Request::OwnVideo),
    ];
    let offers = offers.map(|(label, request)| Offer {
        label: label.to_owned(),
        request,
    });
    problem(what, offers.into(), true)
}

/// Tells what went wrong.
pub(crate) fn problem(what: String, offers: Vec<Offer>, stuck: bool) -> Event {
    Event::Problem(Problem {
        what,
        offers,
        stuck,
    })
}
