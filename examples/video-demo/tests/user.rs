//! The app as its viewers meet it: every control and every key, with real networks on the CPU.

mod common;

use common::{Screen, app, click, press, shown};
use egui::accesskit::Role;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use video_demo::video::Setup;
use video_demo_app::{Appearance, Compute, Quantity, Request, Settings, Shortcut, Verdict};

/// The app in front of moving digits.
fn screen_of(settings: Settings, size: [f32; 2]) -> Screen {
    common::screen(Setup::default(), settings, size)
}

fn screen() -> Screen {
    screen_of(Settings::default(), [1280.0, 720.0])
}

fn press_with_shift(screen: &mut Screen, key: Key) {
    screen.key_press_modifiers(Modifiers::SHIFT, key);
    screen.run_steps(2);
}

fn pause(screen: &mut Screen) {
    if app(screen).is_playing() {
        press(screen, Key::Space);
    }
}

/// What was asked for since the last time.
fn asked(screen: &mut Screen) -> Vec<Request> {
    let mut asked = std::mem::take(&mut screen.state_mut().asked);
    asked.retain(|request| !matches!(request, Request::Step(_) | Request::Look(_)));
    asked
}

fn knob(screen: &Screen, name: &str) -> Option<f32> {
    app(screen).settings().knobs.get(name).copied()
}

fn looked(screen: &Screen) -> Option<Quantity> {
    app(screen).settings().look.quantity
}

#[test]
fn it_plays_both_networks_in_step_from_the_start() {
    let mut screen = screen();
    let before = shown(&screen).number;
    screen.run_steps(30);
    let now = shown(&screen);
    assert_eq!(now.number, before + 30);
    assert_eq!(app(&screen).dropped(), 0);
    assert_eq!(now.views.len(), 2);
    assert_eq!(now.views[0].age, None);
    assert_eq!(now.views[1].age, Some(now.number + 1));
    // What they see is said, too.
    for name in ["no memory", "Bottleneck-LSTM"] {
        assert!(has_image(&screen, &format!("{name} sees")));
    }
    assert!(has_image(&screen, "Timeline. no memory: F1"));
}

/// Whether there is an image whose label has this in it.
fn has_image(screen: &Screen, part: &str) -> bool {
    let mut images = screen.query_all_by_role(Role::Image);
    images.any(|image| {
        let label = image.accesskit_node().label();
        label.is_some_and(|label| label.contains(part))
    })
}

#[test]
fn a_memory_sees_more_in_damaged_frames() {
    let mut screen = screen();
    let mut right = [0, 0];
    for _ in 0..150 {
        screen.run_steps(1);
        let now = shown(&screen);
        if now.damage.is_some() {
            for (right, view) in right.iter_mut().zip(&now.views) {
                let found = view.found.iter();
                *right += found
                    .filter(|found| found.verdict == Verdict::Right)
                    .count();
            }
        }
    }
    assert!(right[1] > 2 * right[0], "{right:?}");
}

#[test]
fn play_pause_and_step() {
    let mut screen = screen();
    click(&mut screen, "Pause");
    let stands = shown(&screen).number;
    screen.run_steps(5);
    assert_eq!(shown(&screen).number, stands);
    click(&mut screen, "Step");
    assert_eq!(shown(&screen).number, stands + 1);
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).number, stands + 2);
    click(&mut screen, "Play");
    assert!(shown(&screen).number > stands + 2);
    // Stepping pauses.
    press(&mut screen, Key::ArrowRight);
    assert!(!app(&screen).is_playing());
    press(&mut screen, Key::Space);
    assert!(app(&screen).is_playing());
}

#[test]
fn restart_and_next_video_start_with_a_fresh_memory() {
    let mut screen = screen();
    screen.run_steps(20);
    pause(&mut screen);
    for way in ["Restart", "R", "Next video", "N"] {
        match way {
            "R" => press(&mut screen, Key::R),
            "N" => press(&mut screen, Key::N),
            label => click(&mut screen, label),
        }
        screen.get_by_label_contains("memory at");
        press(&mut screen, Key::ArrowRight);
        assert_eq!(shown(&screen).number, 0, "{way}");
        assert_eq!(shown(&screen).views[1].age, Some(1), "{way}");
        press(&mut screen, Key::ArrowRight);
    }
    let wanted = [
        Request::Restart,
        Request::Restart,
        Request::NextVideo,
        Request::NextVideo,
    ];
    assert_eq!(asked(&mut screen), wanted);
}

#[test]
fn dropped_frames_are_lost_to_both() {
    let mut screen = screen();
    press(&mut screen, Key::C);
    for way in 0..2 {
        match way {
            0 => click(&mut screen, "Drop frames"),
            _ => press(&mut screen, Key::D),
        }
        let mut lost = 0;
        for _ in 0..20 {
            screen.run_steps(1);
            lost += usize::from(shown(&screen).damage.as_deref() == Some("lost"));
        }
        // Two frames went by with the press.
        assert!((6..=8).contains(&lost), "{lost}");
    }
}

#[test]
fn every_damage_has_a_slider_and_keys() {
    let mut screen = screen();
    let names: Vec<String> = app(&screen)
        .description()
        .unwrap()
        .source
        .knobs
        .iter()
        .map(|knob| knob.name.clone())
        .collect();
    assert_eq!(names.len(), 4);
    for (name, key) in names
        .iter()
        .zip([Key::Num1, Key::Num2, Key::Num3, Key::Num4])
    {
        let slider = screen.get_by_role_and_label(Role::Slider, name).rect();
        screen.drag_at(slider.left_center() + vec2(2.0, 0.0));
        screen.run_steps(1);
        screen.drop_at(slider.left_center() + vec2(2.0, 0.0));
        screen.run_steps(2);
        assert_eq!(knob(&screen, name), Some(0.0), "{name}");
        press(&mut screen, key);
        assert!(knob(&screen, name) > Some(0.0), "{name}");
        press_with_shift(&mut screen, key);
        assert_eq!(knob(&screen, name), Some(0.0), "{name}");
        press(&mut screen, key);
    }
    click(&mut screen, "No damage");
    assert!(names.iter().all(|name| knob(&screen, name) == Some(0.0)));
    screen.run_steps(2);
    assert_eq!(shown(&screen).damage, None);
    click(&mut screen, "Damage again");
    assert!(names.iter().all(|name| knob(&screen, name) > Some(0.0)));
    click(&mut screen, "As at first");
    assert!(names.iter().all(|name| knob(&screen, name).is_none()));
}

#[test]
fn a_slider_with_the_focus_has_the_arrows() {
    let mut screen = screen();
    screen.get_by_role_and_label(Role::Slider, "Noise").focus();
    screen.run_steps(1);
    press(&mut screen, Key::ArrowRight);
    assert!(app(&screen).is_playing(), "the arrow stepped the video");
    assert!(knob(&screen, "Noise") > Some(0.6));
}

#[test]
fn the_memory_is_shown_part_by_part_and_channel_by_channel() {
    let mut screen = screen();
    assert_eq!(looked(&screen), None);
    assert!(shown(&screen).views[1].heat.is_none());
    for quantity in Quantity::MEMORY {
        press(&mut screen, Key::H);
        assert_eq!(looked(&screen), Some(quantity));
        let heat = shown(&screen).views[1].heat.as_ref().expect("a heat map");
        assert_eq!((heat.size, heat.values.len()), ([8, 8], 64));
        assert!(heat.values.iter().all(|value| value.is_finite()));
        assert!(shown(&screen).views[0].heat.is_none(), "no memory, no map");
    }
    press(&mut screen, Key::H);
    assert_eq!(looked(&screen), None);
    press_with_shift(&mut screen, Key::H);
    assert_eq!(looked(&screen), Some(Quantity::Output));
    for quantity in Quantity::MEMORY {
        click(&mut screen, quantity.name());
        assert_eq!(looked(&screen), Some(quantity));
    }

    let channel = |screen: &Screen| app(screen).settings().look.channel;
    click(&mut screen, "cell state");
    let norm = shown(&screen).views[1].heat.clone();
    press(&mut screen, Key::CloseBracket);
    assert_eq!(channel(&screen), Some(0));
    assert!(shown(&screen).views[1].heat != norm);
    press(&mut screen, Key::OpenBracket);
    assert_eq!(channel(&screen), None);
    press(&mut screen, Key::OpenBracket);
    assert_eq!(channel(&screen), Some(63));
    let slider = screen.get_by_role_and_label(Role::Slider, "Channel").rect();
    screen.drag_at(slider.left_center() + vec2(2.0, 0.0));
    screen.run_steps(1);
    screen.drop_at(slider.left_center() + vec2(2.0, 0.0));
    screen.run_steps(2);
    assert_eq!(channel(&screen), None);
    click(&mut screen, "nothing");
    assert_eq!(looked(&screen), None);
}

#[test]
fn another_part_of_the_memory_shows_at_once_while_it_stands_still() {
    let mut screen = screen();
    screen.run_steps(10);
    pause(&mut screen);
    let number = shown(&screen).number;
    press(&mut screen, Key::H);
    screen.run_steps(1);
    let hidden = shown(&screen).views[1].heat.clone().expect("a map");
    click(&mut screen, "input gate");
    screen.run_steps(1);
    let gate = shown(&screen).views[1].heat.clone().expect("a map");
    assert!(hidden != gate);
    assert_eq!(gate.limit, Some(1.0));
    assert_eq!(shown(&screen).number, number);
}

#[test]
fn the_memory_is_reset_saved_and_restored() {
    let mut screen = screen();
    screen.run_steps(20);
    press(&mut screen, Key::L);
    screen.get_by_label("no memory was saved yet");
    pause(&mut screen);
    let saved_at = shown(&screen).views[1].age.unwrap();
    click(&mut screen, "Save");
    screen.get_by_label("memory saved");
    click(&mut screen, "Reset");
    screen.get_by_label("memory reset");
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).views[1].age, Some(1));
    click(&mut screen, "Restore");
    screen.get_by_label("memory restored");
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).views[1].age, Some(saved_at + 1));
    for key in [Key::S, Key::M, Key::L] {
        press(&mut screen, key);
    }
    press(&mut screen, Key::ArrowRight);
    assert_eq!(shown(&screen).views[1].age, Some(saved_at + 2));
    let deeds = [
        Request::SaveMemory,
        Request::ResetMemory,
        Request::RestoreMemory,
    ];
    assert_eq!(asked(&mut screen), [deeds.clone(), deeds].concat());
}

#[test]
fn rate_truth_appearance_full_screen_and_help() {
    let mut screen = screen();
    press(&mut screen, Key::ArrowUp);
    assert_eq!(app(&screen).settings().rate, Some(19.0));
    press(&mut screen, Key::ArrowDown);
    assert_eq!(app(&screen).settings().rate, Some(15.0));
    screen.get_by_label("15 frames/s");

    click(&mut screen, "Truth");
    assert!(app(&screen).settings().truth);
    press(&mut screen, Key::T);
    assert!(!app(&screen).settings().truth);

    click(&mut screen, "Light");
    assert_eq!(app(&screen).settings().appearance, Appearance::Light);
    press(&mut screen, Key::Y);
    assert_eq!(app(&screen).settings().appearance, Appearance::Dark);

    screen.key_press(Key::F11);
    screen.step();
    let wishes = &screen.output().viewport_output[&egui::ViewportId::ROOT].commands;
    let full = egui::ViewportCommand::Fullscreen(true);
    // The wish goes out with the picture after the key.
    if !wishes.contains(&full) {
        screen.step();
        let wishes = &screen.output().viewport_output[&egui::ViewportId::ROOT].commands;
        assert!(wishes.contains(&full), "{wishes:?}");
    }

    click(&mut screen, "Help");
    for Shortcut {
        help: [keys, what], ..
    } in Shortcut::all(4)
    {
        if !keys.is_empty() {
            screen.get_by_label(keys);
            screen.get_by_label(what);
        }
    }
    press(&mut screen, Key::Escape);
    assert!(!app(&screen).is_help_open());
    press(&mut screen, Key::F1);
    assert!(app(&screen).is_help_open());
    click(&mut screen, "Close");
    assert!(!app(&screen).is_help_open());
    press_with_shift(&mut screen, Key::Questionmark);
    assert!(app(&screen).is_help_open());
}

#[test]
fn the_help_fits_on_a_small_screen() {
    for size in [[1280.0, 720.0], [960.0, 540.0]] {
        let mut screen = screen_of(Settings::default(), size);
        press(&mut screen, Key::F1);
        screen.run_steps(2);
        for label in ["Keys", "Close"] {
            let place = screen.get_by_label(label).rect();
            assert!(
                place.top() >= 0.0 && place.bottom() <= size[1],
                "{label} of {size:?}: {place:?}"
            );
        }
    }
}

#[test]
fn without_a_gpu_the_switch_says_why() {
    let mut screen = screen();
    press(&mut screen, Key::G);
    screen.get_by_label("this test has none");
    assert_eq!(app(&screen).description().unwrap().compute, Compute::Cpu);
    let gpu = screen.get_by_role_and_label(Role::Button, "GPU");
    assert!(gpu.accesskit_node().is_disabled());
    assert_eq!(asked(&mut screen), []);
}

#[test]
fn everything_fits_from_a_small_window_to_4k() {
    for size in [
        [1000.0, 600.0],
        [1280.0, 720.0],
        [1920.0, 1080.0],
        [3840.0, 2160.0],
    ] {
        let screen = screen_of(Settings::default(), size);
        let labels = ["Pause", "Help", "Drop frames", "GPU", "Light", "Next video"];
        let mut right = Vec::new();
        for label in labels {
            let rect = screen.get_by_role_and_label(Role::Button, label).rect();
            assert!(
                rect.left() >= 0.0 && rect.right() <= size[0],
                "{label} at {size:?}"
            );
            assert!(rect.bottom() <= size[1], "{label} at {size:?}");
            right.push(rect);
        }
        for (index, one) in right.iter().enumerate() {
            for other in &right[index + 1..] {
                assert!(
                    !one.intersects(other.shrink(0.5)),
                    "{one} {other} at {size:?}"
                );
            }
        }
    }
}

#[test]
fn settings_are_as_they_were_left() {
    let mut screen = screen();
    for key in [
        Key::H,
        Key::H,
        Key::CloseBracket,
        Key::T,
        Key::Y,
        Key::Num3,
        Key::ArrowUp,
    ] {
        press(&mut screen, key);
    }
    let left = app(&screen).settings().clone();
    let json = serde_json::to_string(&left).unwrap();
    let mut again = screen_of(serde_json::from_str(&json).unwrap(), [1280.0, 720.0]);
    again.run_steps(3);
    assert_eq!(app(&again).settings(), &left);
    assert_eq!(looked(&again), Some(Quantity::Cell));
    assert!(shown(&again).views[1].heat.is_some());
}
