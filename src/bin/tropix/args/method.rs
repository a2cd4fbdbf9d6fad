//! Methods by name, and the settings of the row protocol.

use std::sync::LazyLock;

use clap::{Args, ValueEnum};
use tropix::backend::HalfStep;
use tropix::prune::spaces::Importance;
use tropix::prune::structured::UnitMethod;
use tropix::prune::{KeptWeights, Method, Objective};

use super::heading;

/// A method by its name in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodArg {
    /// Removes single weights, or rows and elements of blocks.
    Elements(Method),
    /// Removes whole neurons.
    Units(UnitMethod),
    /// Removes units of any graph by the weights around them.
    Spaces(Importance),
}

static METHODS: LazyLock<Vec<MethodArg>> = LazyLock::new(|| {
    let elements = Method::ALL.into_iter().map(MethodArg::Elements);
    let units = UnitMethod::ALL.into_iter().map(MethodArg::Units);
    let spaces = Importance::ALL.into_iter().filter(|one| UnitMethod::ALL.iter().all(|unit| unit.name() != one.name()));
    elements.chain(units).chain(spaces.map(MethodArg::Spaces)).collect()
});

impl MethodArg {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Elements(method) => method.name(),
            Self::Units(method) => method.name(),
            Self::Spaces(importance) => importance.name(),
        }
    }
}

impl MethodArg {
    /// The importance of units in any graph that is meant.
    pub(crate) fn importance(self) -> Option<Importance> {
        Importance::ALL.into_iter().find(|one| one.name() == self.name())
    }
}

impl ValueEnum for MethodArg {
    fn value_variants<'a>() -> &'a [Self] {
        &METHODS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = heading::PROTOCOL)]
pub(crate) struct ProtocolArgs {
    /// Objective of `tropical`
    #[arg(long, value_enum, default_value_t = ObjectiveArg::Decoupled, hide_short_help = true)]
    pub(crate) objective: ObjectiveArg,
    /// First half-step of `tropical`
    #[arg(long, value_enum, default_value_t = OrderArg::RowsFirst, hide_short_help = true)]
    pub(crate) order: OrderArg,
    /// Leave the bias out of the generators of `tropical`
    #[arg(long, hide_short_help = true)]
    pub(crate) no_bias_in_generator: bool,
    /// What `tropical` writes for the weights that stay
    #[arg(long, value_enum, default_value_t = KeptArg::Original, hide_short_help = true)]
    pub(crate) kept_weights: KeptArg,
    /// Half-steps of the alternation whose objective is reported
    #[arg(
        long,
        value_name = "N",
        default_value_t = 6,
        value_parser = clap::value_parser!(u16).range(0..=1000),
        hide_short_help = true
    )]
    pub(crate) half_steps: u16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ObjectiveArg {
    Decoupled,
    Coupled,
}

impl From<ObjectiveArg> for Objective {
    fn from(value: ObjectiveArg) -> Self {
        match value {
            ObjectiveArg::Decoupled => Self::Decoupled,
            ObjectiveArg::Coupled => Self::Coupled,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OrderArg {
    RowsFirst,
    ElementsFirst,
}

impl From<OrderArg> for HalfStep {
    fn from(value: OrderArg) -> Self {
        match value {
            OrderArg::RowsFirst => Self::Rows,
            OrderArg::ElementsFirst => Self::Elements,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeptArg {
    Original,
    Shrunk,
}

impl From<KeptArg> for KeptWeights {
    fn from(value: KeptArg) -> Self {
        match value {
            KeptArg::Original => Self::Original,
            KeptArg::Shrunk => Self::Shrunk,
        }
    }
}
