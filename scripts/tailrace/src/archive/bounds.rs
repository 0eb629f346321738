//! The amount that is read of the archive before somebody is asked, and a note of the rest.

use log_record::archive::CatalogRow;

use crate::{Error, output};

/// Objects and their bytes that are read without asking.
const MOST_OBJECTS: usize = 300;
const MOST_BYTES: u64 = 100_000_000;

/// The reading that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// None: `--no-archive`.
    Nothing,
    /// Some; for more, whoever is at the terminal is asked.
    Asking,
    /// Some, and nobody is asked for more: what is beyond is left out.
    Bounded,
    /// As much as it takes: `--yes`.
    Unlimited,
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Objects.
    pub objects: usize,
    /// Their bytes in the bucket.
    pub bytes: u64,
}

impl Amount {
    /// Adds up `objects`.
    #[must_use]
    pub fn of(objects: &[CatalogRow]) -> Self {
        Self {
            objects: objects.len(),
            bytes: objects.iter().map(|object| object.bytes).sum(),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes + other.bytes,
        }
    }

    /// Returns whether it is read without asking.
    #[must_use]
    pub fn is_small(self) -> bool {
        self.objects <= MOST_OBJECTS && self.bytes <= MOST_BYTES
    }

    /// Returns it for a person: `3 objects of 720 kB`.
    #[must_use]
    pub fn shown(self) -> String {
        format!(
            "{} of {}",
            output::counted(self.objects as u64, "object", "objects"),
            output::size_shown(self.bytes)
        )
    }
}

/// The reading that was allowed and refused in a run.
#[derive(Debug)]
pub(super) struct Bounds {
    permission: Permission,
    read: Amount,
    left_out: Amount,
}

impl Bounds {
    pub(super) fn new(permission: Permission) -> Self {
        Self {
            permission,
            read: Amount::default(),
            left_out: Amount::default(),
        }
    }

    /// Returns how many of `objects`, from the first on, may be read without asking.
    pub(super) fn count_free(&self, objects: &[CatalogRow]) -> usize {
        match self.permission {
            Permission::Nothing => 0,
            Permission::Unlimited => objects.len(),
            Permission::Asking | Permission::Bounded => {
                let mut sum = self.read;
                let is_free = |object: &&CatalogRow| {
                    sum = sum.and(Amount::of(std::slice::from_ref(*object)));
                    sum.is_small()
                };
                objects.iter().take_while(is_free).count()
            }
        }
    }

    /// Returns whether `objects` may be read, after asking where they are many.
    pub(super) fn allow(&mut self, objects: &[CatalogRow]) -> Result<bool, Error> {
        let amount = Amount::of(objects);
        if amount.objects == 0 {
            return Ok(true);
        }
        let all = self.read.and(amount);
        let is_allowed = match self.permission {
            Permission::Unlimited => true,
            Permission::Nothing => false,
            Permission::Bounded => all.is_small(),
            Permission::Asking if all.is_small() => true,
            Permission::Asking if !output::can_ask() => {
                return Err(Error::MuchToRead {
                    amount: amount.shown(),
                });
            }
            Permission::Asking => {
                let question = format!("The archive has {} of that. Read them?", amount.shown());
                let is_allowed = output::confirm(&question);
                // Nobody is asked twice.
                self.permission = if is_allowed {
                    Permission::Unlimited
                } else {
                    Permission::Nothing
                };
                is_allowed
            }
        };
        if is_allowed {
            self.read = all;
        } else {
            self.left_out = self.left_out.and(amount);
        }
        Ok(is_allowed)
    }

    pub(super) fn permission(&self) -> Permission {
        self.permission
    }

    pub(super) fn left_out(&self) -> Amount {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use log_record::archive::{Counts, Rows};

    use super::*;

    fn objects(count: usize, bytes: u64) -> Vec<CatalogRow> {
        let object = CatalogRow {
            key: String::new(),
            stored_at: String::new(),
            first_timestamp: String::new(),
            last_timestamp: String::new(),
            bytes,
            rows: Rows::Index,
            counts: Counts::default(),
        };
        vec![object; count]
    }

    #[test]
    fn what_is_read_adds_up_to_the_bounds() {
        let mut bounds = Bounds::new(Permission::Bounded);
        assert!(bounds.allow(&objects(200, 1)).unwrap());
        assert_eq!(bounds.count_free(&objects(101, 1)), 100);
        assert!(!bounds.allow(&objects(101, 1)).unwrap());
        assert_eq!(
            bounds.left_out(),
            Amount {
                objects: 101,
                bytes: 101
            }
        );
        assert!(bounds.allow(&objects(100, 1)).unwrap());

        let bounds = Bounds::new(Permission::Bounded);
        assert_eq!(bounds.count_free(&objects(9, 30_000_000)), 3);
        let mut nothing = Bounds::new(Permission::Nothing);
        assert!(!nothing.allow(&objects(1, 1)).unwrap());
        let mut unlimited = Bounds::new(Permission::Unlimited);
        assert!(unlimited.allow(&objects(9_999, 1)).unwrap());
    }
}
