//! A connection to systemd: as small and as synchronous as a client of D-Bus can be.
//!
//! Through the bus where there is one, else straight to systemd's own socket, which speaks the same
//! protocol without names. Calls are sent one at a time; the wish to hear of finished jobs goes out
//! before the job is asked for.

use super::message::{Call, Kind, Message, Reader, Value, Writer, decode, size};
use crate::{Error, Result};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const BUS: &str = "org.freedesktop.DBus";

/// How long systemd may take for a job.
const PATIENCE: Duration = Duration::from_secs(30);

const ETIMEDOUT: i32 = 110;
const EPROTO: i32 = 71;

pub(super) struct Connection {
    stream: UnixStream,
    socket: PathBuf,
    /// Straight to systemd, without a bus between.
    direct: bool,
    serial: u32,
    /// Finished jobs that were heard of: path and result.
    finished: Vec<(String, String)>,
}

impl Connection {
    /// Connects to the system's systemd, or to the user's.
    pub(super) fn open(user: bool) -> Result<Self> {
        let sockets = if user {
            let home = format!("/run/user/{}", super::outer_user()?);
            [
                (format!("{home}/bus"), false),
                (format!("{home}/systemd/private"), true),
            ]
        } else {
            [
                ("/run/dbus/system_bus_socket".to_owned(), false),
                ("/run/systemd/private".to_owned(), true),
            ]
        };
        let mut first = None;
        for (socket, direct) in sockets {
            match UnixStream::connect(&socket) {
                Ok(stream) => {
                    let mut connection = Self {
                        stream,
                        socket: PathBuf::from(socket),
                        direct,
                        serial: 0,
                        finished: Vec::new(),
                    };
                    connection.introduce()?;
                    return Ok(connection);
                }
                Err(error) => {
                    first.get_or_insert((socket, error));
                }
            }
        }
        let (socket, error) = first.expect("two sockets were tried");
        Err(Error::SystemdBus {
            doing: "connect to systemd",
            bus: PathBuf::from(&socket),
            source: dhow_sys::Error::new("connect", socket, error.raw_os_error().unwrap_or(EPROTO)),
        })
    }

    fn failed(&self, doing: &'static str, call: &'static str, code: i32) -> Error {
        Error::SystemdBus {
            doing,
            bus: self.socket.clone(),
            source: dhow_sys::Error::new(call, self.socket.display().to_string(), code),
        }
    }

    /// Authenticates by the socket's own credentials, and says hello where there is a bus.
    fn introduce(&mut self) -> Result<()> {
        self.send(
            "authenticate to D-Bus",
            b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n",
        )?;
        let deadline = Instant::now() + PATIENCE;
        // Answers: "DATA" (the server asks who we are), then "OK <guid>".
        for _ in 0..2 {
            let line = self.line(deadline)?;
            if !line.starts_with("DATA") && !line.starts_with("OK ") {
                return Err(Error::Systemd {
                    doing: "authenticate to D-Bus".to_owned(),
                    name: "REJECTED".to_owned(),
                    text: line,
                });
            }
        }
        if self.direct {
            return Ok(());
        }
        let on_bus = |member, signature, body| Call {
            destination: BUS,
            path: "/org/freedesktop/DBus",
            interface: BUS,
            member,
            signature,
            body,
        };
        self.call(
            "say hello to D-Bus",
            &on_bus("Hello", "", Writer::default()),
        )?;
        let mut rule = Writer::default();
        rule.text(&format!(
            "type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved'"
        ));
        self.call("listen to systemd's jobs", &on_bus("AddMatch", "s", rule))
            .map(drop)
    }

    /// Starts a transient unit and waits until it is there.
    pub(super) fn start_unit(&mut self, unit: &str, properties: &[(String, Value)]) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("fail");
        body.properties(properties);
        body.array(8, |_| ());
        let doing = format!("start the systemd unit {unit}");
        let answer = self.manager(
            "start a systemd unit",
            "StartTransientUnit",
            "ssa(sv)a(sa(sv))",
            body,
        )?;
        match self.job(&doing, &answer)?.as_str() {
            "done" => Ok(()),
            result => {
                let name = result.to_owned();
                self.reset_failed(unit)?;
                let text = "the job did not succeed; see the journal of this unit".to_owned();
                Err(Error::Systemd { doing, name, text })
            }
        }
    }

    /// Stops a unit and waits until it is stopped; one that systemd does not know is stopped.
    pub(super) fn stop_unit(&mut self, unit: &str) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("replace");
        match self.manager("stop a systemd unit", "StopUnit", "ss", body) {
            Err(Error::Systemd { name, .. }) if name.ends_with(".NoSuchUnit") => Ok(()),
            Err(error) => Err(error),
            // Canceled and the like mean that another job for this unit came first: it ends all the same.
            Ok(answer) => self
                .job(&format!("stop the systemd unit {unit}"), &answer)
                .map(drop),
        }
    }

    /// Lets systemd forget a failed unit; one that it does not know is forgotten.
    pub(super) fn reset_failed(&mut self, unit: &str) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        match self.manager("reset a failed systemd unit", "ResetFailedUnit", "s", body) {
            Err(Error::Systemd { name, .. }) if name.ends_with(".NoSuchUnit") => Ok(()),
            result => result.map(drop),
        }
    }

    /// Changes properties of a unit until the next boot.
    pub(super) fn set_properties(
        &mut self,
        unit: &str,
        properties: &[(String, Value)],
    ) -> Result<()> {
        let mut body = Writer::default();
        body.text(unit);
        body.number(1);
        body.properties(properties);
        self.manager(
            "set properties of a systemd unit",
            "SetUnitProperties",
            "sba(sv)",
            body,
        )
        .map(drop)
    }

    /// A text property of systemd itself.
    pub(super) fn manager_property(&mut self, name: &'static str) -> Result<String> {
        let mut body = Writer::default();
        body.text(MANAGER);
        body.text(name);
        let call = Call {
            destination: SYSTEMD,
            path: OBJECT,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            signature: "ss",
            body,
        };
        let doing = "ask systemd for a property";
        let answer = self.call(doing, &call)?;
        let mut body = Reader::new(&answer.body);
        let kind = body.signature();
        let text = kind.filter(|kind| kind == "s").and_then(|_| body.text());
        text.ok_or_else(|| self.failed(doing, "read", EPROTO))
    }

    fn manager(
        &mut self,
        doing: &'static str,
        member: &str,
        signature: &str,
        body: Writer,
    ) -> Result<Message> {
        let call = Call {
            destination: SYSTEMD,
            path: OBJECT,
            interface: MANAGER,
            member,
            signature,
            body,
        };
        self.call(doing, &call)
    }

    /// Makes a call and waits for its answer; finished jobs are noted on the way.
    fn call(&mut self, doing: &'static str, call: &Call<'_>) -> Result<Message> {
        self.serial += 1;
        let serial = self.serial;
        self.send(doing, &call.encode(serial, self.direct))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.receive(doing, deadline)?;
            if message.answers == Some(serial) {
                return match message.kind {
                    Kind::Error => Err(Error::Systemd {
                        doing: doing.to_owned(),
                        text: Reader::new(&message.body).text().unwrap_or_default(),
                        name: message.error,
                    }),
                    _ => Ok(message),
                };
            }
            self.note(&message);
        }
    }

    /// The result of the job that an answer names.
    fn job(&mut self, doing: &str, answer: &Message) -> Result<String> {
        let job = Reader::new(&answer.body).text();
        let job = job.ok_or_else(|| self.failed("wait for a systemd job", "read", EPROTO))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((_, result)) = self.finished.iter().find(|(path, _)| *path == job) {
                return Ok(result.clone());
            }
            let message = self
                .receive("wait for a systemd job", deadline)
                .map_err(|error| match error {
                    Error::SystemdBus { source, .. } if source.code() == ETIMEDOUT => {
                        Error::Systemd {
                            doing: doing.to_owned(),
                            name: "timeout".to_owned(),
                            text: format!("no answer within {} s", PATIENCE.as_secs()),
                        }
                    }
                    error => error,
                })?;
            self.note(&message);
        }
    }

    /// `JobRemoved(u id, o job, s unit, s result)`
    fn note(&mut self, message: &Message) {
        if message.kind != Kind::Signal
            || message.member != "JobRemoved"
            || message.signature != "uoss"
        {
            return;
        }
        let mut body = Reader::new(&message.body);
        let fields = (|| Some((body.number()?, body.text()?, body.text()?, body.text()?)))();
        if let Some((_, job, _, result)) = fields {
            self.finished.push((job, result));
        }
    }

    fn send(&mut self, doing: &'static str, bytes: &[u8]) -> Result<()> {
        let sent = self
            .stream
            .set_write_timeout(Some(PATIENCE))
            .and_then(|()| self.stream.write_all(bytes));
        sent.map_err(|error| self.failed(doing, "write", error.raw_os_error().unwrap_or(EPROTO)))
    }

    fn receive(&mut self, doing: &'static str, deadline: Instant) -> Result<Message> {
        let mut head = [0; 16];
        self.fill(doing, &mut head, deadline)?;
        let total = size(&head).ok_or_else(|| self.failed(doing, "read", EPROTO))?;
        let mut bytes = head.to_vec();
        bytes.resize(total, 0);
        self.fill(doing, &mut bytes[16..], deadline)?;
        decode(&bytes).ok_or_else(|| self.failed(doing, "read", EPROTO))
    }

    /// One line of the authentication, without its end.
    fn line(&mut self, deadline: Instant) -> Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > 1024 {
                return Err(self.failed("authenticate to D-Bus", "read", EPROTO));
            }
            let mut byte = [0];
            self.fill("authenticate to D-Bus", &mut byte, deadline)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads exactly as much as fits, until the deadline.
    fn fill(&mut self, doing: &'static str, buffer: &mut [u8], deadline: Instant) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(&mut buffer[filled..]));
            match read {
                Ok(0) => return Err(self.failed(doing, "read", EPROTO)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if Instant::now() >= deadline {
                        return Err(self.failed(doing, "read", ETIMEDOUT));
                    }
                }
                Err(error) => {
                    return Err(self.failed(doing, "read", error.raw_os_error().unwrap_or(EPROTO)));
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
