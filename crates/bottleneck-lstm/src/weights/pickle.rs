//! A reader of the pickles that `torch.save` writes for dicts of tensors.
//!
//! A pickle is a program for a small stack machine, and Python's own reader imports and calls
//! whatever the program names. This one builds dicts, lists, tuples and descriptions of tensors,
//! and calls nothing. It knows the instructions of protocols 2 to 5 that PyTorch has use for.
//!
//! A value is 16 bytes and never owns memory. Tuples and strings are ranges; the entries of all
//! dicts and lists lie in one vector, each with the number of its container, so that a million
//! empty dicts cost no more than a million numbers, and nesting costs nothing at all.

use super::error::WeightsError;
use super::globals::Global;
use super::objects::{Objects, Span, Value, wrong};

/// Bytes of the longest pickle. It holds names, shapes and numbers; tensors lie outside.
const MAX_LENGTH: usize = 1 << 25;
/// Values on the stack. Python's writer puts at most a thousand entries at a time there.
const MAX_STACK: usize = 1 << 16;
/// Values in the memo: a handful a tensor.
const MAX_MEMO: usize = 1 << 20;

/// A pickle after it has run.
pub(super) struct Pickle<'a> {
    /// What it evaluates to.
    pub root: Value,
    /// All that it refers to.
    pub objects: Objects<'a>,
    /// Its length in bytes.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// Runs the pickle that `file` begins with.
    pub fn read(file: &'a [u8]) -> Result<Self, WeightsError> {
        let source = &file[..file.len().min(MAX_LENGTH)];
        let mut machine = Machine {
            objects: Objects::new(source),
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
        loop {
            if let Some(root) = machine.step()? {
                let objects = machine.objects.finish();
                return Ok(Self {
                    root,
                    objects,
                    length: machine.at,
                });
            }
        }
    }
}

struct Machine<'a> {
    objects: Objects<'a>,
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: Vec<Value>,
}

impl Machine<'_> {
    /// Runs one instruction. The last one yields the result.
    fn step(&mut self) -> Result<Option<Value>, WeightsError> {
        let start = self.at;
        match self.number(1)? as u8 {
            b'.' => return self.pop().map(Some),

            0x80 => self.skip(1)?, // PROTO
            0x95 => self.skip(8)?, // FRAME

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let number = self.number(4)? as u32 as i32;
                self.push(Value::Int(number.into()))?;
            }
            b'K' => self.integer(1)?,
            b'M' => self.integer(2)?,
            0x8a => self.long(1)?, // LONG1
            0x8b => self.long(4)?, // LONG4
            b'G' => {
                self.skip(8)?; // BINFLOAT
                self.push(Value::Opaque)?;
            }

            0x8c => self.text(1)?, // SHORT_BINUNICODE
            b'X' => self.text(4)?,
            0x8d => self.text(8)?, // BINUNICODE8
            b'U' => self.text(1)?, // SHORT_BINSTRING, of Python 2
            b'T' => self.text(4)?, // BINSTRING, of Python 2
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e => self.bytes(8)?, // BINBYTES8

            b')' => self.push(Value::Tuple(Span::EMPTY))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.marked()?;
                self.tuple(items)?;
            }
            b'}' => {
                let dict = self.objects.dict();
                self.push(dict)?;
            }
            b']' => {
                let list = self.objects.list();
                self.push(list)?;
            }
            0x8f => self.push(Value::Opaque)?, // EMPTY_SET
            b's' => self.set_items(2)?,
            b'u' => {
                let items = self.marked()?;
                self.set_items(items)?;
            }
            b'a' => self.append(1)?,
            b'e' => {
                let items = self.marked()?;
                self.append(items)?;
            }
            0x90 => {
                // ADDITEMS, to a set.
                let items = self.marked()?;
                let base = self.below(items)?;
                self.stack.truncate(base);
            }

            b'(' => {
                if self.marks.len() == MAX_STACK {
                    return Err(too_large("marks of the pickle", MAX_STACK));
                }
                self.marks.push(self.stack.len());
            }
            b'0' => {
                self.pop()?;
            }
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            0x94 => self.memoize(self.memo.len())?,
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,

            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                // STACK_GLOBAL
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(wrong(start, "two names", "other values"));
                };
                self.global(module, name)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.objects.storage(id, start)?;
                self.push(storage)?;
            }
            b'R' => self.reduce(start)?,
            b'b' => {
                // State for the object below it: hooks and versions of modules, not tensors.
                self.pop()?;
                if self.stack.is_empty() {
                    return Err(wrong(start, "an object to give state to", "an empty stack"));
                }
            }
            other => {
                let found = format!("{other:#04x}");
                return Err(wrong(start, "an instruction for tensors", &found));
            }
        }
        Ok(None)
    }

    fn reduce(&mut self, start: usize) -> Result<(), WeightsError> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let (Value::Global(callee), Value::Tuple(arguments)) = (callee, arguments) else {
            return Err(wrong(start, "a name and its arguments", "other values"));
        };
        let value = match callee {
            Global::OrderedDict if arguments.is_empty() => self.objects.dict(),
            Global::Opaque => Value::Opaque,
            Global::Tensor | Global::TensorOfType => {
                self.objects
                    .tensor(arguments, callee == Global::TensorOfType, start)?
            }
            Global::Parameter => match self.objects.items(arguments).first() {
                Some(tensor @ Value::Tensor(_)) => *tensor,
                _ => return Err(wrong(start, "a parameter's tensor", "another value")),
            },
            callee => {
                let found = format!("{callee:?} of {} arguments", arguments.len());
                return Err(wrong(start, "a call that builds a tensor", &found));
            }
        };
        self.push(value)
    }

    fn global(&mut self, module: Span, name: Span) -> Result<(), WeightsError> {
        let (module, name) = (self.objects.text(module), self.objects.text(name));
        let global = Global::find(module, name).ok_or_else(|| WeightsError::ForbiddenGlobal {
            name: format!("{module}.{name}"),
        })?;
        self.push(Value::Global(global))
    }

    fn tuple(&mut self, length: usize) -> Result<(), WeightsError> {
        let base = self.below(length)?;
        let tuple = self.objects.tuple(&self.stack[base..])?;
        self.stack.truncate(base);
        self.push(tuple)
    }

    /// Adds keys and values in turn, `length` in all, to the dict below them.
    fn set_items(&mut self, length: usize) -> Result<(), WeightsError> {
        let base = self.below(length)?;
        match base.checked_sub(1).map(|at| self.stack[at]) {
            Some(Value::Dict(dict)) => {
                for pair in self.stack[base..].chunks_exact(2) {
                    self.objects.insert(dict, pair[0], pair[1])?;
                }
            }
            Some(Value::Opaque) => {}
            _ => return Err(wrong(self.at, "a dict to add to", "another value")),
        }
        self.stack.truncate(base);
        Ok(())
    }

    fn append(&mut self, length: usize) -> Result<(), WeightsError> {
        let base = self.below(length)?;
        match base.checked_sub(1).map(|at| self.stack[at]) {
            Some(Value::List(list)) => {
                for item in &self.stack[base..] {
                    self.objects.append(list, *item)?;
                }
            }
            Some(Value::Opaque) => {}
            _ => return Err(wrong(self.at, "a list to add to", "another value")),
        }
        self.stack.truncate(base);
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), WeightsError> {
        if self.stack.len() == MAX_STACK {
            return Err(too_large("stack of the pickle", MAX_STACK));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, WeightsError> {
        self.stack
            .pop()
            .ok_or_else(|| wrong(self.at, "a value on the stack", "none"))
    }

    /// The height of the stack below its upper `length` values.
    fn below(&self, length: usize) -> Result<usize, WeightsError> {
        let base = self.stack.len().checked_sub(length);
        base.ok_or_else(|| wrong(self.at, "values on the stack", "too few"))
    }

    /// Removes the last mark, and counts the values above it.
    fn marked(&mut self) -> Result<usize, WeightsError> {
        let mark = self
            .marks
            .pop()
            .and_then(|mark| self.stack.len().checked_sub(mark));
        mark.ok_or_else(|| wrong(self.at, "a mark on the stack", "none"))
    }

    fn put(&mut self, width: usize) -> Result<(), WeightsError> {
        let index = self.number(width)? as usize;
        self.memoize(index)
    }

    /// Python numbers what it remembers from 0, and Python 2 did from 1.
    fn memoize(&mut self, index: usize) -> Result<(), WeightsError> {
        let Some(value) = self.stack.last().copied() else {
            return Err(wrong(self.at, "a value to remember", "an empty stack"));
        };
        if index >= MAX_MEMO {
            return Err(too_large("memo of the pickle", MAX_MEMO));
        }
        if index > self.memo.len() + 1 {
            let expected = format!("at most {} values to remember", self.memo.len() + 1);
            return Err(wrong(self.at, &expected, &index.to_string()));
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, Value::None);
        }
        self.memo[index] = value;
        Ok(())
    }

    fn get(&mut self, width: usize) -> Result<(), WeightsError> {
        let index = self.number(width)? as usize;
        let Some(value) = self.memo.get(index).copied() else {
            let expected = format!("one of {} remembered values", self.memo.len());
            return Err(wrong(self.at, &expected, &format!("number {index}")));
        };
        self.push(value)
    }

    fn integer(&mut self, width: usize) -> Result<(), WeightsError> {
        let number = self.number(width)?;
        self.push(Value::Int(number as i64))
    }

    /// An integer of any length in two's complement.
    fn long(&mut self, width: usize) -> Result<(), WeightsError> {
        let length = self.number(width)?;
        let span = self.take(length)?;
        let bytes = self.objects.bytes(span);
        self.push(match bytes.last() {
            None => Value::Int(0),
            Some(high) if bytes.len() <= 8 => {
                let sign = if *high < 0x80 { 0 } else { -1_i64 };
                Value::Int(
                    bytes
                        .iter()
                        .rev()
                        .fold(sign, |n, byte| n << 8 | i64::from(*byte)),
                )
            }
            Some(_) => Value::Bytes(span),
        })
    }

    fn text(&mut self, width: usize) -> Result<(), WeightsError> {
        let start = self.at;
        let length = self.number(width)?;
        let span = self.take(length)?;
        if std::str::from_utf8(self.objects.bytes(span)).is_err() {
            return Err(wrong(start, "text in UTF-8", "other bytes"));
        }
        self.push(Value::Text(span))
    }

    fn bytes(&mut self, width: usize) -> Result<(), WeightsError> {
        let length = self.number(width)?;
        self.skip(length)?;
        self.push(Value::Opaque)
    }

    fn skip(&mut self, length: u64) -> Result<(), WeightsError> {
        self.take(length).map(|_| ())
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<Span, WeightsError> {
        let start = self.at;
        let rest = self.objects.rest(start);
        let length = rest.iter().position(|byte| *byte == b'\n');
        let Some(length) = length.filter(|length| rest[..*length].is_ascii()) else {
            return Err(wrong(start, "a line of text", "other bytes"));
        };
        let span = self.take(length as u64)?;
        self.skip(1)?;
        Ok(span)
    }

    /// The little-endian number of `width` bytes that comes next.
    fn number(&mut self, width: usize) -> Result<u64, WeightsError> {
        let span = self.take(width as u64)?;
        let bytes = self.objects.bytes(span);
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: u64) -> Result<Span, WeightsError> {
        let rest = self.objects.rest(self.at).len();
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= rest)
        else {
            if rest + self.at == MAX_LENGTH {
                return Err(too_large("bytes of the pickle", MAX_LENGTH));
            }
            return Err(wrong(
                self.at,
                &format!("{length} bytes"),
                &rest.to_string(),
            ));
        };
        let span = Span::new(self.at, length);
        self.at += length;
        Ok(span)
    }
}

fn too_large(what: &str, limit: usize) -> WeightsError {
    let limit = limit as u64;
    WeightsError::TooLarge {
        what: what.to_owned(),
        limit,
        found: limit + 1,
    }
}
