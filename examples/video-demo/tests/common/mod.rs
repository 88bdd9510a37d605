//! The app with somebody in front of it, and real networks on the CPU.

use egui::accesskit::Role;
use egui::{Key, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use video_demo::desk::Desk;
use video_demo::digits::Weights;
use video_demo::program::Program;
use video_demo::video::Setup;
use video_demo_app::{App, Compute, Request, Settings, Shown};

/// Somebody in front of the app, and the desk behind it.
pub struct Viewer {
    pub app: App,
    desk: Desk,
    time: f64,
    pub asked: Vec<Request>,
}

impl Viewer {
    fn new(setup: Setup, settings: Settings) -> Self {
        let gpu = Err("this test has none".into());
        let program = Program::new(Weights::embedded(), gpu, setup);
        let mut desk = Desk::new(Box::new(program), None, Compute::Cpu);
        let mut app = App::new(settings);
        desk.start()
            .into_iter()
            .for_each(|event| app.receive(event));
        Self {
            app,
            desk,
            time: 0.0,
            asked: Vec::new(),
        }
    }

    /// A picture on screen, a frame of the video later.
    fn picture(&mut self, ui: &mut egui::Ui) {
        let rate = self.app.description().map_or(15.0, |d| d.source.rate);
        // A little late, so that rounding never makes it early.
        self.time += 1.0 / rate + 1e-9;
        self.app.tick(self.time);
        self.app.show(ui);
        let requests: Vec<_> = self.app.requests().collect();
        for request in requests {
            self.asked.push(request.clone());
            let events = self.desk.handle(request);
            events.into_iter().for_each(|event| self.app.receive(event));
        }
    }
}

pub type Screen = Harness<'static, Viewer>;

/// The app in front of moving digits, with what looks at videos.
pub fn screen(setup: Setup, settings: Settings, size: [f32; 2]) -> Screen {
    let mut screen = Harness::builder()
        .with_size(vec2(size[0], size[1]))
        .build_ui_state(
            |ui, viewer: &mut Viewer| viewer.picture(ui),
            Viewer::new(setup, settings),
        );
    screen.run_steps(3);
    screen
}

pub fn app(screen: &Screen) -> &App {
    &screen.state().app
}

pub fn shown(screen: &Screen) -> &Shown {
    app(screen).shown().expect("a frame on screen")
}

pub fn press(screen: &mut Screen, key: Key) {
    screen.key_press(key);
    screen.run_steps(2);
}

pub fn click(screen: &mut Screen, label: &str) {
    let buttons = [Role::Button, Role::CheckBox];
    let button = buttons
        .into_iter()
        .find_map(|role| screen.query_by_role_and_label(role, label));
    button
        .unwrap_or_else(|| panic!("no button {label:?}"))
        .click();
    screen.run_steps(2);
}
