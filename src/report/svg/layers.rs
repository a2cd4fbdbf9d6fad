//! A layered layout of a directed graph: every edge goes down, long ones pass between the boxes of the layers on their way
//! (Sugiyama, Tagawa and Toda, 1981: layers by longest paths, an order within them by means of neighbours).

/// Where everything is. Coordinates are those of middles.
pub(super) struct Layout {
    /// For each node its place.
    pub(super) nodes: Vec<[f64; 2]>,
    /// For each edge the places it passes, from its first node to its last.
    pub(super) edges: Vec<Vec<[f64; 2]>>,
    /// Width and number of layers.
    pub(super) width: f64,
    pub(super) layers: usize,
}

/// Sweeps over all layers, for their order and then for places: more change pictures little.
const SWEEPS: usize = 8;

/// What lies in a layer: nodes first, then places where long edges pass.
struct Graph {
    layer: Vec<usize>,
    half: Vec<f64>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
}

impl Graph {
    fn add(&mut self, layer: usize, half: f64) -> usize {
        self.layer.push(layer);
        self.half.push(half);
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        self.layer.len() - 1
    }

    fn join(&mut self, from: usize, to: usize) {
        self.above[to].push(from);
        self.below[from].push(to);
    }
}

/// Lays out nodes of some widths. `edges` go from a node to a later one; layers are `step` apart, boxes at least `gap`.
pub(super) fn layered(widths: &[f64], edges: &[(usize, usize)], step: f64, gap: f64) -> Layout {
    let mut layer = vec![0; widths.len()];
    for node in 0..widths.len() {
        let own = edges.iter().filter(|(_, to)| *to == node).map(|(from, _)| layer[*from] + 1).max();
        layer[node] = own.unwrap_or(0);
    }
    let half = widths.iter().map(|width| 0.5 * width).collect();
    let none = vec![Vec::new(); widths.len()];
    let mut graph = Graph { layer, half, above: none.clone(), below: none };
    let mut ways = Vec::with_capacity(edges.len());
    for (from, to) in edges {
        let mut way = vec![*from];
        for layer in graph.layer[*from] + 1..graph.layer[*to] {
            let pass = graph.add(layer, 0.0);
            graph.join(way[way.len() - 1], pass);
            way.push(pass);
        }
        graph.join(way[way.len() - 1], *to);
        way.push(*to);
        ways.push(way);
    }
    let count = graph.layer.iter().max().map_or(0, |last| last + 1);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, layer) in graph.layer.iter().enumerate() {
        layers[*layer].push(at);
    }
    order(&graph, &mut layers);
    let x = places(&graph, &layers, gap);
    let left = x.iter().zip(&graph.half).map(|(x, half)| x - half).fold(f64::INFINITY, f64::min);
    let right = x.iter().zip(&graph.half).map(|(x, half)| x + half).fold(f64::NEG_INFINITY, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "numbers of layers")]
    let at = |node: &usize| [x[*node] - left, (graph.layer[*node] as f64 + 0.5) * step];
    Layout {
        nodes: (0..widths.len()).map(|node| at(&node)).collect(),
        edges: ways.iter().map(|way| way.iter().map(at).collect()).collect(),
        width: (right - left).max(0.0),
        layers: count,
    }
}

/// The layers from top to bottom, then from bottom to top, with the neighbours that have been passed.
fn sweep(graph: &Graph, layers: usize, number: usize) -> (Vec<usize>, &[Vec<usize>]) {
    if number.is_multiple_of(2) {
        ((0..layers).collect(), &graph.above)
    } else {
        ((0..layers).rev().collect(), &graph.below)
    }
}

#[expect(clippy::cast_precision_loss, reason = "places in a layer")]
fn order(graph: &Graph, layers: &mut [Vec<usize>]) {
    let mut place = vec![0.0; graph.layer.len()];
    let number = |layer: &[usize], place: &mut [f64]| {
        layer.iter().enumerate().for_each(|(at, node)| place[*node] = at as f64);
    };
    layers.iter().for_each(|layer| number(layer, &mut place));
    for round in 0..SWEEPS {
        let (way, neighbours) = sweep(graph, layers.len(), round);
        for at in way {
            let wanted = |node: usize| mean(&neighbours[node], &place).unwrap_or(place[node]);
            let mut sorted: Vec<(f64, usize)> = layers[at].iter().map(|node| (wanted(*node), *node)).collect();
            // A stable order: what is equal stays as it was.
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[at] = sorted.into_iter().map(|(_, node)| node).collect();
            number(&layers[at], &mut place);
        }
    }
}

/// Places along a layer: each as near to the mean of its neighbours as the boxes beside it allow.
fn places(graph: &Graph, layers: &[Vec<usize>], gap: f64) -> Vec<f64> {
    let mut x = vec![0.0; graph.layer.len()];
    for layer in layers {
        let mut at = 0.0;
        for node in layer {
            x[*node] = at + graph.half[*node];
            at += 2.0 * graph.half[*node] + gap;
        }
        layer.iter().for_each(|node| x[*node] -= 0.5 * (at - gap));
    }
    for round in 0..2 * SWEEPS {
        let (way, neighbours) = sweep(graph, layers.len(), round);
        for layer in way.into_iter().map(|at| &layers[at]) {
            let wanted: Vec<f64> = layer.iter().map(|node| mean(&neighbours[*node], &x).unwrap_or(x[*node])).collect();
            let apart = |a: usize, b: usize| graph.half[layer[a]] + graph.half[layer[b]] + gap;
            let (mut forth, mut back) = (wanted.clone(), wanted);
            for at in 1..layer.len() {
                forth[at] = forth[at].max(forth[at - 1] + apart(at - 1, at));
            }
            for at in (1..layer.len()).rev() {
                back[at - 1] = back[at - 1].min(back[at] - apart(at - 1, at));
            }
            // Both keep the boxes apart, and so does the middle of them.
            for (node, (forth, back)) in layer.iter().zip(forth.iter().zip(&back)) {
                x[*node] = 0.5 * (forth + back);
            }
        }
    }
    x
}

fn mean(nodes: &[usize], of: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a number of neighbours")]
    let count = nodes.len() as f64;
    (!nodes.is_empty()).then(|| nodes.iter().map(|node| of[*node]).sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortcut_passes_beside_the_boxes_of_its_way() {
        // 0 - 1 - 2 - 3 and a shortcut from 0 to 3.
        let layout = layered(&[40.0; 4], &[(0, 1), (1, 2), (2, 3), (0, 3)], 50.0, 10.0);
        assert_eq!(layout.nodes.iter().map(|node| node[1]).collect::<Vec<_>>(), [25.0, 75.0, 125.0, 175.0]);
        assert_eq!(layout.layers, 4);
        let way = &layout.edges[3];
        assert_eq!(way.len(), 4);
        for (pass, node) in way[1..3].iter().zip(&layout.nodes[1..3]) {
            assert!((pass[0] - node[0]).abs() >= 30.0 - 1e-9 && pass[1] == node[1], "{pass:?} {node:?}");
        }
        assert!(layout.nodes.iter().all(|node| node[0] >= 20.0 - 1e-9 && node[0] <= layout.width - 20.0 + 1e-9));
    }

    #[test]
    fn branches_that_cross_are_put_in_order() {
        // 0 gives 1 and 2; 1 gives 4, 2 gives 3: without an order the lines to 3 and 4 cross.
        let layout = layered(&[40.0; 6], &[(0, 1), (0, 2), (2, 3), (1, 4), (3, 5), (4, 5)], 50.0, 10.0);
        let x = |node: usize| layout.nodes[node][0];
        assert_eq!(x(1) < x(2), x(4) < x(3));
        assert!((x(1) - x(2)).abs() >= 50.0 - 1e-9);
    }
}
