//! Tell about containers.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::status;
use crate::store::Directory;
use crate::view::{Details, State, Summary};
use serde_json::Value;

/// `ps`
pub(crate) fn list(engine: &Engine, all: bool) -> Result<Vec<Summary>> {
    let mut summaries = Vec::new();
    for (directory, record) in engine.store().all()? {
        let summary = summary(engine, &directory, record)?;
        if all || matches!(summary.state, State::Running { .. }) {
            summaries.push(summary);
        }
    }
    summaries.sort_by_key(|summary| std::cmp::Reverse(summary.created));
    Ok(summaries)
}

/// `inspect`
pub(crate) fn inspect(engine: &Engine, name: &str) -> Result<Details> {
    let (directory, record) = engine.open_container(name)?;
    let config: Option<Value> = directory.document("config.json")?;
    let bundle = engine.store().directory_of(&record.id);
    Ok(Details {
        image_id: record.image_id.clone(),
        options: record.options.clone(),
        log: bundle.join("log"),
        bundle,
        runtime: record.runtime.clone(),
        config: config.ok_or_else(|| Error::BadState {
            path: "config.json".into(),
            reason: "it is missing".into(),
        })?,
        summary: summary(engine, &directory, record)?,
    })
}

fn summary(engine: &Engine, directory: &Directory, record: Record) -> Result<Summary> {
    Ok(Summary {
        state: status::state(engine.store(), directory)?,
        id: record.id,
        name: record.name,
        image: record.image,
        command: record.command,
        created: record.created,
        labels: record.options.labels,
    })
}
