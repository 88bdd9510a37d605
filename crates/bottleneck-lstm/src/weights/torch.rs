//! Reading what `torch.save` wrote.
//!
//! Since PyTorch 1.6 that is a zip archive: a pickle `NAME/data.pkl` and a file `NAME/data/KEY`
//! for each storage. Before, it was a chain of pickles (a magic number, a version, the machine,
//! the object, the keys of its storages), followed by the storages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use super::archive::Archive;
use super::error::WeightsError;
use super::layout::Layout;
use super::objects::{Objects, Storage, Value};
use super::pickle::Pickle;
use super::state_dict::flatten;

/// The instruction that names the protocol, with which a pickle begins.
const PROTO: u8 = 0x80;
/// The number that a chain of pickles begins with, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The version of the chain.
const VERSION: i64 = 1001;

/// Whether a file begins like a pickle.
pub(super) fn detect_chain(file: &[u8]) -> bool {
    file.first() == Some(&PROTO)
}

/// Reads the names and layouts of all tensors of an archive.
pub(super) fn read_archive(file: &[u8]) -> Result<BTreeMap<String, Layout>, WeightsError> {
    let archive = Archive::open(file)?;
    let mut roots = archive
        .names()
        .filter_map(|name| name.strip_suffix("/data.pkl"))
        .filter(|root| !root.contains('/'));
    let (Some(root), None) = (roots.next(), roots.next()) else {
        return Err(WeightsError::pytorch(
            "the archive",
            "one entry `*/data.pkl`",
            "none or more",
        ));
    };
    if let Some(order) = archive.find(&format!("{root}/byteorder"))? {
        little_endian(&file[order] == b"little")?;
    }
    let pickle = need(archive.find(&format!("{root}/data.pkl"))?, "data.pkl")?;
    let pickle = Pickle::read(&file[pickle])?;
    layouts(&pickle, file.len(), |key, _| {
        let name = format!("{root}/data/{key}");
        need(archive.find(&name)?, &name)
    })
}

/// Reads the names and layouts of all tensors of a chain of pickles.
pub(super) fn read_chain(file: &[u8]) -> Result<BTreeMap<String, Layout>, WeightsError> {
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(&file[at..])?;
        at += pickle.length;
        Ok::<_, WeightsError>(pickle)
    };
    let magic = next()?;
    let is_magic = match magic.root {
        Value::Bytes(magic_number) => magic.objects.bytes(magic_number) == MAGIC,
        _ => false,
    };
    if !is_magic {
        return Err(WeightsError::pytorch(
            "the file",
            "PyTorch's magic number",
            "another pickle",
        ));
    }
    match next()?.root {
        Value::Int(VERSION) => {}
        other => {
            let found = format!("{other:?}");
            return Err(WeightsError::pytorch(
                "the version",
                VERSION.to_string(),
                found,
            ));
        }
    }
    let machine = next()?;
    let order = match machine.root {
        Value::Dict(machine_dict) => machine.objects.get(machine_dict, "little_endian"),
        _ => None,
    };
    little_endian(order == Some(Value::Bool(true)))?;
    let object = next()?;
    let keys = next()?;
    let storages = storages(file, at, &object.objects, &keys)?;
    layouts(&object, file.len(), |key, _| {
        need(storages.get(key).cloned(), key)
    })
}

/// Where the storages of a chain lie: in the order of the last pickle, which lists their keys,
/// each after its number of elements.
fn storages<'a>(
    file: &[u8],
    mut at: usize,
    objects: &Objects<'a>,
    keys: &Pickle<'a>,
) -> Result<BTreeMap<&'a str, Range<usize>>, WeightsError> {
    let mut declared = BTreeMap::new();
    for storage in objects.storages() {
        declared.insert(objects.text(storage.key), bytes(storage));
    }
    let Value::List(list) = keys.root else {
        return Err(WeightsError::pytorch(
            "the last pickle",
            "a list of keys",
            "another object",
        ));
    };
    let mut found = BTreeMap::new();
    for entry in keys.objects.entries(list) {
        let Value::Text(key) = entry.value else {
            continue;
        };
        let key = keys.objects.text(key);
        let size = need(declared.get(key).copied().flatten(), key)?;
        let start = at.saturating_add(8);
        let end = start.saturating_add(size);
        if end > file.len() {
            return Err(WeightsError::pytorch(
                format!("storage `{key}`"),
                format!("{size} bytes after byte {start}"),
                format!("the end of the file at byte {}", file.len()),
            ));
        }
        found.insert(key, start..end);
        at = end;
    }
    Ok(found)
}

/// The layouts of all tensors, given where the storage of a key lies.
fn layouts<'a>(
    pickle: &Pickle<'a>,
    file: usize,
    mut find: impl FnMut(&'a str, &Storage) -> Result<Range<usize>, WeightsError>,
) -> Result<BTreeMap<String, Layout>, WeightsError> {
    let objects = &pickle.objects;
    let mut found = BTreeMap::new();
    let mut layouts = BTreeMap::new();
    for (name, tensor) in flatten(objects, pickle.root)? {
        let storage = objects.storage_of(tensor);
        let key = objects.text(storage.key);
        let range = match found.entry(key) {
            Entry::Occupied(range) => range.into_mut(),
            Entry::Vacant(place) => place.insert(find(key, storage)?),
        };
        if bytes(storage) != Some(range.len()) {
            return Err(WeightsError::pytorch(
                format!("storage `{key}`"),
                format!("{} elements of {}", storage.elements, storage.element),
                format!("{} bytes", range.len()),
            ));
        }
        let [shape, strides] = objects.geometry(tensor);
        let layout = Layout::strided(
            tensor.element,
            shape,
            strides,
            tensor.offset,
            range.clone(),
            file,
        )
        .map_err(|(expected, found)| {
            WeightsError::pytorch(format!("tensor `{name}`"), expected, found)
        })?;
        layouts.insert(name, layout);
    }
    Ok(layouts)
}

fn bytes(storage: &Storage) -> Option<usize> {
    storage.elements.checked_mul(storage.element.bits() / 8)
}

fn need<T>(part: Option<T>, name: &str) -> Result<T, WeightsError> {
    part.ok_or_else(|| WeightsError::pytorch("the file", format!("`{name}`"), "none"))
}

fn little_endian(is: bool) -> Result<(), WeightsError> {
    if is {
        return Ok(());
    }
    Err(WeightsError::pytorch(
        "the byte order",
        "little-endian",
        "another",
    ))
}
