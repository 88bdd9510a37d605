//! What the viewer can do to the video and to the memory.

use egui::{
    Align, Button, DragValue, Frame, Layout, Margin, Response, RichText, ScrollArea, Slider, Ui,
    vec2,
};

use super::theme::{Palette, bold, medium};
use crate::action::Action;
use crate::app::App;
use crate::description::{Description, Knob, Unit};
use crate::seen::Quantity;

/// Knobs that have room to stand apart.
const FEW: usize = 5;

/// How knobs are laid out.
#[derive(Clone, Copy)]
enum Knobs {
    /// Each slider below its name and value.
    Apart,
    /// Each slider between them.
    Dense,
}

impl App {
    pub(super) fn show_controls(&mut self, ui: &mut Ui, palette: &Palette) {
        ScrollArea::vertical().show(ui, |ui| {
            Frame::new()
                .inner_margin(Margin::symmetric(16, 10))
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 4.0;
                    ui.spacing_mut().interact_size.y = 20.0;
                    self.show_damages(ui, palette);
                    ui.add_space(10.0);
                    self.show_memory(ui, palette);
                    ui.add_space(10.0);
                    self.show_figures(ui, palette);
                });
        });
    }

    fn show_damages(&mut self, ui: &mut Ui, palette: &Palette) {
        heading(ui, "Damage", "what happens to the video", palette);
        let knobs = match &self.description {
            Some(description) => description.source.knobs.clone(),
            None => return,
        };
        let layout = match knobs.len() {
            ..=FEW => Knobs::Apart,
            _ => Knobs::Dense,
        };
        for (index, knob) in knobs.iter().enumerate() {
            self.show_knob(ui, index, knob, layout, palette);
        }
        if self.source_has(|source| source.seeded) {
            self.show_seed(ui);
        }
        ui.horizontal(|ui| {
            let clean = self.is_clean();
            let text = if clean { "Damage again" } else { "No damage" };
            if ui.button(text).on_hover_text("C").clicked() {
                self.act(Action::Clean);
            }
            if ui.button("As at first").clicked() {
                self.reset_knobs();
            }
        });
    }

    fn show_seed(&mut self, ui: &mut Ui) {
        let mut seed = self.seed();
        ui.horizontal(|ui| {
            ui.set_min_height(ui.spacing().interact_size.y + 6.0);
            let label = ui.label("Seed");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let value = ui.add(DragValue::new(&mut seed).speed(0.05));
                let hint = "What the random numbers come of: the same seed, the same damage";
                if value.labelled_by(label.id).on_hover_text(hint).changed() {
                    self.settings.seed = Some(seed);
                }
            });
        });
    }

    fn show_knob(
        &mut self,
        ui: &mut Ui,
        index: usize,
        knob: &Knob,
        layout: Knobs,
        palette: &Palette,
    ) {
        let mut value = self.knob_value(knob);
        let text = match knob.unit {
            Unit::Share => format!("{:.0} %", value * 100.0),
            Unit::Count => format!("{value:.0}"),
        };
        let hint = format!(
            "{}\n{} for more, Shift+{} for less",
            knob.hint,
            index + 1,
            index + 1
        );
        let slider = Slider::new(&mut value, 0.0..=knob.max)
            .show_value(false)
            .step_by(match knob.unit {
                Unit::Share => 0.01,
                Unit::Count => 1.0,
            });
        let response = match layout {
            Knobs::Apart => {
                let label = above_slider(ui, &knob.name, text, palette);
                ui.add(slider).labelled_by(label.id)
            }
            Knobs::Dense => beside_slider(ui, &knob.name, text, slider, palette),
        };
        let response = response.on_hover_text(hint);
        if response.changed() {
            self.set_knob(&knob.key, value);
        }
    }

    fn show_memory(&mut self, ui: &mut Ui, palette: &Palette) {
        let quantities = self.quantities().to_vec();
        let (name, what) = match quantities.as_slice() {
            [Quantity::Score] => ("Heat map", "how sure, over the frame"),
            _ => ("Memory", "what it holds, over the frame"),
        };
        heading(ui, name, what, palette);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(5.0, 5.0);
            ui.spacing_mut().button_padding = vec2(8.0, 4.0);
            let looked = self.settings.look.quantity;
            let choices = std::iter::once((None, "nothing"))
                .chain(quantities.iter().map(|one| (Some(*one), one.name())));
            for (quantity, name) in choices {
                let button = ui.add(Button::selectable(looked == quantity, name));
                if button.on_hover_text("H: the next one").clicked() {
                    self.settings.look.quantity = quantity;
                }
            }
        });
        self.show_channel(ui, palette);
        ui.horizontal(|ui| {
            let buttons = [
                ("Reset", "M: as at a start", Action::ResetMemory, true),
                ("Save", "S", Action::SaveMemory, true),
                (
                    "Restore",
                    "L: as it was saved",
                    Action::RestoreMemory,
                    self.saved,
                ),
            ];
            for (text, hint, action, there) in buttons {
                let button = ui.add_enabled(there, Button::new(text));
                if button.on_hover_text(hint).clicked() {
                    self.act(action);
                }
            }
            if !self.source_has(|source| source.truth) {
                return;
            }
            let mut truth = self.settings.truth;
            if ui
                .checkbox(&mut truth, "Truth")
                .on_hover_text("T")
                .changed()
            {
                self.act(Action::Truth);
            }
        });
    }

    fn show_channel(&mut self, ui: &mut Ui, palette: &Palette) {
        let channels = self.description.as_ref().and_then(Description::channels);
        let Some(channels) = channels else { return };
        let there = self.settings.look.quantity.is_some();
        // 0 is the norm over all channels.
        let mut at = self.settings.look.channel.map_or(0, |channel| channel + 1);
        let text = match at {
            0 => "norm over all".to_owned(),
            channel => format!("{channel} of {channels}"),
        };
        let label = above_slider(ui, "Channel", text, palette);
        let slider = Slider::new(&mut at, 0..=channels).show_value(false);
        let response = ui.add_enabled(there, slider).labelled_by(label.id);
        if response.on_hover_text("[ and ]").changed() {
            self.settings.look.channel = at.checked_sub(1);
        }
    }
}

/// A slider between its name and its value.
fn beside_slider(
    ui: &mut Ui,
    name: &str,
    value: String,
    slider: Slider<'_>,
    palette: &Palette,
) -> Response {
    let [name_width, value_width] = [84.0, 44.0];
    let row = ui.horizontal(|ui| {
        let height = ui.spacing().interact_size.y;
        let left = Layout::left_to_right(Align::Center);
        let label = ui.allocate_ui_with_layout(vec2(name_width, height), left, |ui| {
            ui.set_min_width(name_width);
            ui.label(name)
        });
        let gaps = 2.0 * ui.spacing().item_spacing.x;
        ui.spacing_mut().slider_width = ui.available_width() - value_width - gaps;
        let response = ui.add(slider).labelled_by(label.inner.id);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(value).font(medium(13.0)).color(palette.muted));
        });
        response
    });
    row.inner
}

/// A slider's name, to the left, and its value, to the right; the slider is as wide as both. Returns the name's label.
fn above_slider(ui: &mut Ui, name: &str, value: String, palette: &Palette) -> Response {
    let label = ui.horizontal(|ui| {
        let label = ui.label(name);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(value).font(medium(13.0)).color(palette.muted));
        });
        label
    });
    ui.spacing_mut().slider_width = ui.available_width();
    label.inner
}

/// The name of a part of the controls, and what it is.
pub(super) fn heading(ui: &mut Ui, name: &str, what: &str, palette: &Palette) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(name).font(bold(14.5)));
        ui.label(RichText::new(what).font(medium(12.0)).color(palette.muted));
    });
}
