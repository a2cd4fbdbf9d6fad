//! Finds the layers whose units can be removed: layers with weights, an activation, and the layers with weights that read
//! it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Result;
use crate::network::block::{Bend, Block, Blocks, Columns, Tied};
use crate::network::graph::{Network, Op, Window};

/// A layer that reads the units of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// The node.
    pub node: String,
    /// The batch norm that alone reads that node.
    pub norm: Option<String>,
    /// Which of its columns read which unit.
    pub columns: Columns,
    /// Readers of one group read the same values through the same windows.
    pub group: usize,
}

/// A layer whose units can be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The node whose outputs are the units.
    pub layer: String,
    /// The batch norm between it and its activation.
    pub norm: Option<String>,
    /// Other layers that give the same units: those that write to the same residual trunk.
    pub tied: Vec<Tied>,
    /// Number of units.
    pub units: usize,
    /// The layers that read the units, in the order of the network; those of a group side by side.
    pub readers: Vec<Reader>,
    /// Whether the activation is not ReLU, so that what counts on units that are off does not hold. A leaky one is positively
    /// homogeneous and convex as ReLU is, so that units merge alike.
    pub leaky: bool,
    /// Whether it is no rectifier at all: units can be chosen and what reads them refitted, but not merged.
    pub curved: bool,
    /// Whether a max pooling lies between: certificates use its Lipschitz constant.
    pub max_pool: bool,
}

/// Readers that share columns, see [`Site::groups`].
#[derive(Debug)]
pub(crate) struct Group<'s> {
    pub(crate) readers: Vec<&'s Reader>,
    /// Columns per unit.
    pub(crate) block: usize,
    /// The first of them among the columns of a unit.
    pub(crate) offset: usize,
}

impl Site {
    /// Number of units, `n`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.units
    }

    /// Columns per unit of what reads it, `q`: the sum over the groups.
    #[must_use]
    pub fn block(&self) -> usize {
        self.groups().iter().map(|group| group.block).sum()
    }

    /// The readers in groups, in order.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut number = None;
        for reader in &self.readers {
            match groups.last_mut().filter(|_| number == Some(reader.group)) {
                Some(group) => group.readers.push(reader),
                None => {
                    let offset = groups.last().map_or(0, |group| group.offset + group.block);
                    groups.push(Group { readers: vec![reader], block: reader.columns.per_unit, offset });
                }
            }
            number = Some(reader.group);
        }
        groups
    }

    /// The layers that give the units, each with its batch norm.
    pub(crate) fn writers(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let tied = self.tied.iter().map(|tied| (tied.layer.as_str(), tied.norm.as_deref()));
        std::iter::once((self.layer.as_str(), self.norm.as_deref())).chain(tied)
    }

    /// Whether the units are those of one layer and nothing but `layer` reads them.
    #[must_use]
    pub fn feeds(&self, layer: &str) -> bool {
        self.tied.is_empty() && matches!(self.readers.as_slice(), [reader] if reader.node == layer)
    }

    /// The names of the layers that read the units.
    #[must_use]
    pub fn next(&self) -> String {
        let names: Vec<&str> = self.readers.iter().map(|reader| reader.node.as_str()).collect();
        names.join(", ")
    }

    /// The same with other numbers of units.
    pub(crate) fn with_units(&self, units: usize) -> Self {
        let readers = self.readers.iter().map(|reader| {
            let columns = Columns { units, ..reader.columns };
            Reader { columns, ..reader.clone() }
        });
        Self { units, readers: readers.collect(), ..self.clone() }
    }

    /// The same for some of its readers only.
    pub(crate) fn read_by(&self, among: impl Fn(&str) -> bool) -> Self {
        let readers = self.readers.iter().filter(|reader| among(&reader.node));
        Self { readers: readers.cloned().collect(), ..self.clone() }
    }
}

/// A layer with weights whose units cannot be removed.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// The node.
    pub layer: String,
    /// Why.
    pub reason: String,
}

/// The layers of a network whose units can be removed, from input to output, and those whose units cannot.
///
/// They are the [`Blocks`] of the network.
///
/// # Errors
///
/// [`Error::Internal`](crate::Error::Internal) for a graph whose shapes do not fit.
pub fn sites(network: &Network) -> Result<(Vec<Site>, Vec<Refused>)> {
    from(network, Blocks::of(network)?)
}

/// The same with each residual trunk as one site, see [`Blocks::coupled`].
///
/// # Errors
///
/// As [`sites`].
pub fn coupled_sites(network: &Network) -> Result<(Vec<Site>, Vec<Refused>)> {
    from(network, Blocks::coupled(network)?)
}

fn from(network: &Network, Blocks { blocks, declined }: Blocks) -> Result<(Vec<Site>, Vec<Refused>)> {
    let refused = declined.into_iter().map(|node| Refused { layer: node.node, reason: node.reason });
    let (mut found, mut refused) = (Vec::new(), refused.collect::<Vec<_>>());
    for block in blocks {
        if block.units == 0 {
            refused.push(Refused { layer: block.producer, reason: "it has no units".to_owned() });
        } else {
            found.push(site(network, block)?);
        }
    }
    Ok((found, refused))
}

/// The batch norm that alone reads a node.
fn norm_behind(network: &Network, node: &str) -> Option<String> {
    let mut behind = network.consumers(node);
    let norm = behind.next().filter(|node| matches!(node.op, Op::BatchNorm { .. }))?;
    behind.next().is_none().then(|| norm.name.clone())
}

/// What tells groups of readers apart: the value that they read, and the window or the columns per unit.
type Key<'n> = (&'n str, Option<Window>, usize);

fn site(network: &Network, block: Block) -> Result<Site> {
    let mut readers: BTreeMap<usize, Vec<Reader>> = BTreeMap::new();
    let mut keys: Vec<Key<'_>> = Vec::new();
    for consumer in block.consumers {
        let node = network.node(&consumer.node)?;
        let window = if let Op::Conv { window, .. } = node.op { Some(window) } else { None };
        let key = (node.inputs.first().map_or("", String::as_str), window, consumer.columns.per_unit);
        let group = keys.iter().position(|known| *known == key).unwrap_or(keys.len());
        if group == keys.len() {
            keys.push(key);
        }
        let norm = norm_behind(network, &consumer.node);
        let reader = Reader { node: consumer.node, norm, columns: consumer.columns, group };
        readers.entry(group).or_default().push(reader);
    }
    Ok(Site {
        layer: block.producer,
        norm: block.norm,
        tied: block.tied,
        units: block.units,
        readers: readers.into_values().flatten().collect(),
        leaky: block.bend != Bend::Relu,
        curved: matches!(block.bend, Bend::Other(_)),
        max_pool: block.max_pool,
    })
}
