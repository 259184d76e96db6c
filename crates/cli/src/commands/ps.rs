//! `dhow ps`: the containers.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::table::{Table, width};
use crate::output::time::ago;
use crate::output::{Format, json, print, short};
use dhow_engine::{Moment, State, Summary};
use serde::Serialize;

/// Flags of `dhow ps`.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "List containers, youngest first: those that run, or all of them.\n\nExamples:\n  dhow ps --all\n  dhow rm $(dhow ps --all --quiet)"
)]
pub(crate) struct Arguments {
    /// Also those that have ended or were never started
    #[arg(long, short)]
    all: bool,
    /// Print ids only
    #[arg(long, short)]
    quiet: bool,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Print as table or json
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

/// A container in docker's words, so that scripts for `docker ps --format json` go on working.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    image: &'a str,
    command: String,
    created_at: String,
    running_for: String,
    state: &'a str,
    status: String,
    names: &'a str,
    labels: String,
}

/// Prints the list.
///
/// # Errors
/// What the engine could not read.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let containers = super::open(global)?.list(arguments.all)?;
    let now = Moment::now();
    let text = if arguments.quiet {
        containers
            .iter()
            .map(|container| format!("{}\n", identity(container, arguments)))
            .collect()
    } else if arguments.format == Format::Json {
        let rows: Vec<Row<'_>> = containers
            .iter()
            .map(|container| row(container, now))
            .collect();
        json::lines(&rows)?
    } else {
        table(&containers, arguments, now).render(width().filter(|_| !arguments.no_trunc))
    };
    print(&text)?;
    Ok(0)
}

fn identity<'a>(container: &'a Summary, arguments: &Arguments) -> &'a str {
    if arguments.no_trunc {
        &container.id
    } else {
        short(&container.id)
    }
}

fn row(container: &Summary, now: Moment) -> Row<'_> {
    let labels: Vec<String> = container
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Row {
        id: &container.id,
        image: &container.image,
        command: container.command.join(" "),
        created_at: container.created.to_string(),
        running_for: format!("{} ago", ago(container.created, now)),
        state: container.state.word(),
        status: status(&container.state, now),
        names: &container.name,
        labels: labels.join(","),
    }
}

fn table(containers: &[Summary], arguments: &Arguments, now: Moment) -> Table {
    /// As many characters of a command as docker shows.
    const COMMAND: usize = 30;
    let mut table = Table::new([
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "NAMES",
    ]);
    for container in containers {
        let mut command = container.command.join(" ");
        if !arguments.no_trunc && command.chars().count() > COMMAND {
            command = command.chars().take(COMMAND - 1).chain(['…']).collect();
        }
        table.row([
            identity(container, arguments).to_owned(),
            container.image.clone(),
            command,
            format!("{} ago", ago(container.created, now)),
            status(&container.state, now),
            container.name.clone(),
        ]);
    }
    table
}

fn status(state: &State, now: Moment) -> String {
    match state {
        State::Created => "Created".into(),
        State::Running { started, .. } => format!("Up {}", ago(*started, now)),
        State::Exited(exit) => {
            let reason = exit
                .reason
                .as_deref()
                .or(exit.oom_killed.then_some("out of memory"));
            let reason = reason
                .map(|reason| format!(", {reason}"))
                .unwrap_or_default();
            format!(
                "Exited ({}{reason}) {} ago",
                exit.code,
                ago(exit.finished, now)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_engine::Exit;

    fn at(seconds: i64) -> Moment {
        Moment(jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap())
    }

    fn container(state: State) -> Summary {
        Summary {
            id: "0123456789abcdef".repeat(4),
            name: "web".into(),
            image: "hello".into(),
            command: vec![
                "/hello".into(),
                "with a long list of arguments that goes on".into(),
            ],
            created: at(0),
            state,
            labels: [("a".to_owned(), "b".to_owned())].into(),
        }
    }

    fn arguments(no_trunc: bool) -> Arguments {
        Arguments {
            all: true,
            quiet: false,
            no_trunc,
            format: Format::Table,
        }
    }

    #[test]
    fn states_read_as_docker_writes_them() {
        let running = State::Running {
            pid: 1,
            started: at(5),
        };
        assert_eq!(status(&running, at(65)), "Up About a minute");
        let exit = Exit {
            code: 137,
            signal: Some(9),
            oom_killed: true,
            finished: at(10),
            reason: None,
        };
        assert_eq!(
            status(&State::Exited(exit), at(7210)),
            "Exited (137, out of memory) 2 hours ago"
        );
        assert_eq!(status(&State::Created, at(1)), "Created");
    }

    #[test]
    fn the_table_is_short_unless_told_otherwise() {
        let containers = [container(State::Created)];
        let text = table(&containers, &arguments(false), at(60)).render(None);
        assert!(
            text.contains("0123456789ab   hello   /hello with a long list of ar…"),
            "{text}"
        );
        let text = table(&containers, &arguments(true), at(60)).render(None);
        assert!(
            text.contains("arguments that goes on") && text.contains(&containers[0].id),
            "{text}"
        );
    }

    #[test]
    fn json_has_dockers_keys_and_the_whole_id() {
        let container = container(State::Created);
        let text = json::lines(&[row(&container, at(60))]).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["ID"], container.id);
        assert_eq!(
            (&value["State"], &value["Names"], &value["Labels"]),
            (&"created".into(), &"web".into(), &"a=b".into())
        );
        assert_eq!(text.lines().count(), 1);
    }
}
