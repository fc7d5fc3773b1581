//! What became of a key's value: absent, wrong, or right.
//!
//! Wrong is not absent: what is wrong has been told, and nothing that follows from it is told again.

/// What became of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field<T> {
    /// It isn't there.
    Absent,
    /// What is there has been told to be wrong.
    Wrong,
    /// It is there, and right.
    Given(T),
}

/// Why a value isn't accepted.
#[derive(Debug)]
pub(super) struct Wrong {
    /// In a sentence that goes on after the key.
    pub(super) what: String,
    /// What to write.
    pub(super) help: Option<String>,
}

impl<T> Field<T> {
    /// The value, or another. What is wrong makes way for the other too: nobody will use it.
    pub(super) fn unwrap_or(self, other: T) -> T {
        self.given().unwrap_or(other)
    }

    pub(super) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// What is there, or what is there in the other.
    pub(super) fn or(self, other: Self) -> Self {
        if matches!(self, Self::Absent) { other } else { self }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Given(value) => Field::Given(map(value)),
            Self::Absent => Field::Absent,
            Self::Wrong => Field::Wrong,
        }
    }
}

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self { what: error.to_string(), help: None }
    }
}

impl Wrong {
    /// Of a value that holds a secret.
    pub(super) const SECRET: &str = "this looks like a secret, which has no place in this file";
    const NO_SECRET: &str = "name where it is, with a key that ends in _credential, _env or _file, and make a new one: this one may \
         have been seen";

    pub(super) fn secret() -> Self {
        Self::new(Self::SECRET).help(Self::NO_SECRET)
    }

    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None }
    }

    /// Of a value with a variable in it.
    pub(super) fn variable() -> Self {
        Self::new("variables are not replaced in this file: `${NAME}` and the like stand for themselves")
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}
