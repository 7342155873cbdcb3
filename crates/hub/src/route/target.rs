//! A set of endpoints of one configuration. Refuses to know their names.

/// An endpoint, by its place in the configuration: 0 is the built-in one, `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(pub(super) u8);

/// Endpoints, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Targets(u16);

impl Target {
    /// The built-in endpoint.
    pub const EVENTS: Self = Self(0);

    /// Its place among the endpoints beside the built-in one; `None` = it is that.
    pub const fn custom(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }

    /// The endpoint at a place among those beside the built-in one, below
    /// [`ENDPOINTS_MAX`](super::ENDPOINTS_MAX).
    pub const fn of_custom(place: usize) -> Self {
        Self(place as u8 + 1)
    }
}

impl Targets {
    /// None: the message is dropped.
    pub const NONE: Self = Self(0);

    /// Only this one.
    pub const fn only(target: Target) -> Self {
        Self(1 << target.0)
    }

    /// With one more.
    pub const fn with(self, target: Target) -> Self {
        Self(self.0 | Self::only(target).0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is among them.
    pub const fn has(self, target: Target) -> bool {
        self.0 & Self::only(target).0 != 0
    }

    /// All of them, in the order of the configuration.
    pub fn iter(self) -> impl Iterator<Item = Target> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| Target(left.trailing_zeros() as u8));
            left &= left.wrapping_sub(1);
            next
        })
    }
}
