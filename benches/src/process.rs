//! A peer's Python process, which answers every line that it is sent with one.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The process; it ends with this.
pub struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Has `python` run `script` with `module` as its argument. Returns the version of the module too.
    pub fn start(python: &Path, script: &str, module: &str) -> Result<(Self, String)> {
        let mut child = Command::new(python)
            .args(["-c", script, module])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let requests = child.stdin.take().context("the process has no input")?;
        let answers = BufReader::new(child.stdout.take().context("the process has no output")?);
        let mut process = Self {
            child,
            requests,
            answers,
        };
        let version = process
            .answer()
            .with_context(|| format!("cannot import {module}"))?;
        let version = version
            .as_str()
            .context("the version is no string")?
            .to_owned();
        Ok((process, version))
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the process ended");
        let answer = serde_json::from_str::<Value>(&line)?;
        if let Some(error) = answer.get("error") {
            anyhow::bail!("{error}");
        }
        Ok(answer)
    }

    /// Sends a line, and returns the answer.
    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}")?;
        self.requests.flush()?;
        self.answer()
    }

    /// Runs the work of that number, and returns the time that the process says it took.
    pub fn run(&mut self, number: u64) -> Result<Duration> {
        let seconds = self
            .ask(&json!(number))?
            .as_f64()
            .context("the time is no number")?;
        Ok(Duration::from_secs_f64(seconds))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
