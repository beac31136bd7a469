//! Distinct hashes a group, up to a cap: the state behind [`crate::contributors`].

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use datafusion::logical_expr::EmitTo;

/// Up to this cap, a group is a few slots in one flat vector, searched in order; above, a hash set a group.
const FLAT: usize = 32;

/// The distinct hashes that each group has seen, at most `cap` of them.
#[derive(Debug)]
pub(crate) struct Distinct {
    cap: usize,
    lengths: Vec<u32>,
    /// Groups that can still take a hash.
    open: usize,
    store: Store,
    /// Hashes kept in sets, for the size.
    kept: usize,
}

#[derive(Debug)]
enum Store {
    /// `cap` slots a group, one group after the other.
    Flat(Vec<u64>),
    Sets(Vec<HashSet<u64, BuildHasherDefault<AsIs>>>),
}

impl Distinct {
    /// No group yet.
    pub(crate) fn new(cap: u32) -> Self {
        let cap = usize::try_from(cap).unwrap_or(usize::MAX);
        let store = if cap <= FLAT { Store::Flat(Vec::new()) } else { Store::Sets(Vec::new()) };
        Self { cap, lengths: Vec::new(), open: 0, store, kept: 0 }
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.lengths.len()
    }

    /// Makes room for `groups` groups; there are never fewer than before.
    pub(crate) fn grow(&mut self, groups: usize) {
        let added = groups.saturating_sub(self.lengths.len());
        if added == 0 {
            return;
        }
        self.lengths.resize(groups, 0);
        match &mut self.store {
            Store::Flat(slots) => slots.resize(groups.saturating_mul(self.cap), 0),
            Store::Sets(sets) => sets.resize_with(groups, HashSet::default),
        }
        if self.cap > 0 {
            self.open += added;
        }
    }

    /// No group can take another hash.
    pub(crate) fn all_full(&self) -> bool {
        self.open == 0
    }

    /// Adds one hash a row.
    pub(crate) fn insert_all(&mut self, groups: &[usize], hashes: &[u64]) {
        for (&group, &hash) in groups.iter().zip(hashes) {
            self.insert(group, hash);
        }
    }

    /// Adds one hash to one group.
    #[inline]
    pub(crate) fn insert(&mut self, group: usize, hash: u64) {
        let Some(length) = self.lengths.get_mut(group) else { return };
        let filled = *length as usize;
        if filled >= self.cap {
            return;
        }
        let added = match &mut self.store {
            Store::Flat(slots) => {
                let start = group * self.cap;
                let Some(slots) = slots.get_mut(start..start + self.cap) else { return };
                let (seen, free) = slots.split_at_mut(filled);
                match free.first_mut() {
                    Some(slot) if !seen.contains(&hash) => {
                        *slot = hash;
                        true
                    }
                    _ => false,
                }
            }
            Store::Sets(sets) => {
                let added = sets.get_mut(group).is_some_and(|set| set.insert(hash));
                self.kept += usize::from(added);
                added
            }
        };
        if added {
            *length += 1;
            if filled + 1 == self.cap {
                self.open -= 1;
            }
        }
    }

    /// How many distinct hashes one group has.
    pub(crate) fn count(&self, group: usize) -> u32 {
        self.lengths.get(group).copied().unwrap_or(0)
    }

    /// How many distinct hashes each group has.
    pub(crate) fn counts(self) -> Vec<u32> {
        self.lengths
    }

    /// The hashes of one group, in no order.
    pub(crate) fn values(&self, group: usize) -> Vec<u64> {
        match &self.store {
            Store::Flat(slots) => {
                let start = group * self.cap;
                slots.get(start..start + self.count(group) as usize).unwrap_or_default().to_vec()
            }
            Store::Sets(sets) => sets.get(group).map(|set| set.iter().copied().collect()).unwrap_or_default(),
        }
    }

    /// Splits off the first groups; those that stay move to the front.
    pub(crate) fn take(&mut self, emit: EmitTo) -> Self {
        let lengths = emit.take_needed(&mut self.lengths);
        let store = match &mut self.store {
            Store::Flat(slots) => Store::Flat(match emit {
                EmitTo::All => std::mem::take(slots),
                EmitTo::First(groups) => EmitTo::First(groups * self.cap).take_needed(slots),
            }),
            Store::Sets(sets) => Store::Sets(emit.take_needed(sets)),
        };
        let sum = |lengths: &[u32]| lengths.iter().map(|&length| length as usize).sum::<usize>();
        self.open = self.lengths.iter().filter(|&&length| (length as usize) < self.cap).count();
        if let Store::Sets(_) = &self.store {
            self.kept = sum(&self.lengths);
        }
        Self { cap: self.cap, open: 0, kept: sum(&lengths), lengths, store }
    }

    /// Bytes on the heap, about.
    pub(crate) fn size(&self) -> usize {
        let store = match &self.store {
            Store::Flat(slots) => slots.capacity() * size_of::<u64>(),
            // A set keeps a control byte a slot and is at most seven eighths full, at least seven sixteenths.
            Store::Sets(sets) => sets.capacity() * 32 + self.kept * 20,
        };
        store + self.lengths.capacity() * size_of::<u32>()
    }
}

/// Hashes are hashed already.
#[derive(Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn write_usize(&mut self, group: usize) {
        // An odd number that is half the bits, so that neighbours differ in all of them.
        self.0 ^= (group as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
