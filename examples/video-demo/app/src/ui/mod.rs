//! How the app is drawn.

mod bar;
mod canvas;
mod controls;
mod drop;
mod figures;
mod heat;
mod help;
mod problem;
mod theme;
mod timeline;
mod view;

use egui::{CentralPanel, Context, Frame, Margin, Panel, Ui};

use crate::action::Shortcut;
use crate::app::App;
use crate::settings::Appearance;
use theme::Palette;

/// Width of the controls, in points.
const CONTROLS: f32 = 292.0;

/// Where a screen begins to be large, in points.
const LARGE: [f32; 2] = [1600.0, 900.0];

/// What drawing keeps from one picture to the next.
#[derive(Default)]
pub(crate) struct Drawn {
    /// Whether egui has our fonts.
    ready: bool,
    appearance: Option<Appearance>,
    zoom: Option<f32>,
    full_screen: Option<bool>,
    is_full_screen: bool,
    frame: Option<view::FrameTexture>,
    heats: Vec<Option<heat::HeatTexture>>,
}

impl Drawn {
    pub fn toggle_full_screen(&mut self) {
        self.is_full_screen = !self.is_full_screen;
        self.full_screen = Some(self.is_full_screen);
    }
}

impl App {
    /// Draws it, and does what the viewer does meanwhile. The first call only sets egui up, and asks for another.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if !self.drawn.ready {
            // Fonts are there from the next frame on, and egui may have come without any.
            theme::set_up(&ctx);
            self.drawn.ready = true;
            ctx.request_repaint();
            return;
        }
        self.dress(&ctx);
        self.hear_keys(&ctx);
        self.hear_drops(&ctx);

        let palette = Palette::of(self.settings.appearance);
        let surface = Frame::new()
            .fill(palette.surface)
            .inner_margin(Margin::symmetric(14, 8));
        Panel::top("bar")
            .frame(surface)
            .show(ui, |ui| self.show_bar(ui, &palette));
        Panel::right("controls")
            .frame(
                Frame::new()
                    .fill(palette.surface)
                    .inner_margin(Margin::ZERO),
            )
            .exact_size(CONTROLS)
            .resizable(false)
            .show(ui, |ui| self.show_controls(ui, &palette));
        Panel::bottom("timeline")
            .frame(Frame::new().inner_margin(Margin {
                left: 14,
                right: 14,
                top: 0,
                bottom: 10,
            }))
            .exact_size(timeline::HEIGHT)
            .show_separator_line(false)
            .show(ui, |ui| self.show_timeline(ui, &palette));
        CentralPanel::default()
            .frame(
                Frame::new()
                    .fill(palette.background)
                    .inner_margin(Margin::symmetric(14, 10)),
            )
            .show(ui, |ui| {
                self.show_problem(ui, &palette);
                self.show_views(ui, &palette);
            });
        self.show_drop(&ctx, &palette);
        if self.help {
            self.show_help(&ctx, &palette);
        }
        if let Some(seconds) = self.wait() {
            ctx.request_repaint_after(std::time::Duration::from_secs_f64(seconds));
        }
    }

    fn dress(&mut self, ctx: &Context) {
        let appearance = self.settings.appearance;
        if self.drawn.appearance != Some(appearance) {
            self.drawn.appearance = Some(appearance);
            ctx.set_theme(match appearance {
                Appearance::Dark => egui::Theme::Dark,
                Appearance::Light => egui::Theme::Light,
            });
        }
        // On a large screen everything is larger. Control with Plus and Minus still zooms from there.
        let size = ctx.content_rect().size() * ctx.zoom_factor();
        let zoom = (size.x / LARGE[0]).min(size.y / LARGE[1]);
        let zoom = ((zoom * 4.0).floor() / 4.0).clamp(1.0, 2.5);
        if self.drawn.zoom != Some(zoom) {
            self.drawn.zoom = Some(zoom);
            ctx.set_zoom_factor(zoom);
        }
        if let Some(full) = self.drawn.full_screen.take() {
            ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(full));
        }
    }

    /// Keys go to a widget that has the focus first: arrows move a slider, Space presses a button.
    fn hear_keys(&mut self, ctx: &Context) {
        if ctx.egui_wants_keyboard_input() {
            return;
        }
        let knobs = self
            .description
            .as_ref()
            .map_or(0, |description| description.source.knobs.len());
        let actions: Vec<_> = ctx.input_mut(|input| {
            Shortcut::all(knobs)
                .filter(|shortcut| shortcut.pressed(input))
                .map(|shortcut| shortcut.action)
                .collect()
        });
        actions.into_iter().for_each(|action| self.act(action));
    }
}
