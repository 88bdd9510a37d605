//! Fonts and colours.

use std::sync::Arc;

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Stroke,
    TextStyle, Theme, Visuals,
};

use crate::settings::Appearance;

const MEDIUM: &[u8] = include_bytes!("../../../../moving-digits/assets/Inter-Medium.ttf");
const BOLD: &[u8] = include_bytes!("../../../../moving-digits/assets/Inter-Bold.ttf");

/// The colours of one appearance.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// Behind panels.
    pub surface: Color32,
    /// What can be pressed.
    pub raised: Color32,
    /// Thin lines.
    pub line: Color32,
    pub text: Color32,
    pub muted: Color32,
    /// Networks, in their order.
    pub networks: [Color32; 2],
    pub damage: Color32,
    pub wrong: Color32,
}

const DARK: Palette = Palette {
    background: Color32::from_rgb(0x0f, 0x13, 0x19),
    surface: Color32::from_rgb(0x17, 0x1d, 0x25),
    raised: Color32::from_rgb(0x27, 0x2f, 0x3a),
    line: Color32::from_rgb(0x2b, 0x34, 0x40),
    text: Color32::from_rgb(0xe8, 0xed, 0xf2),
    muted: Color32::from_rgb(0x93, 0x9e, 0xac),
    networks: [
        Color32::from_rgb(0x8f, 0xa6, 0xff),
        Color32::from_rgb(0x2f, 0xd6, 0xb5),
    ],
    damage: Color32::from_rgb(0xff, 0x9a, 0x3c),
    wrong: Color32::from_rgb(0xff, 0x5d, 0x73),
};

const LIGHT: Palette = Palette {
    background: Color32::from_rgb(0xee, 0xf1, 0xf5),
    surface: Color32::from_rgb(0xff, 0xff, 0xff),
    raised: Color32::from_rgb(0xe3, 0xe8, 0xee),
    line: Color32::from_rgb(0xd3, 0xda, 0xe3),
    text: Color32::from_rgb(0x16, 0x1d, 0x27),
    muted: Color32::from_rgb(0x57, 0x63, 0x72),
    networks: [
        Color32::from_rgb(0x3f, 0x5a, 0xd8),
        Color32::from_rgb(0x06, 0x8c, 0x75),
    ],
    damage: Color32::from_rgb(0xd0, 0x6c, 0x0c),
    wrong: Color32::from_rgb(0xd1, 0x2b, 0x47),
};

/// Colours over a frame of the video, whatever is around it.
pub mod frame {
    use egui::Color32;

    use super::DARK;

    pub const RIGHT: Color32 = DARK.networks[1];
    pub const WRONG: Color32 = DARK.wrong;
    pub const TRUTH: Color32 = Color32::from_rgb(0xff, 0xd4, 0x5e);
    pub const INK: Color32 = DARK.background;

    /// What network number `index` finds where nobody knows whether it is there.
    pub fn unknown(index: usize) -> Color32 {
        DARK.network(index)
    }
}

impl Palette {
    /// The colours of an appearance.
    pub fn of(appearance: Appearance) -> Self {
        match appearance {
            Appearance::Dark => DARK,
            Appearance::Light => LIGHT,
        }
    }

    /// The colour of network number `index`.
    pub fn network(&self, index: usize) -> Color32 {
        self.networks[index % self.networks.len()]
    }
}

/// A bold font.
pub fn bold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("bold".into()))
}

/// The font of running text.
pub fn medium(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Gives egui fonts, from the next frame on, and its style.
pub fn set_up(ctx: &Context) {
    let mut fonts = FontDefinitions::empty();
    let families = [
        (FontFamily::Proportional, "medium"),
        (FontFamily::Monospace, "medium"),
        (FontFamily::Name("bold".into()), "bold"),
    ];
    for (name, font) in [("medium", MEDIUM), ("bold", BOLD)] {
        let data = Arc::new(FontData::from_static(font));
        fonts.font_data.insert(name.to_owned(), data);
    }
    for (family, font) in families {
        fonts.families.insert(family, vec![font.to_owned()]);
    }
    ctx.set_fonts(fonts);
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Heading, bold(17.0)),
            (TextStyle::Body, medium(13.5)),
            (TextStyle::Button, medium(13.5)),
            (TextStyle::Small, medium(11.5)),
            (TextStyle::Monospace, medium(13.0)),
        ]
        .into();
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(10.0, 5.0);
        style.spacing.interact_size.y = 24.0;
        style.interaction.selectable_labels = false;
    });
    for (theme, appearance) in [
        (Theme::Dark, Appearance::Dark),
        (Theme::Light, Appearance::Light),
    ] {
        ctx.set_visuals_of(theme, visuals(appearance));
    }
}

fn visuals(appearance: Appearance) -> Visuals {
    let palette = Palette::of(appearance);
    let mut visuals = match appearance {
        Appearance::Dark => Visuals::dark(),
        Appearance::Light => Visuals::light(),
    };
    let accent = palette.networks[1];
    visuals.panel_fill = palette.background;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.extreme_bg_color = palette.background;
    visuals.faint_bg_color = palette.surface;
    visuals.hyperlink_color = accent;
    visuals.selection.bg_fill = accent.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.5, palette.text);
    visuals.slider_trailing_fill = true;
    let widgets = &mut visuals.widgets;
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    widgets.noninteractive.fg_stroke = Stroke::new(1.0, palette.text);
    for (state, fill) in [
        (&mut widgets.inactive, palette.raised),
        (
            &mut widgets.hovered,
            palette.raised.lerp_to_gamma(palette.text, 0.12),
        ),
        (
            &mut widgets.active,
            palette.raised.lerp_to_gamma(palette.text, 0.22),
        ),
        (&mut widgets.open, palette.raised),
    ] {
        state.weak_bg_fill = fill;
        state.bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.2, palette.text);
        state.corner_radius = CornerRadius::same(6);
        state.expansion = 0.0;
    }
    visuals
}
