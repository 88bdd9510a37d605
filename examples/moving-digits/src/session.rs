//! A folder that an experiment writes to, and what a run finds in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::{self, FileError};
use crate::plan::Plan;

const SETTINGS: &str = "settings.json";
/// Written last: where it is, the run is finished.
const TABLE: &str = "table.md";
const TRAININGS: &str = "trainings";

/// How a run was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The backend's name: another one computes other bits.
    pub backend: String,
    /// What is trained.
    pub plan: Plan,
}

/// Why a run cannot start in a folder.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// It would overwrite a run that can be resumed.
    #[error(
        "{folder} holds an unfinished run: --resume goes on with it, --restart discards it",
        folder = folder.display()
    )]
    Unfinished {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no run to resume.
    #[error("{folder} holds no run to resume", folder = folder.display())]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
    /// Its settings cannot be read.
    #[error("{path} holds no settings: {source}", path = path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file cannot be read, written or removed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Goes on with the run in `folder`, as it was started.
///
/// # Errors
///
/// If there is none.
pub fn resume(folder: &Path) -> Result<Settings, SessionError> {
    let path = folder.join(SETTINGS);
    if !path.exists() {
        return Err(SessionError::Nothing {
            folder: folder.into(),
        });
    }
    let bytes = std::fs::read(&path).map_err(|source| io(&path, source))?;
    serde_json::from_slice(&bytes).map_err(|source| SessionError::Settings { path, source })
}

/// Starts a run in `folder`. What a finished run left is discarded; what an unfinished one left,
/// only with `restart`.
///
/// # Errors
///
/// If there is an unfinished run, or a file cannot be written or removed.
pub fn start(folder: &Path, settings: &Settings, restart: bool) -> Result<(), SessionError> {
    let path = folder.join(SETTINGS);
    if path.exists() {
        let table = folder.join(TABLE);
        if !table.exists() && !restart {
            return Err(SessionError::Unfinished {
                folder: folder.into(),
            });
        }
        let trainings = folder.join(TRAININGS);
        if trainings.exists() {
            std::fs::remove_dir_all(&trainings).map_err(|source| io(&trainings, source))?;
        }
        if table.exists() {
            std::fs::remove_file(&table).map_err(|source| io(&table, source))?;
        }
    }
    let json = serde_json::to_vec_pretty(settings).map_err(|source| SessionError::Settings {
        path: path.clone(),
        source,
    })?;
    Ok(checkpoint::write(&path, &json)?)
}

/// Writes the table, which makes the run a finished one.
///
/// # Errors
///
/// If it cannot be written.
pub fn finish(folder: &Path, table: &str) -> Result<PathBuf, FileError> {
    let path = folder.join(TABLE);
    checkpoint::write(&path, table.as_bytes())?;
    Ok(path)
}

/// The folder of the trainings in the folder of a run.
pub(crate) fn trainings(folder: &Path) -> PathBuf {
    folder.join(TRAININGS)
}

fn io(path: &Path, source: std::io::Error) -> FileError {
    FileError::Io {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrent::Layer;

    #[test]
    fn an_unfinished_run_is_only_resumed_or_discarded_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/inside");
        let settings = |steps| Settings {
            backend: "flex".into(),
            plan: Plan::quick(vec![Layer::NoMemory], 3, steps),
        };
        let error = resume(&folder).unwrap_err().to_string();
        assert!(error.ends_with("holds no run to resume"), "{error}");

        start(&folder, &settings(10), false).unwrap();
        std::fs::create_dir(trainings(&folder)).unwrap();
        assert_eq!(resume(&folder).unwrap(), settings(10));
        let error = start(&folder, &settings(20), false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("--resume goes on with it"), "{error}");
        assert!(trainings(&folder).exists());

        start(&folder, &settings(20), true).unwrap();
        assert_eq!(resume(&folder).unwrap(), settings(20));
        assert!(!trainings(&folder).exists());

        finish(&folder, "| table |").unwrap();
        start(&folder, &settings(30), false).unwrap();
        assert_eq!(resume(&folder).unwrap(), settings(30));
    }

    #[test]
    fn settings_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SETTINGS), "{\"backend\": 1").unwrap();
        let error = resume(folder.path()).unwrap_err().to_string();
        assert!(error.contains("settings.json holds no settings"), "{error}");
    }
}
