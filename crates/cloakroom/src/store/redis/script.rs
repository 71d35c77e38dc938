use std::sync::LazyLock;

use redis::Cmd;

/// A Lua script over an entry (`KEYS[1]`) and its tombstone (`KEYS[2]`). The server runs it as one step.
///
/// `SET … IFEQ` (Valkey 8.1, Redis 8.4) compares and writes without a script, but it sees one key only: an entry
/// that a neighbour wrote under a tombstone would be replaced as if it were there. So the scripts it is, on
/// every server.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

/// Arguments: value, milliseconds. Answers 1, or 0 if there is something.
pub(super) static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end \
         if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end \
         return 0",
    )
});

/// Arguments: base, value, milliseconds. Answers 1, 0 if there is nothing, or the bytes that are there.
pub(super) static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local there = redis.call('MGET', KEYS[1], KEYS[2]) \
         if not there[1] or there[2] then return 0 end \
         if there[1] ~= ARGV[1] then return there[1] end \
         redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) \
         return 1",
    )
});

/// Argument: milliseconds. Answers 1, or 0 if there is nothing.
pub(super) static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end \
         return redis.call('PEXPIRE', KEYS[1], ARGV[1])",
    )
});

/// Arguments: milliseconds of the tombstone, and the bytes expected, if any are. Answers 1, 0 if there is
/// nothing that was expected, or the bytes that are there. A tombstone that lasts longer already stays.
pub(super) static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if ARGV[2] then \
           local there = redis.call('MGET', KEYS[1], KEYS[2]) \
           if not there[1] or there[2] then return 0 end \
           if there[1] ~= ARGV[2] then return there[1] end \
         end \
         redis.call('DEL', KEYS[1]) \
         local milliseconds = tonumber(ARGV[1]) \
         if milliseconds > 0 then \
           local left = redis.call('PTTL', KEYS[2]) \
           if left ~= -1 and left < milliseconds then \
             redis.call('SET', KEYS[2], '\\192', 'PX', ARGV[1]) \
           end \
         end \
         return 1",
    )
});

/// Removes what lies under a tombstone. Answers 1, or 0 if there is nothing.
pub(super) static BURY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end \
         return redis.call('DEL', KEYS[1])",
    )
});

impl Script {
    fn new(code: &'static str) -> Self {
        let hash = redis::Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }

    /// Runs it if the server knows it already.
    pub(super) fn by_hash(&self, entry: &[u8], tombstone: &[u8], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, entry, tombstone, arguments)
    }

    /// Runs it, and makes the server know it.
    pub(super) fn in_full(&self, entry: &[u8], tombstone: &[u8], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", self.code, entry, tombstone, arguments)
    }
}

fn call(command: &str, script: &str, entry: &[u8], tombstone: &[u8], arguments: &[&[u8]]) -> Cmd {
    let keys = "2";
    let first = [
        command.as_bytes(),
        script.as_bytes(),
        keys.as_bytes(),
        entry,
        tombstone,
    ];
    let all = || first.iter().chain(arguments);
    let size = all().map(|argument| argument.len()).sum();
    let mut call = Cmd::with_capacity(first.len() + arguments.len(), size);
    for argument in all() {
        call.arg(*argument);
    }
    call
}
