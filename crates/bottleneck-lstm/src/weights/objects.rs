//! What a pickle builds: dicts, lists, tuples, storages and tensors, none of them read yet.

use super::element::ElementType;
use super::error::WeightsError;
use super::globals::Global;
use super::layout::MAX_RANK;

/// Entries of dicts and lists, items of tuples, storages and tensors, all together: some 30 for
/// each tensor of a network.
const MAX_OBJECTS: usize = 1 << 20;
/// Bytes of the longest name of a storage. PyTorch writes decimal numbers.
const MAX_KEY: usize = 64;

/// A range, of the pickle's bytes or of the items of all tuples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub const EMPTY: Self = Self {
        start: 0,
        length: 0,
    };

    /// A pickle is so short that both fit 32 bits.
    pub fn new(start: usize, length: usize) -> Self {
        Self {
            start: start as u32,
            length: length as u32,
        }
    }

    pub fn len(self) -> usize {
        self.length as usize
    }

    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    fn of<T>(self, all: &[T]) -> &[T] {
        &all[self.start as usize..][..self.length as usize]
    }
}

/// A value. What it refers to lies in [`Objects`], so it stays small and is copied freely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// Text in UTF-8.
    Text(Span),
    /// An integer of more than 64 bits.
    Bytes(Span),
    Global(Global),
    Tuple(Span),
    Dict(u32),
    List(u32),
    Storage(u32),
    Tensor(u32),
    /// Something of no interest.
    Opaque,
}

const _: () = assert!(size_of::<Value>() == 16);

/// One entry of a dict, or one item of a list, which has no key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    container: u32,
    pub key: Span,
    pub value: Value,
}

/// A block of elements outside the pickle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage {
    pub element: ElementType,
    /// Its name.
    pub key: Span,
    /// Its number of elements.
    pub elements: usize,
}

/// A view of a storage, not checked against it yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tensor {
    pub element: ElementType,
    /// The number of its storage.
    storage: u32,
    pub offset: usize,
    shape: Span,
    strides: Span,
}

/// Everything that a pickle has built.
pub(super) struct Objects<'a> {
    source: &'a [u8],
    containers: u32,
    entries: Vec<Entry>,
    items: Vec<Value>,
    storages: Vec<Storage>,
    tensors: Vec<Tensor>,
}

impl<'a> Objects<'a> {
    pub fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            containers: 0,
            entries: Vec::new(),
            items: Vec::new(),
            storages: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// Brings the entries of each container together, in the order in which they were added.
    pub fn finish(mut self) -> Self {
        self.entries.sort_by_key(|entry| entry.container);
        self
    }

    /// The entries of a finished dict or list.
    pub fn entries(&self, container: u32) -> &[Entry] {
        let start = self
            .entries
            .partition_point(|entry| entry.container < container);
        let length = self.entries[start..].partition_point(|entry| entry.container == container);
        &self.entries[start..start + length]
    }

    /// The value of a finished dict under `key`.
    pub fn get(&self, dict: u32, key: &str) -> Option<Value> {
        let entries = self.entries(dict).iter().rev();
        entries
            .copied()
            .find(|entry| self.text(entry.key) == key)
            .map(|entry| entry.value)
    }

    pub fn items(&self, tuple: Span) -> &[Value] {
        tuple.of(&self.items)
    }

    pub fn bytes(&self, span: Span) -> &'a [u8] {
        span.of(self.source)
    }

    /// Text, which was checked to be UTF-8 as it was read.
    pub fn text(&self, span: Span) -> &'a str {
        std::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    /// What follows byte `at` of the pickle.
    pub fn rest(&self, at: usize) -> &'a [u8] {
        &self.source[at..]
    }

    pub fn storages(&self) -> &[Storage] {
        &self.storages
    }

    pub fn storage_of(&self, tensor: &Tensor) -> &Storage {
        &self.storages[tensor.storage as usize]
    }

    pub fn tensor_at(&self, tensor: u32) -> &Tensor {
        &self.tensors[tensor as usize]
    }

    /// The shape and strides of a tensor.
    pub fn geometry(&self, tensor: &Tensor) -> [Vec<usize>; 2] {
        // They were checked as the tensor was built.
        [tensor.shape, tensor.strides].map(|span| {
            self.items(span)
                .iter()
                .filter_map(|size| unsigned(*size))
                .collect()
        })
    }

    pub fn dict(&mut self) -> Value {
        Value::Dict(self.container())
    }

    pub fn list(&mut self) -> Value {
        Value::List(self.container())
    }

    /// A pickle is so short that it cannot ask for 2^32 containers.
    fn container(&mut self) -> u32 {
        self.containers += 1;
        self.containers
    }

    /// Sets an entry of a dict. Only text can be part of a tensor's name; other keys lead to the
    /// state of optimisers.
    pub fn insert(&mut self, dict: u32, key: Value, value: Value) -> Result<(), WeightsError> {
        let Value::Text(key) = key else { return Ok(()) };
        self.room(1)?;
        self.entries.push(Entry {
            container: dict,
            key,
            value,
        });
        Ok(())
    }

    /// Appends to a list. Only lists of names matter.
    pub fn append(&mut self, list: u32, item: Value) -> Result<(), WeightsError> {
        let Value::Text(_) = item else { return Ok(()) };
        self.room(1)?;
        self.entries.push(Entry {
            container: list,
            key: Span::EMPTY,
            value: item,
        });
        Ok(())
    }

    pub fn tuple(&mut self, items: &[Value]) -> Result<Value, WeightsError> {
        self.room(items.len())?;
        let tuple = Span::new(self.items.len(), items.len());
        self.items.extend_from_slice(items);
        Ok(Value::Tuple(tuple))
    }

    /// A storage from the tuple that names it: `("storage", class, key, device, elements)`. Old
    /// files add a view of another storage, which none of them has set. `at` is for the error.
    pub fn storage(&mut self, id: Value, at: usize) -> Result<Value, WeightsError> {
        let wrong = |found: &str| wrong(at, "the id of a storage", found);
        let Value::Tuple(id) = id else {
            return Err(wrong("another value"));
        };
        let (kind, class, key, elements) = match *self.items(id) {
            [kind, class, key, _, elements] => (kind, class, key, elements),
            [kind, class, key, _, elements, Value::None] => (kind, class, key, elements),
            _ => return Err(wrong(&format!("a tuple of {} values", id.len()))),
        };
        let storage = match (kind, class, key, unsigned(elements)) {
            (
                Value::Text(kind),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                Some(elements),
            ) if kind.len() <= MAX_KEY && self.text(kind) == "storage" && key.len() <= MAX_KEY => {
                Storage {
                    element,
                    key,
                    elements,
                }
            }
            _ => return Err(wrong("a tuple of other values")),
        };
        self.room(1)?;
        self.storages.push(storage);
        Ok(Value::Storage(self.storages.len() as u32 - 1))
    }

    /// A tensor from the arguments that rebuild it: storage, offset, shape, strides; a typed one
    /// has its element type in the seventh place. `at` is for the error.
    pub fn tensor(&mut self, of: Span, typed: bool, at: usize) -> Result<Value, WeightsError> {
        let wrong = |found: &str| wrong(at, "the parts of a tensor", found);
        let [
            Value::Storage(storage),
            offset,
            Value::Tuple(shape),
            Value::Tuple(strides),
            ..,
        ] = *self.items(of)
        else {
            return Err(wrong(&format!("{} other values", of.len())));
        };
        let element = match self.items(of).get(6) {
            Some(Value::Global(Global::ElementType(element))) if typed => *element,
            _ if typed => return Err(wrong("no element type")),
            _ => self.storages[storage as usize].element,
        };
        let offset = unsigned(offset).ok_or_else(|| wrong("a negative offset"))?;
        for sizes in [shape, strides] {
            if sizes.len() > MAX_RANK {
                return Err(wrong(&format!("{} dimensions", sizes.len())));
            }
            if self
                .items(sizes)
                .iter()
                .any(|size| unsigned(*size).is_none())
            {
                return Err(wrong("a negative size or stride"));
            }
        }
        self.room(1)?;
        self.tensors.push(Tensor {
            element,
            storage,
            offset,
            shape,
            strides,
        });
        Ok(Value::Tensor(self.tensors.len() as u32 - 1))
    }

    fn room(&self, more: usize) -> Result<(), WeightsError> {
        let found =
            self.entries.len() + self.items.len() + self.storages.len() + self.tensors.len() + more;
        if found <= MAX_OBJECTS {
            return Ok(());
        }
        Err(WeightsError::TooLarge {
            what: "objects of the pickle".to_owned(),
            limit: MAX_OBJECTS as u64,
            found: found as u64,
        })
    }
}

/// A size, an offset or a stride. Whatever is negative or no integer is none.
fn unsigned(value: Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

pub(super) fn wrong(at: usize, expected: &str, found: &str) -> WeightsError {
    WeightsError::pytorch(format!("byte {at} of the pickle"), expected, found)
}
