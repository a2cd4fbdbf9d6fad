//! Finds the layers whose units can be removed: a layer with weights, an activation, and one layer with weights that reads
//! it.

use serde::Serialize;

use crate::error::Result;
use crate::network::block::{Block, Blocks, Columns};
use crate::network::graph::{Network, Op};

/// A layer whose units can be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The node whose outputs are the units.
    pub layer: String,
    /// The batch norm between it and its activation.
    pub norm: Option<String>,
    /// The node that reads the units.
    pub next: String,
    /// The batch norm that alone reads that node.
    pub next_norm: Option<String>,
    /// Which columns of the next layer read which unit.
    pub columns: Columns,
    /// Whether the activation is leaky: positively homogeneous and convex as ReLU is, so that units merge alike, but never
    /// constant, so that what counts on ReLU does not hold.
    pub leaky: bool,
    /// Whether a max pooling lies between: certificates use its Lipschitz constant.
    pub max_pool: bool,
}

impl Site {
    /// Number of units, `n`.
    #[must_use]
    pub fn units(&self) -> usize {
        self.columns.units
    }

    /// Columns of the next layer per unit, `q`.
    #[must_use]
    pub fn block(&self) -> usize {
        self.columns.per_unit
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
/// They are the [`Blocks`] of the network that one layer alone reads.
///
/// # Errors
///
/// [`Error::Internal`](crate::Error::Internal) for a graph whose shapes do not fit.
pub fn sites(network: &Network) -> Result<(Vec<Site>, Vec<Refused>)> {
    let Blocks { blocks, declined } = Blocks::of(network)?;
    let refused = declined.into_iter().map(|node| Refused { layer: node.node, reason: node.reason });
    let (mut found, mut refused) = (Vec::new(), refused.collect::<Vec<_>>());
    for block in blocks {
        match site(network, &block) {
            Ok(site) => found.push(site),
            Err(reason) => refused.push(Refused { layer: block.producer, reason }),
        }
    }
    Ok((found, refused))
}

fn site(network: &Network, block: &Block) -> std::result::Result<Site, String> {
    let [consumer] = block.consumers.as_slice() else {
        let names: Vec<String> = block.consumers.iter().map(|consumer| format!("`{}`", consumer.node)).collect();
        return Err(format!("several layers read its units: {}", names.join(", ")));
    };
    if block.units == 0 {
        return Err("it has no units".to_owned());
    }
    let mut readers = network.consumers(&consumer.node);
    let norm = readers.next().filter(|node| matches!(node.op, Op::BatchNorm { .. }));
    let alone = readers.next().is_none();
    Ok(Site {
        layer: block.producer.clone(),
        norm: block.norm.clone(),
        next: consumer.node.clone(),
        next_norm: norm.filter(|_| alone).map(|node| node.name.clone()),
        columns: consumer.columns,
        leaky: block.slope != 0.0,
        max_pool: block.max_pool,
    })
}
