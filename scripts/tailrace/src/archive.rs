//! Records that D1 does not hold: those that are in the archive alone, and those whose rows have expired.
//!
//! - [`catalog`]: the objects that hold records of a time, by the catalog in D1;
//! - [`object`]: an object, and the records in it that are meant;
//! - [`bounds`]: how much is read before somebody is asked;
//! - [`reader`]: objects from the bucket, several at a time;
//! - [`around`]: the objects that hold the rest of what some records belong to.
//!
//! The catalog is read before the bucket: an object is there before its row, so one that is not found has expired.

pub mod around;
pub mod bounds;
pub mod catalog;
pub mod object;
pub mod reader;

pub use around::KnownRecords;
pub use bounds::Permission;
pub use catalog::Window;
pub use object::Wanted;
pub use reader::Archive;
