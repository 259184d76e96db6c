//! A memory allocator for programs that live for milliseconds.
//!
//! Why it exists: a verb of the runtime makes some thousand small allocations and ends. A general
//! allocator answers with pages mapped and unmapped all the way (one call of the kernel for every
//! twelve of ours, measured with musl's); this one begins in memory that the program has from its
//! start and gives nothing back to the system.
//!
//! Sizes are rounded up to classes, a power of two or half way to the next. A freed block goes to its class's list
//! and is the next one handed out, so a program that does live long (a terminal's relay, events)
//! does not grow. What is larger than the largest class is the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every block lies on a multiple of this, in bytes.
const ALIGNMENT: usize = 16;
/// Blocks of 16, 32, 48, 64, 96, 128, 192, … bytes up to [`LARGEST`]; number 1 would be 24, and is unused.
const CLASSES: usize = 23;
/// The largest block that is ours, in bytes.
const LARGEST: usize = 32 * 1024;
/// What the program has from its start, in bytes: of it, only the pages that are touched exist.
const FIRST: usize = 128 * 1024;
/// What is asked of the system when that is used up, in bytes.
const CHUNK: usize = 256 * 1024;

/// The allocator; make it the program's by `#[global_allocator]`.
#[derive(Debug)]
pub struct Heap {
    taken: AtomicBool,
    blocks: UnsafeCell<Blocks>,
}

// The words that every call touches stand before the first memory, on a page that it shares with them.
#[repr(C)]
#[derive(Debug)]
struct Blocks {
    /// The unused rest of the current chunk.
    next: *mut u8,
    left: usize,
    begun: bool,
    /// Freed blocks of each class; the first word of a freed block is the address of the next.
    free: [*mut u8; CLASSES],
    first: First,
}

/// Begins where a block may.
#[repr(C, align(16))]
#[derive(Debug)]
struct First([u8; FIRST]);

// SAFETY: `blocks` is touched only between `lock` and `unlock`.
// NEED: a global allocator is shared by all threads.
unsafe impl Sync for Heap {}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Heap {
    /// An allocator that has given out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            blocks: UnsafeCell::new(Blocks {
                next: null_mut(),
                left: 0,
                begun: false,
                free: [null_mut(); CLASSES],
                first: First([0; FIRST]),
            }),
        }
    }

    /// Runs `work` alone. The runtime has one thread, so nobody ever waits here.
    fn alone<R>(&self, work: impl FnOnce(&mut Blocks) -> R) -> R {
        while self.taken.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        // SAFETY: the flag is ours, so no other reference exists; `work` cannot come here again,
        // because nothing in this file allocates through the global allocator.
        // NEED: the blocks change behind a shared reference.
        let result = work(unsafe { &mut *self.blocks.get() });
        self.taken.store(false, Ordering::Release);
        result
    }
}

/// The class of a size: its number and the size of its blocks.
const fn class(size: usize) -> (usize, usize) {
    if size <= ALIGNMENT {
        return (0, ALIGNMENT);
    }
    // 2^power is the next power of two; the class below it is at three quarters.
    let power = usize::BITS - (size - 1).leading_zeros();
    let (power, whole) = (power as usize, 1_usize << power);
    let half = whole - whole / 4;
    if size <= half && half.is_multiple_of(ALIGNMENT) {
        (2 * (power - 4) - 1, half)
    } else {
        (2 * (power - 4), whole)
    }
}

fn is_ours(layout: &Layout) -> bool {
    layout.size() <= LARGEST && layout.align() <= ALIGNMENT
}

impl Blocks {
    fn take(&mut self, size: usize) -> *mut u8 {
        let (number, size) = class(size);
        let block = self.free[number];
        if block.is_null() {
            return self.cut(size);
        }
        // SAFETY: a block in the list is at least 16 bytes of ours, and begins with the next one's
        // address, as `give` wrote it.
        // NEED: the lists are kept in the freed memory itself.
        self.free[number] = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    fn give(&mut self, block: *mut u8, size: usize) {
        let (number, _) = class(size);
        // SAFETY: the block was given out by `take`, so it is large enough and aligned for an
        // address, and by the contract of `dealloc` nobody uses it any more.
        // NEED: the lists are kept in the freed memory itself.
        unsafe { block.cast::<*mut u8>().write(self.free[number]) };
        self.free[number] = block;
    }

    /// Cuts a block off the current chunk; the rest of a chunk that is too small is left unused.
    fn cut(&mut self, size: usize) -> *mut u8 {
        if !self.begun {
            self.begun = true;
            (self.next, self.left) = (self.first.0.as_mut_ptr(), FIRST);
        }
        if self.left < size {
            let layout = Layout::new::<[u128; CHUNK / ALIGNMENT]>();
            // SAFETY: the layout is not empty.
            // NEED: memory has to come from somewhere.
            let chunk = unsafe { System.alloc(layout) };
            if chunk.is_null() {
                return chunk;
            }
            (self.next, self.left) = (chunk, CHUNK);
        }
        let block = self.next;
        // SAFETY: at least `size` bytes are left in the chunk that `next` points into.
        // NEED: a pointer has to move.
        self.next = unsafe { block.add(size) };
        self.left -= size;
        block
    }
}

// SAFETY: blocks are disjoint, as large and as aligned as their class, and never unmapped.
// NEED: this is what a global allocator is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_ours(&layout) {
            return self.alone(|blocks| blocks.take(layout.size()));
        }
        // SAFETY: the caller's promise is the system's condition.
        // NEED: large blocks are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_ours(&layout) {
            return self.alone(|blocks| blocks.give(block, layout.size()));
        }
        // SAFETY: the block has the same layout as when `alloc` passed the call on.
        // NEED: large blocks are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else {
            return null_mut();
        };
        match (is_ours(&layout), is_ours(&new)) {
            (true, true) if class(layout.size()) == class(size) => block,
            // SAFETY: the caller's promise is the system's condition.
            // NEED: large blocks are passed on.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            _ => self.move_to(block, layout, new),
        }
    }
}

impl Heap {
    fn move_to(&self, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: neither layout is empty, by the contract of `realloc`.
        // NEED: the block changes its class.
        let moved = unsafe { self.alloc(new) };
        if !moved.is_null() {
            let both = old.size().min(new.size());
            // SAFETY: both blocks are at least that large, and a new block overlaps no other.
            // NEED: the content moves along.
            unsafe { block.copy_to_nonoverlapping(moved, both) };
            // SAFETY: it was given out with this layout, and the caller holds the new one from here.
            // NEED: the old block is free.
            unsafe { self.dealloc(block, old) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_fits_its_class() {
        let mut sizes = [0; CLASSES];
        let mut last = 0;
        for size in 1..=LARGEST {
            let (number, block) = class(size);
            assert!(block >= size && block.is_multiple_of(ALIGNMENT), "{size}");
            assert!(number >= last, "{size}: {number} after {last}");
            assert!(sizes[number] == 0 || sizes[number] == block, "{size}");
            (sizes[number], last) = (block, number);
        }
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_class() {
        let heap = Heap::new();
        let layout = Layout::from_size_align(100, 8).expect("layout");
        // SAFETY: the layout is not empty.
        let first = unsafe { heap.alloc(layout) };
        // SAFETY: just allocated with this layout.
        unsafe { heap.dealloc(first, layout) };
        // SAFETY: the layout is not empty.
        let second = unsafe { heap.alloc(layout) };
        assert_eq!(first, second);
        assert!(first.addr().is_multiple_of(ALIGNMENT));
    }

    #[test]
    fn blocks_are_disjoint_and_keep_their_content_over_growth() {
        let heap = Heap::new();
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for (turn, byte) in (0..2000_usize).zip((0..=255_u8).cycle()) {
            let layout = Layout::from_size_align(1 + turn * 37 % 40_000, 16).expect("layout");
            // SAFETY: the layout is not empty.
            let block = unsafe { heap.alloc(layout) };
            // SAFETY: the block is that large.
            unsafe { block.write_bytes(byte, layout.size()) };
            held.push((block, layout, byte));
            if turn % 3 == 0 {
                let (block, layout, byte) = held.swap_remove(turn * 7 % held.len());
                let size = layout.size() + 1000;
                // SAFETY: allocated with this layout; the new size is neither zero nor too large.
                let grown = unsafe { heap.realloc(block, layout, size) };
                held.push((
                    grown,
                    Layout::from_size_align(layout.size(), 16).expect("layout"),
                    byte,
                ));
                let (_, kept, _) = held.last_mut().expect("just pushed");
                *kept = Layout::from_size_align(size, 16).expect("layout");
                // SAFETY: the block is that large now.
                unsafe { grown.write_bytes(byte, size) };
            }
        }
        for (block, layout, byte) in held {
            // SAFETY: the block was filled to its whole size.
            let content = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            assert!(content.iter().all(|found| *found == byte));
            // SAFETY: allocated with this layout.
            unsafe { heap.dealloc(block, layout) };
        }
    }
}
