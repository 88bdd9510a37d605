//! The state machine.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use crate::action::Action;
use crate::description::{Compute, Description, Gpu, SourceCard};
use crate::message::{Deed, Event, Problem, Request, Step};
use crate::pace::Pace;
use crate::score::{History, Mark};
use crate::seen::{Look, Quantity, Shown, Times};
use crate::settings::Settings;
use crate::ui::Drawn;

/// Frames that [`Action::DropFrames`] loses.
const LOST: u64 = 8;

/// Frames a second that a viewer may ask for.
const RATES: std::ops::RangeInclusive<f64> = 1.0..=60.0;

/// How long a note stays on screen, in seconds.
const NOTE: f64 = 2.5;

/// How fast a shown time follows the measured one, for each frame.
const SMOOTHING: f64 = 0.1;

/// The app. A front door tells it what happened ([`receive`](Self::receive)) and what time it is
/// ([`tick`](Self::tick)), does what it asks for ([`requests`](Self::requests)), and draws it
/// ([`show`](Self::show)).
pub struct App {
    pub(crate) settings: Settings,
    pub(crate) description: Option<Description>,
    pub(crate) shown: Option<Shown>,
    pub(crate) history: History,
    pub(crate) times: Vec<Option<Times>>,
    pub(crate) draw_time: Option<f64>,
    pub(crate) problem: Option<Problem>,
    pub(crate) note: Option<Note>,
    pub(crate) playing: bool,
    pub(crate) help: bool,
    pub(crate) saved: bool,
    pub(crate) dropped: u64,
    pub(crate) drawn: Drawn,
    requests: VecDeque<Request>,
    pace: Pace,
    now: f64,
    /// Frames that have become due since the last one that was asked for.
    backlog: u64,
    /// Whether a frame was asked for that has not come yet.
    waiting: bool,
    /// Frames that are still to be lost.
    lose: u64,
    /// What of the memory was asked for last.
    looked: Look,
    /// Whether another device or other weights were asked for, which may take a while.
    switching: bool,
    /// Knobs as they were before all damage was switched off.
    pub(crate) before_clean: Option<BTreeMap<String, f32>>,
}

/// A short word on what was done.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub text: String,
    pub until: f64,
}

impl App {
    /// An app with what was set in an earlier run. It plays as soon as there is something to see.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            description: None,
            shown: None,
            history: History::default(),
            times: Vec::new(),
            draw_time: None,
            problem: None,
            note: None,
            playing: true,
            help: false,
            saved: false,
            dropped: 0,
            drawn: Drawn::default(),
            requests: VecDeque::new(),
            pace: Pace::new(15.0),
            now: 0.0,
            backlog: 0,
            waiting: false,
            lose: 0,
            looked: Look::default(),
            switching: false,
            before_clean: None,
        }
    }

    /// Tells it what happened.
    pub fn receive(&mut self, event: Event) {
        match event {
            Event::Ready(description) => self.ready(description),
            Event::Opened(description) => self.opened(description),
            Event::Shown(shown) => {
                self.waiting = false;
                self.history.add(shown.damage.is_some(), &shown.views);
                self.follow_times(&shown);
                self.shown = Some(*shown);
            }
            Event::Looked(heats) => {
                let views = self.shown.iter_mut().flat_map(|shown| &mut shown.views);
                views.zip(heats).for_each(|(view, heat)| view.heat = heat);
            }
            Event::Did(deed) => self.did(deed),
            Event::Problem(problem) => {
                self.waiting = false;
                self.switching = false;
                // What was to be done is not.
                self.note = None;
                self.problem = Some(problem);
            }
        }
    }

    fn ready(&mut self, description: Description) {
        let switched = self
            .description
            .as_ref()
            .is_some_and(|before| before.compute != description.compute);
        if switched {
            let device = match description.compute {
                Compute::Cpu => "on the CPU now",
                Compute::Gpu => "on the GPU now",
            };
            self.note(device);
        }
        if self.description.is_none() {
            self.pace = Pace::new(self.settings.rate.unwrap_or(description.source.rate));
        }
        let looked = &mut self.settings.look.quantity;
        if looked.is_some_and(|quantity| !description.quantities.contains(&quantity)) {
            *looked = description.quantities.first().copied();
        }
        if let Some(channels) = description.channels() {
            let channel = self.settings.look.channel;
            self.settings.look.channel = channel.filter(|channel| *channel < channels);
        }
        self.times.clear();
        self.problem = self.problem.take().filter(|problem| !problem.stuck);
        self.waiting = false;
        self.switching = false;
        self.description = Some(description);
    }

    /// Another video: nothing is left of the one before but what the viewer has set for all of them.
    fn opened(&mut self, description: Description) {
        // At the start, there is none before.
        if self.description.take().is_some() {
            self.note(format!("now {}", description.source.name));
            self.settings.rate = None;
        }
        self.shown = None;
        self.problem = None;
        self.history = History::default();
        self.before_clean = None;
        self.saved = false;
        self.dropped = 0;
        self.backlog = 0;
        self.lose = 0;
        self.ready(description);
    }

    fn follow_times(&mut self, shown: &Shown) {
        self.times.resize(shown.views.len(), None);
        for (times, view) in self.times.iter_mut().zip(&shown.views) {
            let Some(new) = view.times else { continue };
            let old = times.unwrap_or(new);
            let mix = |old: f64, new: f64| old + (new - old) * SMOOTHING;
            *times = Some(Times {
                encode: mix(old.encode, new.encode),
                recurrent: mix(old.recurrent, new.recurrent),
                head: mix(old.head, new.head),
            });
        }
    }

    fn did(&mut self, deed: Deed) {
        let (note, mark) = match deed {
            Deed::Restarted => {
                // Nor does what was wrong further on matter any more.
                self.problem = self.problem.take().filter(|problem| !problem.stuck);
                self.history = History::default();
                self.dropped = 0;
                ("restarted: video and memory at their start", None)
            }
            Deed::NextVideo => ("another video, memory at its start", Some(Mark::Video)),
            // Which happens by itself, time and again.
            Deed::Looped => return self.history.mark(Mark::Looped),
            Deed::MemoryReset => ("memory reset", Some(Mark::Reset)),
            Deed::MemorySaved => {
                self.saved = true;
                ("memory saved", None)
            }
            Deed::MemoryRestored => ("memory restored", Some(Mark::Restored)),
        };
        if let Some(mark) = mark {
            self.history.mark(mark);
        }
        self.note(note);
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.note = Some(Note {
            text: text.into(),
            until: self.now + NOTE,
        });
    }

    /// Tells it the time, in seconds from any moment on: it asks for the frame that is due, if the one before has
    /// come. Frames that became due in the meantime are dropped.
    pub fn tick(&mut self, now: f64) {
        self.now = now;
        self.note = self.note.take().filter(|note| note.until > now);
        if !self.playing || self.description.is_none() || self.is_stuck() {
            self.pace.stop();
            self.backlog = 0;
            self.look_again();
            return;
        }
        self.backlog += self.pace.due(now);
        if self.backlog > 0 && !self.waiting {
            let advance = std::mem::take(&mut self.backlog);
            self.dropped += advance - 1;
            self.ask_for_frame(advance);
        }
    }

    /// While the video stands still, what is shown of the memory follows the viewer.
    fn look_again(&mut self) {
        let look = self.look();
        if look != self.looked && self.shown.is_some() && !self.waiting && !self.is_stuck() {
            self.looked = look;
            self.requests.push_back(Request::Look(look));
        }
    }

    /// Whether no frame is to be had at the moment.
    fn is_stuck(&self) -> bool {
        self.switching || self.problem.as_ref().is_some_and(|problem| problem.stuck)
    }

    fn ask_for_frame(&mut self, advance: u64) {
        let lost = self.lose > 0;
        self.lose = self.lose.saturating_sub(advance);
        self.waiting = true;
        self.looked = self.look();
        let step = Step {
            advance,
            lost,
            knobs: self.knob_values(),
            seed: self.seed(),
            look: self.looked,
        };
        self.requests.push_back(Request::Step(step));
    }

    /// What to show as a heat map: nothing if there is nothing of that kind.
    fn look(&self) -> Look {
        let look = self.settings.look;
        match look.quantity {
            Some(quantity) if self.quantities().contains(&quantity) => look,
            _ => Look::default(),
        }
    }

    /// What can be shown as a heat map.
    pub(crate) fn quantities(&self) -> &[Quantity] {
        self.description
            .as_ref()
            .map_or(&[], |description| &description.quantities)
    }

    /// Whether the video can be damaged from other seeds, has others to go on with, or has a known truth.
    pub(crate) fn source_has(&self, what: fn(&SourceCard) -> bool) -> bool {
        let description = self.description.as_ref();
        description.is_some_and(|description| what(&description.source))
    }

    /// What it asks for, oldest first. Each request is handed out once.
    pub fn requests(&mut self) -> impl Iterator<Item = Request> {
        self.requests.drain(..)
    }

    /// Seconds by which the frame that it is about to ask for is late at `now`: for those who measure.
    pub fn lateness(&self, now: f64) -> f64 {
        self.pace.late(now)
    }

    /// Seconds until it has to be told the time again; nothing while it waits for something else.
    pub fn wait(&self) -> Option<f64> {
        let frame = match self.waiting {
            true => None,
            false => self.pace.wait(self.now),
        };
        let note = self.note.as_ref().map(|note| note.until - self.now);
        match (frame, note) {
            (Some(frame), Some(note)) => Some(frame.min(note)),
            (frame, note) => frame.or(note),
        }
    }

    /// Tells it how long the last picture took to draw, in seconds.
    pub fn set_draw_time(&mut self, seconds: f64) {
        let old = self.draw_time.unwrap_or(seconds);
        self.draw_time = Some(old + (seconds - old) * SMOOTHING);
    }

    /// What the viewer has set, to keep.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Frames that were dropped because the networks were slower than the video, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The frame on screen.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// What there is to see, once that is known.
    pub fn description(&self) -> Option<&Description> {
        self.description.as_ref()
    }

    /// What is wrong, if anything.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Whether the video plays.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Whether the help is on screen.
    pub fn is_help_open(&self) -> bool {
        self.help
    }

    /// Does what the viewer does.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Play => self.playing = !self.playing,
            Action::Step => {
                self.playing = false;
                if !self.waiting && self.description.is_some() && !self.is_stuck() {
                    self.ask_for_frame(1);
                }
            }
            Action::Restart => self.ask(Request::Restart),
            Action::NextVideo if self.source_has(|source| source.others) => {
                self.ask(Request::NextVideo);
            }
            Action::NextVideo => self.note("there is no other: drop one on the window"),
            Action::DropFrames => self.lose = LOST,
            Action::Faster(faster) => {
                let factor = if faster { 1.25 } else { 0.8 };
                self.set_rate((self.rate() * factor).round().max(1.0));
            }
            Action::Turn(knob, up) => self.turn(knob, up),
            Action::Clean => self.clean(),
            Action::ResetMemory => self.ask(Request::ResetMemory),
            Action::SaveMemory => self.ask(Request::SaveMemory),
            Action::RestoreMemory if self.saved => self.ask(Request::RestoreMemory),
            Action::RestoreMemory => self.note("no memory was saved yet"),
            Action::NextQuantity(forward) => self.next_quantity(forward),
            Action::NextChannel(forward) => self.next_channel(forward),
            Action::Truth => self.settings.truth = !self.settings.truth,
            Action::Compute => self.switch_compute(),
            Action::Appearance => self.settings.appearance = self.settings.appearance.other(),
            Action::FullScreen => self.drawn.toggle_full_screen(),
            Action::Help => self.help = !self.help,
            Action::Close if self.help => self.help = false,
            Action::Close => self.problem = self.problem.take().filter(|problem| problem.stuck),
        }
    }

    fn ask(&mut self, request: Request) {
        if self.description.is_some() {
            self.requests.push_back(request);
        }
    }

    /// Opens a video of the viewer's.
    pub fn open(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or(path.as_os_str());
        self.note(format!("opening {}", name.display()));
        self.take_offer(Request::Open(path.to_owned()));
    }

    /// Takes the offer of the problem on screen.
    pub(crate) fn take_offer(&mut self, request: Request) {
        self.problem = None;
        self.switch(request);
    }

    /// Asks for something after which everything is another: the video waits for it.
    fn switch(&mut self, request: Request) {
        self.switching = matches!(
            request,
            Request::Compute(_) | Request::OwnWeights | Request::Open(_) | Request::OwnVideo
        );
        self.requests.push_back(request);
    }

    fn switch_compute(&mut self) {
        let Some(description) = &self.description else {
            return;
        };
        match (description.compute, &description.gpu) {
            (Compute::Gpu, _) => {
                self.settings.stay_on_cpu = true;
                self.switch(Request::Compute(Compute::Cpu));
            }
            (Compute::Cpu, Gpu::Ready(_)) => {
                self.settings.stay_on_cpu = false;
                self.switch(Request::Compute(Compute::Gpu));
            }
            (Compute::Cpu, Gpu::Missing(why)) => {
                let why = why.clone();
                self.note(why);
            }
        }
    }

    /// Frames a second.
    pub(crate) fn rate(&self) -> f64 {
        let own = self.description.as_ref().map(|d| d.source.rate);
        self.settings.rate.or(own).unwrap_or(15.0)
    }

    pub(crate) fn set_rate(&mut self, rate: f64) {
        let rate = rate.clamp(*RATES.start(), *RATES.end());
        self.settings.rate = Some(rate);
        self.pace.set_rate(rate);
    }

    fn next_quantity(&mut self, forward: bool) {
        let there = self.quantities().iter().copied();
        let all: Vec<Option<Quantity>> = std::iter::once(None).chain(there.map(Some)).collect();
        let look = &mut self.settings.look;
        let at = all.iter().position(|quantity| *quantity == look.quantity);
        let step = if forward { 1 } else { all.len() - 1 };
        look.quantity = all[(at.unwrap_or(0) + step) % all.len()];
    }

    fn next_channel(&mut self, forward: bool) {
        let channels = self.description.as_ref().and_then(Description::channels);
        let Some(channels) = channels else { return };
        // 0 is the norm.
        let at = self.settings.look.channel.map_or(0, |channel| channel + 1);
        let step = if forward { 1 } else { channels };
        self.settings.look.channel = ((at + step) % (channels + 1)).checked_sub(1);
    }
}
