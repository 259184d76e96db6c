//! The compiled filter: what [`super::compile`] makes and seccomp(2) takes.
//!
//! `create` compiles once; the state directory keeps the bytes, so that `exec` puts exactly
//! the same filter on the processes it adds, even if the bundle has changed meanwhile.

use serde::Serialize;

use crate::plan::invalid::Invalid;

/// The kernel's limit of instructions in one filter (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction of classic BPF, laid out like the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when the condition holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// The agent that answers `SCMP_ACT_NOTIFY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Its Unix socket.
    pub path: String,
    /// Text it wants to be given.
    pub metadata: Option<String>,
}

/// A seccomp filter ready for seccomp(2) with `SECCOMP_SET_MODE_FILTER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The filter, at most [`MAX_INSTRUCTIONS`].
    pub instructions: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*`; `NEW_LISTENER` is set exactly when `listener` is.
    pub flags: u32,
    /// Who gets the notification descriptor.
    pub listener: Option<Listener>,
    /// Names in the profile that no system call of any architecture bears; they have no effect.
    pub ignored: Vec<String>,
}

const MAGIC: &[u8; 8] = b"dhowbpf1";

impl Program {
    /// The program as bytes for the state directory (little-endian on every host).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.instructions.len() * 8);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.flags.to_le_bytes());
        put_length(&mut out, self.instructions.len());
        for one in &self.instructions {
            out.extend_from_slice(&one.code.to_le_bytes());
            out.extend_from_slice(&[one.jt, one.jf]);
            out.extend_from_slice(&one.k.to_le_bytes());
        }
        let path = self.listener.as_ref().map(|listener| &listener.path);
        let metadata = self.listener.as_ref().and_then(|l| l.metadata.as_ref());
        put_text(&mut out, path);
        put_text(&mut out, metadata);
        put_length(&mut out, self.ignored.len());
        for name in &self.ignored {
            put_text(&mut out, Some(name));
        }
        out
    }

    /// Reads what [`Program::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Invalid`] when the bytes are truncated, damaged or of another version. A damaged
    /// filter is never replaced by none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Program, Invalid> {
        let mut reader = Reader { rest: bytes };
        let program = reader.program();
        match program {
            Some(program) if reader.rest.is_empty() => Ok(program),
            _ => Err(Invalid::new(
                "seccomp program",
                "the saved filter is damaged or from another version of dhow-runtime; \
                 delete the container and create it again",
            )),
        }
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("a profile is smaller than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
}

/// Absent text is marked by a length no text can have.
fn put_text(out: &mut Vec<u8>, text: Option<&String>) {
    match text {
        Some(text) => {
            put_length(out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        None => out.extend_from_slice(&u32::MAX.to_le_bytes()),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn program(&mut self) -> Option<Program> {
        if self.take(MAGIC.len())? != MAGIC {
            return None;
        }
        let flags = self.word()?;
        let count = self.word()? as usize;
        if count == 0 || count > MAX_INSTRUCTIONS {
            return None;
        }
        let mut instructions = Vec::with_capacity(count);
        for _ in 0..count {
            instructions.push(self.instruction()?);
        }
        let path = self.text()?;
        let metadata = self.text()?;
        let listener = match (path, metadata) {
            (Some(path), metadata) => Some(Listener { path, metadata }),
            (None, None) => None,
            (None, Some(_)) => return None,
        };
        let mut ignored = Vec::new();
        for _ in 0..self.word()? {
            ignored.push(self.text()??);
        }
        Some(Program {
            instructions,
            flags,
            listener,
            ignored,
        })
    }

    fn instruction(&mut self) -> Option<Instruction> {
        let bytes: [u8; 8] = self.take(8)?.try_into().ok()?;
        let [c0, c1, jt, jf, k @ ..] = bytes;
        Some(Instruction {
            code: u16::from_le_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_le_bytes(k),
        })
    }

    /// The outer option is "readable", the inner one "present".
    #[expect(clippy::option_option, reason = "the two absences differ")]
    fn text(&mut self) -> Option<Option<String>> {
        let length = self.word()?;
        if length == u32::MAX {
            return Some(None);
        }
        let bytes = self.take(length as usize)?.to_vec();
        String::from_utf8(bytes).ok().map(Some)
    }

    fn word(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Program {
        Program {
            instructions: vec![
                Instruction {
                    code: 0x20,
                    jt: 0,
                    jf: 0,
                    k: 4,
                },
                Instruction {
                    code: 0x06,
                    jt: 0,
                    jf: 0,
                    k: 0x7fff_0000,
                },
            ],
            flags: 8,
            listener: Some(Listener {
                path: "/run/agent".into(),
                metadata: Some("né".into()),
            }),
            ignored: vec!["frobnicate".into()],
        }
    }

    #[test]
    fn bytes_give_the_same_program_back() {
        let mut program = sample();
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
        program.listener = None;
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
    }

    #[test]
    fn every_truncation_and_any_tail_is_refused() {
        let bytes = sample().to_bytes();
        for end in 0..bytes.len() {
            let error = Program::from_bytes(&bytes[..end]).unwrap_err();
            assert!(error.reason.contains("damaged"), "{end}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Program::from_bytes(&longer).is_err());
    }
}
