//! Numbered places with generations: a stale number never reaches the next occupant.

/// Values by place. A place is used again at once; whoever kept its old number holds an old
/// generation and finds nothing.
pub(crate) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Puts a value in; gives its place and generation.
    pub fn insert(&mut self, value: T) -> (u32, u32) {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.places[slot as usize];
            place.value = Some(value);
            return (slot, place.generation);
        }
        let slot = u32::try_from(self.places.len()).expect("fewer than 2^32 places fit in memory");
        self.places.push(Place { generation: 0, value: Some(value) });
        (slot, 0)
    }

    /// So many values come at once.
    pub fn reserve(&mut self, values: usize) {
        self.places.reserve(values.saturating_sub(self.free.len()));
    }

    /// Takes the value out; its number is stale from now on.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let place = self.places.get_mut(slot as usize)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        Some(value)
    }

    /// The value of that generation.
    #[inline]
    pub fn get(&self, slot: u32, generation: u32) -> Option<&T> {
        let place = self.places.get(slot as usize)?;
        if place.generation == generation { place.value.as_ref() } else { None }
    }

    /// The value of that generation.
    #[inline]
    pub fn get_mut(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        let place = self.places.get_mut(slot as usize)?;
        if place.generation == generation { place.value.as_mut() } else { None }
    }

    /// The present occupant, whatever its generation.
    #[inline]
    pub fn at(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.value.as_ref()
    }

    /// The present occupant, whatever its generation.
    #[inline]
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize)?.value.as_mut()
    }

    /// The generation of the present occupant.
    #[inline]
    pub fn generation(&self, slot: u32) -> u32 {
        self.places.get(slot as usize).map_or(0, |p| p.generation)
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Place and value of each occupant.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.places
            .iter()
            .enumerate()
            // `insert` keeps the number of places below 2^32.
            .filter_map(|(slot, place)| Some((slot as u32, place.value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_number_finds_nothing_after_its_place_was_used_again() {
        let mut s = Slots::new();
        let (slot, old) = s.insert('a');
        assert_eq!(s.remove(slot), Some('a'));
        let (again, new) = s.insert('b');
        assert_eq!(slot, again);
        assert_eq!(s.get(slot, old), None);
        assert_eq!(s.get(slot, new), Some(&'b'));
        assert_eq!(s.len(), 1);
    }
}
