//! Everything a viewer can do, and the keys for it.

use egui::{Key, Modifiers};

/// Something that a viewer does, with the mouse or by a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Play or pause.
    Play,
    /// Show the next frame, and pause.
    Step,
    /// Go back to the start of the video; the memories, too.
    Restart,
    /// Show another video.
    NextVideo,
    /// Lose the next frames.
    DropFrames,
    /// More or fewer frames a second.
    Faster(bool),
    /// Move knob number `.0`, from 0, up or down by a step.
    Turn(usize, bool),
    /// Set every knob to 0, or back.
    Clean,
    /// Reset the memories.
    ResetMemory,
    /// Save the memories.
    SaveMemory,
    /// Go on with the saved memories.
    RestoreMemory,
    /// Show the next part of the memory, or the one before, as a heat map, or none.
    NextQuantity(bool),
    /// Show the next channel of it, or the one before; the norm over all comes first.
    NextChannel(bool),
    /// Show what is really there, or not.
    Truth,
    /// Compute on the other device.
    Compute,
    /// Light or dark.
    Appearance,
    /// Fill the screen, or not.
    FullScreen,
    /// Show the keys, or not.
    Help,
    /// Close what is in the way.
    Close,
}

/// A key for an action.
#[derive(Debug, Clone, Copy)]
pub struct Shortcut {
    /// The key.
    pub key: Key,
    /// Whether with Shift.
    pub shift: bool,
    /// What it does.
    pub action: Action,
    /// How the help names the keys of this line and what they do; empty where a line before has it.
    pub help: [&'static str; 2],
}

const fn key(key: Key, shift: bool, action: Action, help: [&'static str; 2]) -> Shortcut {
    Shortcut {
        key,
        shift,
        action,
        help,
    }
}

impl Shortcut {
    /// All shortcuts but those of the knobs, in the order of the help.
    const FIXED: [Self; 23] = [
        key(Key::Space, false, Action::Play, ["Space", "play or pause"]),
        key(
            Key::ArrowRight,
            false,
            Action::Step,
            ["Right", "one frame on"],
        ),
        key(
            Key::ArrowUp,
            false,
            Action::Faster(true),
            ["Up, Down", "more or fewer frames a second"],
        ),
        key(Key::ArrowDown, false, Action::Faster(false), ["", ""]),
        key(
            Key::R,
            false,
            Action::Restart,
            ["R", "restart the video and the memory"],
        ),
        key(
            Key::N,
            false,
            Action::NextVideo,
            ["N", "another video, with a fresh memory"],
        ),
        key(
            Key::D,
            false,
            Action::DropFrames,
            ["D", "drop the next eight frames"],
        ),
        key(
            Key::C,
            false,
            Action::Clean,
            ["C", "no damage at all, and back"],
        ),
        key(
            Key::H,
            false,
            Action::NextQuantity(true),
            ["H", "heat map: hidden, cell, gates, none (Shift: back)"],
        ),
        key(Key::H, true, Action::NextQuantity(false), ["", ""]),
        key(
            Key::CloseBracket,
            false,
            Action::NextChannel(true),
            ["[ and ]", "its channel, or the norm over all"],
        ),
        key(
            Key::OpenBracket,
            false,
            Action::NextChannel(false),
            ["", ""],
        ),
        key(
            Key::M,
            false,
            Action::ResetMemory,
            ["M", "reset the memory"],
        ),
        key(Key::S, false, Action::SaveMemory, ["S", "save the memory"]),
        key(
            Key::L,
            false,
            Action::RestoreMemory,
            ["L", "restore the saved memory"],
        ),
        key(
            Key::T,
            false,
            Action::Truth,
            ["T", "show what is really there"],
        ),
        key(
            Key::G,
            false,
            Action::Compute,
            ["G", "compute on the GPU or on the CPU"],
        ),
        key(Key::Y, false, Action::Appearance, ["Y", "light or dark"]),
        key(
            Key::F11,
            false,
            Action::FullScreen,
            ["F11, F", "fill the screen"],
        ),
        key(Key::F, false, Action::FullScreen, ["", ""]),
        key(Key::F1, false, Action::Help, ["F1, ?", "these keys"]),
        key(Key::Questionmark, true, Action::Help, ["", ""]),
        key(
            Key::Escape,
            false,
            Action::Close,
            ["Esc", "close what is in the way"],
        ),
    ];

    /// Keys of the knobs, in their order.
    const DIGITS: [Key; 9] = [
        Key::Num1,
        Key::Num2,
        Key::Num3,
        Key::Num4,
        Key::Num5,
        Key::Num6,
        Key::Num7,
        Key::Num8,
        Key::Num9,
    ];

    /// Every shortcut for a source with so many knobs, nine of which have keys.
    pub fn all(knobs: usize) -> impl Iterator<Item = Self> {
        let digits = Self::DIGITS.into_iter().take(knobs).enumerate();
        let turns = digits.flat_map(|(knob, digit)| {
            [false, true].map(|shift| {
                let help = match (knob, shift) {
                    (0, false) => ["1, 2, ..", "more of each damage (Shift: less)"],
                    _ => ["", ""],
                };
                key(digit, shift, Action::Turn(knob, !shift), help)
            })
        });
        Self::FIXED.into_iter().chain(turns)
    }

    /// Whether it was pressed.
    pub(crate) fn pressed(self, input: &mut egui::InputState) -> bool {
        // A question mark is Shift and another key on some keyboards, and a key of its own on others.
        if self.key == Key::Questionmark {
            return input.key_pressed(self.key);
        }
        let modifiers = match self.shift {
            true => Modifiers::SHIFT,
            false => Modifiers::NONE,
        };
        let exact = input.modifiers.matches_exact(modifiers);
        exact && input.key_pressed(self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_shortcuts_share_a_key_and_all_are_explained() {
        let all: Vec<_> = Shortcut::all(4).collect();
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(
                    (one.key, one.shift) != (other.key, other.shift),
                    "{one:?} {other:?}"
                );
            }
        }
        assert_eq!(all.len(), Shortcut::FIXED.len() + 8);
        let lines = all.iter().filter(|one| !one.help[0].is_empty()).count();
        assert_eq!(lines, 19);
    }
}
