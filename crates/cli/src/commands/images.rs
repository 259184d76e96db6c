//! `dhow images`: what is in the store.

use crate::arguments::Global;
use crate::error::Error;
use crate::output::table::{Table, width};
use crate::output::time::ago;
use crate::output::{Format, json, print, short, size};
use dhow_engine::{ImageSummary, Moment};
use serde::Serialize;

/// Flags of `dhow images`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "List the images of the store, by name.\n\nExamples:\n  dhow images\n  dhow images --format=json | jq -r .Repository"
)]
pub(crate) struct Arguments {
    /// Print ids only
    #[arg(long, short)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Show the digests of the manifests
    #[arg(long)]
    digests: bool,
    /// Print as table or json
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

/// One name of an image, in docker's words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    repository: String,
    tag: String,
    #[serde(rename = "ID")]
    id: String,
    digest: String,
    created_at: String,
    created_since: String,
    size: String,
}

/// Prints the list.
///
/// # Errors
/// What the engine could not read.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let images = super::open(global)?.images()?;
    let identity = |id: &str| {
        if arguments.no_trunc {
            id.to_owned()
        } else {
            short(id).to_owned()
        }
    };
    let text = if arguments.quiet {
        images
            .iter()
            .map(|image| format!("{}\n", identity(&image.id)))
            .collect()
    } else {
        let now = Moment::now();
        let rows: Vec<Row> = images.iter().flat_map(|image| rows(image, now)).collect();
        match arguments.format {
            Format::Json => json::lines(&rows)?,
            Format::Table => table(rows, arguments, identity),
        }
    };
    print(&text)?;
    Ok(0)
}

fn table(rows: Vec<Row>, arguments: &Arguments, identity: impl Fn(&str) -> String) -> String {
    let width = width().filter(|_| !arguments.no_trunc);
    if arguments.digests {
        let mut table = Table::new(["REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE"]);
        for row in rows {
            let id = identity(&row.id);
            table.row([
                row.repository,
                row.tag,
                row.digest,
                id,
                row.created_since,
                row.size,
            ]);
        }
        return table.render(width);
    }
    let mut table = Table::new(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    for row in rows {
        let id = identity(&row.id);
        table.row([row.repository, row.tag, id, row.created_since, row.size]);
    }
    table.render(width)
}

/// One row for each name; an image without any has one too.
fn rows(image: &ImageSummary, now: Moment) -> Vec<Row> {
    // Images that are built the same each time say 1970: they do not know.
    let created = image
        .created
        .as_deref()
        .and_then(|text| text.parse().ok())
        .filter(|time: &jiff::Timestamp| time.as_second() > 0)
        .map(Moment);
    let row = |name: Option<&String>| {
        let (repository, tag) = name.map_or(("<none>", "<none>"), |name| split(name));
        Row {
            repository: repository.into(),
            tag: tag.into(),
            id: image.id.clone(),
            digest: image.digest.clone(),
            created_at: image.created.clone().unwrap_or_default(),
            created_since: created.map_or_else(
                || "unknown".into(),
                |created| format!("{} ago", ago(created, now)),
            ),
            size: size(image.size),
        }
    };
    if image.names.is_empty() {
        vec![row(None)]
    } else {
        image.names.iter().map(|name| row(Some(name))).collect()
    }
}

/// Repository and tag; a colon before a slash is a port, and a name without tag has `latest`.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        _ if name.contains('@') => (name.split('@').next().unwrap_or(name), "<none>"),
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_where_the_tag_begins() {
        assert_eq!(split("alpine"), ("alpine", "latest"));
        assert_eq!(split("localhost:5000/a"), ("localhost:5000/a", "latest"));
        assert_eq!(split("localhost:5000/a:b"), ("localhost:5000/a", "b"));
        assert_eq!(split("a@sha256:00"), ("a", "<none>"));
    }

    #[test]
    fn each_name_has_a_row_and_none_has_one_too() {
        let mut image = ImageSummary {
            id: "sha256:0123456789abcdef".into(),
            digest: "sha256:1".into(),
            names: vec!["a:1".into(), "a:2".into()],
            created: Some("2026-01-01T00:00:00Z".into()),
            size: 3_456_789,
        };
        let now = Moment("2026-01-03T00:00:00Z".parse().unwrap());
        let found = rows(&image, now);
        assert_eq!(
            (found.len(), found[1].tag.as_str(), found[0].size.as_str()),
            (2, "2", "3.45MB")
        );
        assert_eq!(found[0].created_since, "2 days ago");
        image.names.clear();
        image.created = Some("1970-01-01T00:00:00Z".into());
        let found = rows(&image, now);
        assert_eq!(
            (
                found[0].repository.as_str(),
                found[0].created_since.as_str()
            ),
            ("<none>", "unknown")
        );
    }
}
