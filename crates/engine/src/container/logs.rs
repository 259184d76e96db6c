//! Read a container's log, from the end if wanted, and go on as it grows without asking again and again.

use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::monitor::{Connection, MESSAGE, Said};
use crate::status;
use crate::store::Directory;
use crate::view::{LogLine, LogOptions, State, Stream};
use dhow_sys::fd::{Interest, poll};
use dhow_sys::notify::Watch;
use dhow_sys::{Mode, OFlags, path};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the time at the front of every record.
const TIME: usize = 30;
/// Bytes read at once, forwards.
const BLOCK: usize = 256 * 1024;
/// Bytes looked at first, backwards.
const TAIL: u64 = 64 * 1024;

type Sink<'a> = &'a mut dyn FnMut(LogLine<'_>) -> ControlFlow<()>;

/// `logs`
pub(crate) fn logs(
    engine: &Engine,
    name: &str,
    options: &LogOptions,
    sink: Sink<'_>,
) -> Result<()> {
    let (directory, record) = engine.open_container(name)?;
    // Before the first look, so that no change can fall between the look and the wait.
    let follower = if options.follow {
        Some(Follower::begin(engine, &directory, &record.id)?)
    } else {
        None
    };
    let mut reader = Reader {
        since: options.since.map(|moment| moment.to_string()),
        until: options.until.map(|moment| moment.to_string()),
        rest: Vec::new(),
        line_start: true,
        sink,
    };
    let older = open(&directory, "log.1")?;
    let newest = open(&directory, "log")?;
    let (mut from_older, mut from_newest) = (0, 0);
    if let Some(lines) = options.tail {
        let missing;
        (from_newest, missing) = match &newest {
            Some(file) => tail(file, lines)?,
            None => (0, lines),
        };
        from_older = match &older {
            Some(file) => tail(file, missing)?.0,
            None => 0,
        };
    }
    if let Some(mut file) = older {
        seek(&mut file, from_older)?;
        if reader.drain(&mut file)?.is_break() {
            return Ok(());
        }
    }
    let Some(mut file) = newest else {
        return Ok(());
    };
    seek(&mut file, from_newest)?;
    match follower {
        Some(follower) => follower.follow(&directory, file, &mut reader),
        None => reader.drain(&mut file).map(drop),
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::Call {
        doing: "read the log".into(),
        source: dhow_sys::Error::new("read", "log", error.raw_os_error().unwrap_or(0)),
    }
}

fn open(directory: &Directory, name: &str) -> Result<Option<File>> {
    match path::open_beneath(
        directory.fd(),
        Path::new(name),
        OFlags::RDONLY,
        Mode::empty(),
    ) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(error) if error.name() == "ENOENT" => Ok(None),
        Err(error) => Err(error).doing(|| format!("open the log of container {}", directory.id)),
    }
}

fn seek(file: &mut File, to: u64) -> Result<()> {
    file.seek(SeekFrom::Start(to))
        .map(drop)
        .map_err(|error| failed(&error))
}

/// Where the last `lines` lines begin, and how many are missing because the file has no more.
fn tail(file: &File, lines: usize) -> Result<(u64, usize)> {
    let length = file.metadata().map_err(|error| failed(&error))?.len();
    if lines == 0 {
        return Ok((length, 0));
    }
    let mut looked = TAIL;
    loop {
        let start = length.saturating_sub(looked);
        let mut block = Vec::new();
        let mut reader = file;
        reader
            .seek(SeekFrom::Start(start))
            .and_then(|_| file.take(length - start).read_to_end(&mut block))
            .map_err(|error| failed(&error))?;
        let starts = line_starts(&block, start == 0);
        if let Some(at) = starts.len().checked_sub(lines) {
            return Ok((start + starts[at], 0));
        }
        if start == 0 {
            return Ok((0, lines - starts.len()));
        }
        looked *= 4;
    }
}

/// The offsets at which lines begin: after each record that ends one, and at the front if `from_start`.
fn line_starts(block: &[u8], from_start: bool) -> Vec<u64> {
    let mut starts = Vec::new();
    let mut at = 0;
    let mut begins = from_start;
    // The front of a block from the middle may be half a record: only its end is known.
    let mut whole = from_start;
    for record in block.split_inclusive(|byte| *byte == b'\n') {
        if whole {
            if begins {
                starts.push(at);
            }
            begins = parse(record).is_some_and(|(.., full, _)| full);
        }
        whole = true;
        at += record.len() as u64;
    }
    starts
}

/// One record: time, stream, whether it ends a line, and the bytes without the record's own end.
fn parse(record: &[u8]) -> Option<(&str, Stream, bool, &[u8])> {
    let record = record.strip_suffix(b"\n")?;
    let time = std::str::from_utf8(record.get(..TIME)?).ok()?;
    let rest = record.get(TIME..)?;
    let (stream, rest) = match rest.strip_prefix(b" stdout ") {
        Some(rest) => (Stream::Stdout, rest),
        None => (Stream::Stderr, rest.strip_prefix(b" stderr ")?),
    };
    match rest {
        [b'F', b' ', bytes @ ..] => Some((time, stream, true, bytes)),
        [b'P', b' ', bytes @ ..] => Some((time, stream, false, bytes)),
        _ => None,
    }
}

/// Takes records from a growing file to the sink.
struct Reader<'a> {
    since: Option<String>,
    until: Option<String>,
    /// The beginning of a record whose end has not been read yet.
    rest: Vec<u8>,
    line_start: bool,
    sink: Sink<'a>,
}

impl Reader<'_> {
    /// Reads to the present end of the file.
    fn drain(&mut self, file: &mut File) -> Result<ControlFlow<()>> {
        let mut block = vec![0; BLOCK];
        loop {
            let length = match file.read(&mut block) {
                Ok(0) => return Ok(ControlFlow::Continue(())),
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(&error)),
            };
            if self.take(&block[..length]).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn take(&mut self, block: &[u8]) -> ControlFlow<()> {
        for record in block.split_inclusive(|byte| *byte == b'\n') {
            if !record.ends_with(b"\n") {
                self.rest.extend_from_slice(record);
            } else if self.rest.is_empty() {
                self.pass(record)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(record);
                self.pass(&whole)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Hands one record to the sink; what is no record (a disk that was full) is passed over.
    fn pass(&mut self, record: &[u8]) -> ControlFlow<()> {
        let Some((time, stream, full, bytes)) = parse(record) else {
            return ControlFlow::Continue(());
        };
        let line_start = std::mem::replace(&mut self.line_start, full);
        // Times of equal length in one zone compare as text.
        if self.since.as_deref().is_some_and(|since| time < since) {
            return ControlFlow::Continue(());
        }
        if self.until.as_deref().is_some_and(|until| time > until) {
            return ControlFlow::Break(());
        }
        let end = if full { record.len() } else { record.len() - 1 };
        let begin = record.len() - 1 - bytes.len();
        (self.sink)(LogLine {
            time,
            stream,
            bytes: &record[begin..end],
            line_start,
        })
    }
}

/// What tells that there is more to read, or that nothing more will come.
struct Follower {
    watch: Watch,
    monitor: Option<Connection>,
}

impl Follower {
    fn begin(engine: &Engine, directory: &Directory, id: &str) -> Result<Self> {
        let watch = Watch::directory(directory.fd()).doing(|| "watch the log".into())?;
        let running = matches!(
            status::state(engine.store(), directory)?,
            State::Running { .. }
        );
        let monitor = match engine.store().living(id) {
            Some(living) if running => Connection::open(&living, false)?,
            _ => None,
        };
        Ok(Self { watch, monitor })
    }

    fn follow(
        mut self,
        directory: &Directory,
        mut file: File,
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let mut buffer = vec![0; MESSAGE];
        loop {
            if reader.drain(&mut file)?.is_break() {
                return Ok(());
            }
            if let Some(newer) = self.rotated(directory, &file)? {
                // What was written to the old one between the look and the rotation.
                if reader.drain(&mut file)?.is_break() {
                    return Ok(());
                }
                file = newer;
                continue;
            }
            let Some(monitor) = &self.monitor else {
                return Ok(());
            };
            let fds = [
                (self.watch.as_fd(), Interest::Read),
                (monitor.as_fd(), Interest::Read),
            ];
            let ready = poll(&fds, None).doing(|| "wait for the log".into())?;
            self.watch.clear().doing(|| "watch the log".into())?;
            if ready[1] && monitor.listen(&mut buffer) == Said::Gone {
                // All has been written; one last look.
                self.monitor = None;
            }
        }
    }

    /// The new log, when the open one has been put aside.
    fn rotated(&self, directory: &Directory, file: &File) -> Result<Option<File>> {
        let Some(named) = open(directory, "log")? else {
            return Ok(None);
        };
        let inode = |file: &File| file.metadata().map(|metadata| metadata.ino());
        match (inode(&named), inode(file)) {
            (Ok(one), Ok(other)) if one != other => Ok(Some(named)),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stream: &str, tag: &str, text: &str) -> String {
        format!("2026-11-22T10:41:04.000000000Z {stream} {tag} {text}\n")
    }

    #[test]
    fn records() {
        let text = record("stderr", "P", "a F b");
        let (time, stream, full, bytes) = parse(text.as_bytes()).expect("a record");
        assert_eq!(time.len(), TIME);
        assert_eq!(
            (stream, full, bytes),
            (Stream::Stderr, false, &b"a F b"[..])
        );
        for bad in [
            "",
            "\n",
            "short\n",
            "2026-11-22T10:41:04.000000000Z stdin F x\n",
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn lines_not_records_are_counted_from_the_end() {
        let path = std::env::temp_dir().join(format!("dhow-tail-{}", std::process::id()));
        let records = [
            record("stdout", "F", "one"),
            record("stdout", "P", "tw"),
            record("stdout", "F", "o"),
            record("stdout", "P", "thr"),
        ];
        std::fs::write(&path, records.concat()).expect("write");
        let file = File::open(&path).expect("open");
        let from = |count: usize| {
            let length: usize = records[..count].iter().map(String::len).sum();
            length as u64
        };
        assert_eq!(tail(&file, 0).expect("tail"), (from(4), 0));
        assert_eq!(tail(&file, 1).expect("tail"), (from(3), 0));
        assert_eq!(tail(&file, 2).expect("tail"), (from(1), 0));
        assert_eq!(tail(&file, 3).expect("tail"), (0, 0));
        assert_eq!(tail(&file, 9).expect("tail"), (0, 6));
        std::fs::remove_file(&path).expect("clean up");
    }

    #[test]
    fn a_block_from_the_middle_begins_with_half_a_record() {
        let text = [record("stdout", "F", "x"), record("stdout", "F", "y")].concat();
        let half = &text.as_bytes()[3..];
        assert_eq!(line_starts(half, false), Vec::<u64>::new());
        let text = [text, record("stdout", "F", "z")].concat();
        let half = &text.as_bytes()[3..];
        let third = (text.len() - 3) as u64 - record("stdout", "F", "z").len() as u64;
        assert_eq!(line_starts(half, false), [third]);
    }
}
