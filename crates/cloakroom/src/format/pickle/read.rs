use std::collections::HashMap;

use super::{
    MAX_DEPTH,
    class::{self, Argument, Class},
    escape,
};
use crate::{
    format::{FormatError, cursor::Cursor},
    value::{Dict, Int, Text, Uuid, Value, distinct},
};

/// What reading may take in memory, sharing resolved: far more than any session needs.
const MAX_SIZE: usize = 64 << 20;
/// What one value is counted as, beside its text or bytes.
const VALUE_SIZE: usize = 64;
/// Open marks: a level of nesting takes two at most.
const MAX_MARKS: usize = 2 * MAX_DEPTH;
/// Bytes of an integer of 4300 digits, the most that Python reads as text.
const MAX_INT_LENGTH: usize = 1786;

/// The value of a pickle. What follows it is ignored, as Python does.
pub(in crate::format) fn from_slice(bytes: &[u8]) -> Result<Value, FormatError> {
    Machine::new(bytes).run(false)
}

/// The value of one entry, which is a pickle without its first and last operation.
pub(in crate::format) fn entry_from_slice(bytes: &[u8]) -> Result<Value, FormatError> {
    Machine::new(bytes).run(true)
}

/// The place of a node; places are shared as Python shares objects.
type Id = usize;

enum Node {
    /// A value without items.
    Value(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Set(Vec<Id>),
    FrozenSet(Vec<Id>),
    Class(Class),
    /// A timezone, in seconds east of UTC.
    Zone(i32),
    /// A UUID that waits for its number.
    NewUuid,
}

/// Python's unpickler without its powers: a stack of values, and the memo of those used again.
struct Machine<'a> {
    cursor: Cursor<'a>,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Where in the stack a list of items began.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// What is left of [`MAX_SIZE`].
    budget: usize,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            budget: MAX_SIZE,
        }
    }

    fn run(mut self, ends_with_input: bool) -> Result<Value, FormatError> {
        loop {
            if ends_with_input && self.cursor.remaining() == 0 {
                return self.finish();
            }
            let position = self.cursor.position();
            let opcode = self.cursor.byte()?;
            if opcode == b'.' {
                return self.finish();
            }
            self.step(opcode, position)?;
        }
    }

    fn finish(mut self) -> Result<Value, FormatError> {
        match self.stack[..] {
            [result] if self.marks.is_empty() => self.value(result, MAX_DEPTH),
            _ => self.cursor.error("a single value left at the end"),
        }
    }

    fn step(&mut self, opcode: u8, position: usize) -> Result<(), FormatError> {
        match opcode {
            // What is no value: protocol, frame (a hint only), mark.
            0x80 => match self.cursor.byte()? {
                0..=5 => Ok(()),
                _ => self.cursor.error("a protocol of at most 5 before"),
            },
            0x95 => {
                let length = u64::from_le_bytes(self.cursor.array()?);
                match usize::try_from(length) {
                    Ok(length) if length <= self.cursor.remaining() => Ok(()),
                    _ => self.cursor.error("a whole frame"),
                }
            }
            b'(' => self.mark(),
            // The memo.
            0x94 | b'p' | b'q' | b'r' => self.remember(opcode),
            b'g' | b'h' | b'j' => self.recall(opcode),
            // Collections.
            b']' => self.push(Node::List(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            0x8f => self.push(Node::Set(Vec::new())),
            b'l' => self
                .since_mark()
                .and_then(|items| self.push(Node::List(items))),
            b't' => self
                .since_mark()
                .and_then(|items| self.push(Node::Tuple(items))),
            b'd' => {
                let pairs = self.since_mark().and_then(|items| self.pairs(&items))?;
                self.push(Node::Dict(pairs))
            }
            0x91 => self
                .since_mark()
                .and_then(|items| self.push(Node::FrozenSet(items))),
            0x85..=0x87 => {
                let mut items = Vec::with_capacity(3);
                for _ in 0x84..opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Node::Tuple(items))
            }
            b'a' => self.pop().and_then(|item| self.extend(vec![item])),
            b'e' | 0x90 => self.since_mark().and_then(|items| self.extend(items)),
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend(vec![key, value])
            }
            b'u' => self.since_mark().and_then(|items| self.extend(items)),
            // Objects.
            b'c' => {
                let (module, name) = (self.cursor.line()?, self.cursor.line()?);
                self.push(Node::Class(Class::find(module, name)?))
            }
            0x93 => self.stack_global(),
            b'R' | 0x81 => self.call(),
            b'b' => self.build(),
            _ => {
                let value = self.scalar(opcode, position)?;
                self.push(Node::Value(value))
            }
        }
    }

    /// Values that stand in the pickle as they are.
    fn scalar(&mut self, opcode: u8, position: usize) -> Result<Value, FormatError> {
        let cursor = &mut self.cursor;
        Ok(match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::from(cursor.byte()?),
            b'M' => Value::from(u16::from_le_bytes(cursor.array()?)),
            b'J' => Value::from(i32::from_le_bytes(cursor.array()?)),
            0x8a | 0x8b => {
                let length = self.length(if opcode == 0x8a { 1 } else { 4 })?;
                if length > MAX_INT_LENGTH {
                    return Err(FormatError::TooLarge("an integer of more than 4300 digits"));
                }
                Value::Int(Int::from_twos_complement(self.cursor.take(length)?))
            }
            b'I' | b'L' => self.text_int(opcode)?,
            b'G' => Value::Float(f64::from_be_bytes(cursor.array()?)),
            b'F' => {
                let line = str::from_utf8(cursor.line()?).unwrap_or_default();
                match line.trim_ascii().parse() {
                    Ok(number) => Value::Float(number),
                    Err(_) => return cursor.error("a number before"),
                }
            }
            0x8c => self.unicode(1)?,
            b'X' => self.unicode(4)?,
            0x8d => self.unicode(8)?,
            b'V' => match escape::raw_unicode(cursor.line()?) {
                Some(text) => Value::Text(text),
                None => {
                    return cursor.error("an escape of four or eight hexadecimal digits before");
                }
            },
            b'S' => match escape::quoted(cursor.line()?) {
                Some(text) => Value::Text(text),
                None => return cursor.error("a quoted string in ASCII before"),
            },
            b'U' => self.ascii(1)?,
            b'T' => self.ascii(4)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            _ => return Err(FormatError::ForbiddenOperation { opcode, position }),
        })
    }

    /// A length of one, four or eight bytes.
    fn length(&mut self, size: usize) -> Result<usize, FormatError> {
        let length = match size {
            1 => self.cursor.byte()?.into(),
            4 => u32::from_le_bytes(self.cursor.array()?).into(),
            _ => u64::from_le_bytes(self.cursor.array()?),
        };
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn bytes(&mut self, size: usize) -> Result<Value, FormatError> {
        let length = self.length(size)?;
        Ok(Value::Bytes(self.cursor.take(length)?.to_vec()))
    }

    fn unicode(&mut self, size: usize) -> Result<Value, FormatError> {
        let length = self.length(size)?;
        let position = self.cursor.position();
        match Text::from_wtf8(self.cursor.take(length)?) {
            Some(text) => Ok(Value::Text(text)),
            None => Err(FormatError::Utf8 { position }),
        }
    }

    /// A string of Python 2.
    fn ascii(&mut self, size: usize) -> Result<Value, FormatError> {
        let length = self.length(size)?;
        match str::from_utf8(self.cursor.take(length)?) {
            Ok(text) if text.is_ascii() => Ok(Value::from(text)),
            _ => self.cursor.error("a string in ASCII before"),
        }
    }

    fn text_int(&mut self, opcode: u8) -> Result<Value, FormatError> {
        let line = self.cursor.line()?;
        let digits = match (opcode, line) {
            (b'I', b"00") => return Ok(Value::Bool(false)),
            (b'I', b"01") => return Ok(Value::Bool(true)),
            (b'I', digits) => digits,
            (_, line) => line.strip_suffix(b"L").unwrap_or(line),
        };
        if digits.len() > 4301 {
            return Err(FormatError::TooLarge("an integer of more than 4300 digits"));
        }
        match Int::from_decimal(str::from_utf8(digits).unwrap_or_default()) {
            Ok(int) => Ok(Value::Int(int)),
            Err(_) => self.cursor.error("an integer before"),
        }
    }

    fn mark(&mut self) -> Result<(), FormatError> {
        if self.marks.len() == MAX_MARKS {
            return Err(FormatError::TooDeep { limit: MAX_DEPTH });
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<(), FormatError> {
        let key = match opcode {
            0x94 => self.memo.len() as u64,
            other => self.memo_key(other)?,
        };
        let Some(top) = self.stack.last() else {
            return self.cursor.error("a value before");
        };
        self.memo.insert(key, *top);
        self.spend(VALUE_SIZE)
    }

    fn recall(&mut self, opcode: u8) -> Result<(), FormatError> {
        let key = self.memo_key(opcode)?;
        match self.memo.get(&key) {
            Some(id) => {
                self.stack.push(*id);
                Ok(())
            }
            None => self.cursor.error("a value that was there before"),
        }
    }

    fn memo_key(&mut self, opcode: u8) -> Result<u64, FormatError> {
        match opcode {
            b'q' | b'h' => Ok(self.cursor.byte()?.into()),
            b'r' | b'j' => Ok(u32::from_le_bytes(self.cursor.array()?).into()),
            _ => {
                let line = str::from_utf8(self.cursor.line()?).unwrap_or_default();
                match line.parse() {
                    Ok(key) => Ok(key),
                    Err(_) => self.cursor.error("a number before"),
                }
            }
        }
    }

    fn push(&mut self, node: Node) -> Result<(), FormatError> {
        self.spend(size(&node))?;
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn spend(&mut self, size: usize) -> Result<(), FormatError> {
        match self.budget.checked_sub(size) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(FormatError::TooLarge(
                "a pickle of more than 64 MiB in memory",
            )),
        }
    }

    /// The topmost value; nothing below a mark.
    fn pop(&mut self) -> Result<Id, FormatError> {
        let fence = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= fence {
            return self.cursor.error("a value before");
        }
        match self.stack.pop() {
            Some(id) => Ok(id),
            None => self.cursor.error("a value before"),
        }
    }

    /// The values since the last mark.
    fn since_mark(&mut self) -> Result<Vec<Id>, FormatError> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.cursor.error("a mark before"),
        }
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, FormatError> {
        match items.as_chunks() {
            (pairs, []) => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
            _ => self.cursor.error("a value for each key before"),
        }
    }

    /// Puts items into the topmost list, dictionary or set.
    fn extend(&mut self, items: Vec<Id>) -> Result<(), FormatError> {
        self.spend(items.len() * size_of::<Id>())?;
        let pairs = self.pairs(&items);
        let top = self.stack.last().and_then(|id| self.nodes.get_mut(*id));
        match top {
            Some(Node::List(list) | Node::Set(list)) => list.extend(items),
            Some(Node::Dict(dict)) => dict.extend(pairs?),
            _ => return self.cursor.error("a list, dictionary or set before"),
        }
        Ok(())
    }

    fn stack_global(&mut self) -> Result<(), FormatError> {
        let name = self.pop()?;
        let module = self.pop()?;
        let text = |id: Id| match self.nodes.get(id) {
            Some(Node::Value(Value::Text(text))) => text.as_wtf8(),
            _ => &[],
        };
        let class = Class::find(text(module), text(name))?;
        self.push(Node::Class(class))
    }

    /// What a class makes of its arguments.
    fn call(&mut self) -> Result<(), FormatError> {
        let arguments = self.pop()?;
        let callee = self.pop()?;
        let (Some(Node::Class(class)), Some(Node::Tuple(arguments))) =
            (self.nodes.get(callee), self.nodes.get(arguments))
        else {
            return self.cursor.error("a class and a tuple before");
        };
        let nodes: Vec<&Node> = arguments
            .iter()
            .filter_map(|id| self.nodes.get(*id))
            .collect();
        let node = match (*class, &nodes[..]) {
            (Class::Set, []) => Node::Set(Vec::new()),
            (Class::FrozenSet, []) => Node::FrozenSet(Vec::new()),
            (Class::Set, [Node::List(items) | Node::Tuple(items)]) => Node::Set(items.clone()),
            (Class::FrozenSet, [Node::List(items) | Node::Tuple(items)]) => {
                Node::FrozenSet(items.clone())
            }
            (Class::Uuid, [])
            | (
                Class::Reconstructor,
                [
                    Node::Class(Class::Uuid),
                    Node::Class(Class::Object),
                    Node::Value(Value::None),
                ],
            ) => Node::NewUuid,
            (Class::Reconstructor, [Node::Class(Class::Markup), Node::Class(Class::Str), text]) => {
                plain(Class::Markup, &[text])?
            }
            (Class::TimeZone, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|node| argument(node)).collect();
                class::zone(&arguments)
                    .map(Node::Zone)
                    .ok_or(FormatError::Arguments(Class::TimeZone.name()))?
            }
            (class, arguments) => plain(class, arguments)?,
        };
        self.push(node)
    }

    /// Gives a UUID its number.
    fn build(&mut self) -> Result<(), FormatError> {
        let state = self.pop()?;
        let target = self.stack.last().copied();
        let number = match self.nodes.get(state) {
            Some(Node::Dict(pairs)) => pairs.iter().find_map(|(key, value)| {
                match (self.nodes.get(*key)?, self.nodes.get(*value)?) {
                    (Node::Value(Value::Text(name)), Node::Value(Value::Int(number)))
                        if *name == *"int" =>
                    {
                        class::uuid(number)
                    }
                    _ => None,
                }
            }),
            _ => None,
        };
        let refused = FormatError::Arguments(Class::Uuid.name());
        let number: Uuid = number.ok_or_else(|| refused.clone())?;
        match target.and_then(|id| self.nodes.get_mut(id)) {
            Some(node @ Node::NewUuid) => {
                *node = Node::Value(Value::Uuid(number));
                Ok(())
            }
            _ => Err(refused),
        }
    }

    /// The value of a node. What is shared is copied, so that it is counted each time.
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, FormatError> {
        let Some(node) = self.nodes.get(id) else {
            return self.cursor.error("a value");
        };
        let cost = size(node);
        let value = match node {
            Node::Value(value) => value.clone(),
            Node::List(items) => {
                let items = items.clone();
                Value::List(self.values(&items, depth)?)
            }
            Node::Tuple(items) => {
                let items = items.clone();
                Value::Tuple(self.values(&items, depth)?)
            }
            Node::Set(items) => {
                let items = items.clone();
                Value::Set(self.members(&items, depth)?)
            }
            Node::FrozenSet(items) => {
                let items = items.clone();
                Value::FrozenSet(self.members(&items, depth)?)
            }
            Node::Dict(pairs) => {
                let pairs = pairs.clone();
                self.dict(&pairs, depth)?
            }
            Node::Class(class) => return Err(FormatError::Arguments(class.name())),
            Node::Zone(_) => return Err(FormatError::Arguments(Class::TimeZone.name())),
            Node::NewUuid => return Err(FormatError::Arguments(Class::Uuid.name())),
        };
        self.spend(cost)?;
        Ok(value)
    }

    fn values(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, FormatError> {
        let depth = deeper(depth)?;
        items.iter().map(|item| self.value(*item, depth)).collect()
    }

    fn members(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, FormatError> {
        let members = self.values(items, depth)?;
        members.iter().try_for_each(check_hashable)?;
        Ok(distinct(members))
    }

    fn dict(&mut self, pairs: &[(Id, Id)], depth: usize) -> Result<Value, FormatError> {
        let depth = deeper(depth)?;
        let mut values = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = self.value(*key, depth)?;
            check_hashable(&key)?;
            values.push((key, self.value(*value, depth)?));
        }
        Ok(Value::Dict(values.into_iter().collect::<Dict>()))
    }
}

pub(super) fn deeper(depth: usize) -> Result<usize, FormatError> {
    depth
        .checked_sub(1)
        .ok_or(FormatError::TooDeep { limit: MAX_DEPTH })
}

pub(super) fn check_hashable(key: &Value) -> Result<(), FormatError> {
    key.unhashable()
        .map_or(Ok(()), |name| Err(FormatError::Key(name)))
}

/// What a node is counted as; a collection by its items.
fn size(node: &Node) -> usize {
    let content = match node {
        Node::Value(Value::Text(text) | Value::Markup(crate::value::Markup(text))) => {
            text.as_wtf8().len()
        }
        Node::Value(Value::Bytes(bytes)) => bytes.len(),
        Node::Value(Value::Decimal(number)) => number.as_str().len(),
        Node::Value(Value::Int(int)) if int.as_i64().is_none() => MAX_INT_LENGTH,
        Node::List(items) | Node::Tuple(items) | Node::Set(items) | Node::FrozenSet(items) => {
            items.len() * size_of::<Id>()
        }
        Node::Dict(pairs) => pairs.len() * size_of::<(Id, Id)>(),
        _ => 0,
    };
    VALUE_SIZE + content
}

fn argument(node: &Node) -> Argument<'_> {
    match node {
        Node::Value(value) => Argument::Value(value),
        Node::Zone(offset) => Argument::Zone(*offset),
        _ => Argument::Other,
    }
}

fn plain(class: Class, arguments: &[&Node]) -> Result<Node, FormatError> {
    let arguments: Vec<_> = arguments.iter().map(|node| argument(node)).collect();
    class::scalar(class, &arguments)
        .map(Node::Value)
        .ok_or(FormatError::Arguments(class.name()))
}
