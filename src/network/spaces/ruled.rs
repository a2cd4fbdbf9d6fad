//! What rules of operators give, and why they give nothing.

/// Why a rule gives nothing.
#[derive(Debug, Clone)]
pub(crate) enum Misfit {
    /// The operator, or what it is asked for, is not understood.
    Unknown(String),
    /// What it is given does not fit.
    Wrong(String),
}

impl Misfit {
    pub(crate) fn text(&self) -> &str {
        let (Self::Unknown(text) | Self::Wrong(text)) = self;
        text
    }
}

/// What a rule gives: a value for each output, or why there is none.
pub(super) type Ruled<T> = Result<T, Misfit>;

/// An operator that is not understood.
pub(super) fn unknown<T>(what: &str) -> Ruled<T> {
    Err(Misfit::Unknown(what.to_owned()))
}

/// An operator whose inputs or attributes do not fit.
pub(super) fn wrong<T>(what: impl Into<String>) -> Ruled<T> {
    Err(Misfit::Wrong(what.into()))
}

/// Names what is not understood, or does not fit, where there is nothing.
pub(super) trait Or<T> {
    fn or_unknown(self, what: &str) -> Ruled<T>;
    fn or_wrong(self, what: impl FnOnce() -> String) -> Ruled<T>;
}

impl<T> Or<T> for Option<T> {
    fn or_unknown(self, what: &str) -> Ruled<T> {
        self.ok_or_else(|| Misfit::Unknown(what.to_owned()))
    }

    fn or_wrong(self, what: impl FnOnce() -> String) -> Ruled<T> {
        self.ok_or_else(|| Misfit::Wrong(what()))
    }
}
