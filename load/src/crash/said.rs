//! What a server says on stderr: what it tells of its start is kept, errors go to ours. Refuses
//! to know what it means.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that tell of no error, as they come.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<Value>>>);

impl Said {
    /// Reads on a thread of its own until the process ends.
    pub fn by(stderr: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let heard = said.clone();
        std::thread::spawn(move || heard.hear(stderr));
        said
    }

    /// What has come by now.
    pub fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, stderr: impl Read) {
        // A line that is no text ends it: what the server says is.
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            match told(&line) {
                Some(told) => {
                    let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if all.len() < LINES_MAX {
                        all.push(told);
                    }
                }
                None => eprintln!("{line}"),
            }
        }
    }
}

/// A line that tells of no error, without what every line has.
fn told(line: &str) -> Option<Value> {
    let mut said: Value = serde_json::from_str(line).ok()?;
    let fields = said.as_object_mut()?;
    let is_error = fields.remove("level")? == "ERROR";
    ["timestamp", "target"].iter().for_each(|name| drop(fields.remove(*name)));
    (!is_error).then_some(said)
}

/// A start says less.
const LINES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_of_a_start_is_kept_and_nothing_else() {
        let said = Said::default();
        let lines = concat!(
            r#"{"timestamp":"t","level":"INFO","target":"a","message":"read","records":3}"#,
            "\n",
            r#"{"timestamp":"t","level":"ERROR","target":"a","message":"bad"}"#,
            "\nthread panicked\n",
        );
        said.hear(lines.as_bytes());
        assert_eq!(said.all(), [json!({ "message": "read", "records": 3 })]);
    }
}
