//! The program's allocator (docs/adr/0009).

#[global_allocator]
static HEAP: dhow_sys::heap::Heap = dhow_sys::heap::Heap::new();
