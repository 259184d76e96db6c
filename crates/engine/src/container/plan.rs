//! What the runtime would do, told before it does it.

use super::create::create;
use super::remove;
use crate::engine::Engine;
use crate::error::Result;
use crate::options::ContainerOptions;
use crate::view::Plan;

/// The plan of a container.
pub(crate) fn plan(engine: &Engine, name: &str) -> Result<Plan> {
    let (_, record) = engine.open_container(name)?;
    let bundle = engine.store().directory_of(&record.id);
    engine.runtime(&record.runtime).plan(&bundle).map(Plan)
}

/// The plan of a container that is made for this question only.
pub(crate) fn explain(engine: &Engine, options: &ContainerOptions) -> Result<Plan> {
    let mut options = options.clone();
    // Nothing of it need survive.
    options.remove = true;
    let made = create(engine, &options)?;
    let bundle = engine.store().directory_of(&made.record.id);
    let plan = engine.runtime(&made.record.runtime).plan(&bundle);
    remove::clear(engine, &made.directory, &made.record)?;
    plan.map(Plan)
}
