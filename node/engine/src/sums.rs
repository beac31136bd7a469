//! What each entity adds to each of several sums, a group: the state behind [`crate::spread`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;

use datafusion::logical_expr::EmitTo;

use crate::distinct::AsIs;

/// Sums by group and entity, `width` of them each.
#[derive(Debug)]
pub(crate) struct Sums {
    width: usize,
    groups: usize,
    slots: HashMap<(usize, u64), usize, BuildHasherDefault<AsIs>>,
    /// Whose sums each slot holds, in the order in which they came.
    owners: Vec<(usize, u64)>,
    /// `width` sums a slot, one slot after the other.
    sums: Vec<f64>,
}

impl Sums {
    /// No group yet.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, groups: 0, slots: HashMap::default(), owners: Vec::new(), sums: Vec::new() }
    }

    /// How many sums there are of each entity.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// Makes room for `groups` groups; there are never fewer than before.
    pub(crate) fn grow(&mut self, groups: usize) {
        self.groups = self.groups.max(groups);
    }

    /// The sums of an entity in a group, to be added to.
    #[inline]
    pub(crate) fn of(&mut self, group: usize, entity: u64) -> &mut [f64] {
        let slot = match self.slots.entry((group, entity)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let slot = *free.insert(self.owners.len());
                self.owners.push((group, entity));
                self.sums.resize(self.sums.len() + self.width, 0.0);
                slot
            }
        };
        self.sums.get_mut(slot * self.width..(slot + 1) * self.width).unwrap_or_default()
    }

    /// Every entity of every group with its sums.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, u64, &[f64])> {
        // A width of none would be chunks of none; there is nothing to iterate over then.
        let sums = self.sums.chunks(self.width.max(1));
        self.owners.iter().zip(sums).map(|((group, entity), sums)| (*group, *entity, sums))
    }

    /// Splits off the first groups; those that stay move to the front.
    pub(crate) fn take(&mut self, emit: EmitTo) -> Self {
        let first = match emit {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups.min(self.groups),
        };
        let (mut taken, mut kept) = (Self::new(self.width), Self::new(self.width));
        taken.grow(first);
        kept.grow(self.groups - first);
        for (group, entity, sums) in self.all() {
            let (to, group) = match group.checked_sub(first) {
                None => (&mut taken, group),
                Some(later) => (&mut kept, later),
            };
            to.of(group, entity).copy_from_slice(sums);
        }
        *self = kept;
        taken
    }

    /// Bytes on the heap, about.
    pub(crate) fn size(&self) -> usize {
        let slot = size_of::<((usize, u64), usize)>() + 1;
        // A map is at most seven eighths full.
        self.slots.capacity() * slot * 8 / 7
            + self.owners.capacity() * size_of::<(usize, u64)>()
            + self.sums.capacity() * size_of::<f64>()
    }
}
