//! Configurations from damaged files.

use bottleneck_lstm::{BottleneckLstmConfig, Peephole};
use burn::config::Config;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_configurations_are_refused_or_checked(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        let config = BottleneckLstmConfig::tensorflow(8, 4)
            .with_peephole(Peephole::PerPosition([2, 3]))
            .with_clip_state(6.0);
        let mut text: Vec<char> = config.to_string().chars().collect();
        for (at, char) in edits {
            let at = at.index(text.len());
            text[at] = char;
        }
        let text: String = text.into_iter().collect();
        if let Ok(config) = BottleneckLstmConfig::load_binary(text.as_bytes()) {
            let _ = config.validate();
        }
    }
}

#[test]
fn bad_configurations_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let load = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        BottleneckLstmConfig::load(&file)
    };
    for (text, expected) in [
        (r#"{"input_channels":8}"#, "hidden_channels"),
        (r#"{"input_channels":8,"hidden_channels":-4}"#, "-4"),
        (
            r#"{"input_channels":8,"hidden_channels":4,"peep":1}"#,
            "peep",
        ),
        (
            r#"{"input_channels":8,"hidden_channels":4,"activation":"Gelu"}"#,
            "Gelu",
        ),
        (r#"{"input_channels":8,"hidden_channels":1e30}"#, "usize"),
        (r#"{"input_channels":8,"#, "EOF"),
        ("", "EOF"),
    ] {
        let error = load(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(load(&[0xff; 9]).is_err());
    assert!(BottleneckLstmConfig::load(folder.path().join("absent.json")).is_err());
    assert!(load("[".repeat(100_000).as_bytes()).is_err());

    let illegal = load(br#"{"input_channels":8,"hidden_channels":4,"kernel_size":2}"#).unwrap();
    assert!(illegal.validate().is_err());
    let legal = BottleneckLstmConfig::paper(8, 4);
    assert_eq!(load(legal.to_string().as_bytes()).unwrap(), legal);
}
