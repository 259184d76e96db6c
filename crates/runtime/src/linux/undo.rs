//! Undoing what was done, when not everything could be done.

/// Actions that take back effects, run in reverse order unless [`Undo::forget`] is called.
#[derive(Default)]
pub struct Undo<'a>(Vec<Box<dyn FnOnce() + 'a>>);

impl<'a> Undo<'a> {
    /// Notes how to take back the effect on the line above.
    pub fn with(&mut self, action: impl FnOnce() + 'a) {
        self.0.push(Box::new(action));
    }

    /// Everything has succeeded: nothing is taken back.
    pub fn forget(mut self) {
        self.0.clear();
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        while let Some(action) = self.0.pop() {
            action();
        }
    }
}
