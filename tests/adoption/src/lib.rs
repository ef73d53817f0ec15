//! Models in the shapes that applications have, over tables of another crate.
#![allow(missing_docs, reason = "the tests are their documentation")]

pub mod growing;
pub mod keys;
pub mod logs;
pub mod names;
pub mod structs;
pub mod uuids;
