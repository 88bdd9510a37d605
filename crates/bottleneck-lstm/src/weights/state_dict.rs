//! From the dicts of a checkpoint to tensors with dotted names.

use std::collections::BTreeMap;

use super::error::WeightsError;
use super::objects::{Objects, Tensor, Value};

/// Dicts within dicts. A checkpoint has three or four.
const MAX_DEPTH: usize = 32;
/// Bytes that an entry costs beside its name, roughly.
const ENTRY: usize = 128;
/// Bytes of names and entries that any checkpoint may have, however short its pickle is.
const FREE: usize = 1 << 20;

/// The tensors of a dict and of the dicts within it, by the keys that lead to them, joined with
/// dots. Whatever is no tensor is left out.
///
/// A dict that is entered from two places yields its tensors twice, as it does in PyTorch. Names
/// are counted as they grow, since thirty dicts that each hold the next one twice would have a
/// billion of them.
pub(super) fn flatten<'o>(
    objects: &'o Objects<'_>,
    root: Value,
) -> Result<BTreeMap<String, &'o Tensor>, WeightsError> {
    let Value::Dict(root) = root else {
        return Err(WeightsError::pytorch(
            "the pickle",
            "a dict of tensors",
            "another object",
        ));
    };
    let limit = FREE + 16 * objects.rest(0).len();
    let mut used = 0;
    let mut tensors = BTreeMap::new();
    let mut open = vec![(String::new(), 0, root)];
    while let Some((prefix, depth, dict)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(too_large("dicts within dicts", MAX_DEPTH, depth));
        }
        for entry in objects.entries(dict) {
            used += prefix.len() + entry.key.len() + ENTRY;
            if used > limit {
                return Err(too_large("bytes of the tensors' names", limit, used));
            }
            let name = || format!("{prefix}{}", objects.text(entry.key));
            match entry.value {
                Value::Dict(inner) => open.push((name() + ".", depth + 1, inner)),
                Value::Tensor(tensor) => {
                    let tensor = objects.tensor_at(tensor);
                    if tensors.insert(name(), tensor).is_some() {
                        let place = format!("tensor `{}`", name());
                        return Err(WeightsError::pytorch(place, "one such tensor", "another"));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(tensors)
}

fn too_large(what: &str, limit: usize, found: usize) -> WeightsError {
    WeightsError::TooLarge {
        what: what.to_owned(),
        limit: limit as u64,
        found: found as u64,
    }
}
