//! Decisions taken from the fuzzer's bytes, one after the other. Refuses to know what is decided:
//! when the bytes run out every decision is the first one, so each input means something.

/// What is left of the input.
pub struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// All decisions of one input.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Whether there is nothing more to decide by.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        byte
    }

    /// A number below `bound`, which is 1 to 256.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// True in one of `n` cases, `n` at least 2; false at the end of the input.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// So many bytes, or fewer at the end.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_ends_goes_on_with_first_choices() {
        let mut c = Choices::new(&[7, 1, 2]);
        assert_eq!((c.below(4), c.take(9)), (3, &[1, 2][..]));
        assert!(c.is_empty() && c.rest().is_empty());
        assert_eq!((c.byte(), c.pick(&['a', 'b']), c.one_in(2)), (0, 'a', false));
    }
}
