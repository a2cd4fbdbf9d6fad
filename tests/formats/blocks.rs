//! Which layers can be pruned, through what, and why not.

use tropix::network::{Bend, Block, Blocks, Columns, Layout, Network, Op};

use crate::graphs::{conv, grouped, linear, network, norm, pool, tensor};

/// Each block as `producer+norm>activation[passes]: consumer*q(layout), ...`.
fn sketch(network: &Network) -> Vec<String> {
    let consumers = |block: &Block| {
        let each = block.consumers.iter().map(|consumer| {
            let layout = match consumer.columns.layout {
                Layout::Blocks => "blocks",
                Layout::Strided => "strided",
            };
            format!("{}*{} {layout}", consumer.node, consumer.columns.per_unit)
        });
        each.collect::<Vec<_>>().join(", ")
    };
    let line = |block: &Block| {
        let norm = block.norm.iter().map(|norm| format!("+{norm}")).collect::<String>();
        let (name, passes) = (&block.producer, block.passes.join(" "));
        format!("{name}{norm}>{}[{passes}]: {}", block.activation, consumers(block))
    };
    Blocks::of(network).unwrap().blocks.iter().map(line).collect()
}

fn declined(network: &Network) -> Vec<String> {
    let declined = Blocks::of(network).unwrap().declined;
    declined.iter().map(|node| format!("{}: {}", node.node, node.reason)).collect()
}

#[test]
fn blocks_reach_through_norms_pools_and_both_flatten_layouts() {
    for (transposed, layout) in [(false, "blocks"), (true, "strided")] {
        let mut nodes = vec![
            ("c1", conv("c1", [4, 3, 3, 1])),
            ("n1", norm("n1", 4)),
            ("r1", Op::Relu),
            ("p1", pool()),
            ("c2", conv("c2", [6, 4, 3, 1])),
            ("r2", Op::Relu),
            ("d2", Op::Identity),
        ];
        if transposed {
            nodes.push(("t", Op::Transpose { order: vec![1, 2, 0] }));
        }
        nodes.extend([
            ("f", Op::Flatten),
            ("l1", linear("l1", [5, 54])),
            ("r3", Op::LeakyRelu { slope: 0.5 }),
            ("l2", linear("l2", [2, 5])),
            ("s", Op::Softmax { log: false, axes: 1..2 }),
        ]);
        let network = network(&[3, 6, 6], nodes);
        let through = if transposed { "d2 t f" } else { "d2 f" };
        let expected = [
            "c1+n1>r1[p1]: c2*9 blocks".to_owned(),
            format!("c2>r2[{through}]: l1*9 {layout}"),
            "l1>r3[]: l2*1 blocks".to_owned(),
        ];
        assert_eq!(sketch(&network), expected);
        let blocks = Blocks::of(&network).unwrap();
        assert_eq!(blocks.declined, []);
        assert_eq!(blocks.blocks.iter().map(|block| block.max_pool).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(blocks.by_producer("l1").map(|block| block.bend), Some(Bend::Leaky(0.5)));
    }
}

#[test]
fn inner_widths_of_residual_blocks_are_prunable_and_trunks_are_not() {
    let network = network(
        &[3, 4, 4],
        vec![
            ("stem", conv("stem", [4, 3, 3, 1])),
            ("r0", Op::Relu),
            ("a", conv("a", [6, 4, 3, 1])),
            ("an", norm("an", 6)),
            ("ar", Op::Relu),
            ("b", conv("b", [4, 6, 3, 1])),
            ("bn", norm("bn", 4)),
            ("add1 < bn, r0", Op::Add),
            ("r1", Op::Relu),
            // A bottleneck, with two inner widths.
            ("c", conv("c", [2, 4, 1, 0])),
            ("cr", Op::Relu),
            ("d", conv("d", [2, 2, 3, 1])),
            ("dr", Op::Relu),
            ("e", conv("e", [4, 2, 1, 0])),
            ("add2 < e, r1", Op::Add),
            ("g", Op::GlobalAveragePool),
            ("f", Op::Flatten),
            ("fc", linear("fc", [3, 4])),
        ],
    );
    assert_eq!(sketch(&network), ["a+an>ar[]: b*9 blocks", "c>cr[]: d*9 blocks", "d>dr[]: e*1 blocks"]);
    let trunk = "trunk: `add1` adds it to another path";
    let declined = declined(&network);
    assert_eq!(declined.len(), 3, "{declined:?}");
    assert!(declined[0].starts_with(&format!("stem: {trunk}, whose channels are tied")), "{declined:?}");
    assert!(declined[1].starts_with(&format!("b: {trunk} before any ReLU")), "{declined:?}");
    assert!(declined[2].starts_with("e: trunk: `add2`"), "{declined:?}");
}

#[test]
fn coupled_trunks_are_blocks_with_several_producers_or_declined_with_the_reason() {
    let trunk = |last: Vec<(&'static str, Op)>| {
        let mut nodes = vec![
            ("stem", conv("stem", [4, 3, 3, 1])),
            ("sn", norm("sn", 4)),
            ("r0", Op::Relu),
            ("p", pool()),
            ("a", conv("a", [6, 4, 3, 1])),
            ("ar", Op::Relu),
            ("b", conv("b", [4, 6, 3, 1])),
            ("add < b, p", Op::Add),
            ("r1", Op::Relu),
        ];
        nodes.extend(last);
        network(&[3, 4, 4], nodes)
    };
    let coupled = |network: &Network| {
        let Blocks { blocks, declined } = Blocks::coupled(network).unwrap();
        let line = |block: &Block| {
            let tied: Vec<_> = block.tied.iter().map(|tied| format!("{}{:?}", tied.layer, tied.norm)).collect();
            let readers: Vec<_> = block.consumers.iter().map(|one| one.node.as_str()).collect();
            format!("{}{:?}+{}: {}", block.producer, block.norm, tied.join("+"), readers.join(" "))
        };
        let blocks = blocks.iter().filter(|block| !block.tied.is_empty()).map(line).collect::<Vec<_>>();
        (blocks, declined.into_iter().map(|node| format!("{}: {}", node.node, node.reason)).collect::<Vec<_>>())
    };
    let head = || vec![("f", Op::Flatten), ("fc", linear("fc", [3, 16]))];
    let (blocks, declined) = coupled(&trunk(head()));
    assert_eq!(blocks, ["stemSome(\"sn\")+bNone: a fc"]);
    assert_eq!(declined, Vec::<String>::new());
    let cases: Vec<(Vec<(&str, Op)>, &str)> = vec![
        (
            vec![
                ("c", conv("c", [4, 4, 1, 0])),
                ("add2 < c, r1", Op::Add),
                ("f", Op::Flatten),
                ("fc", linear("fc", [3, 16])),
            ],
            "trunk: `c` both reads it and adds to it",
        ),
        (
            vec![("n", norm("n", 4)), ("f", Op::Flatten), ("fc", linear("fc", [3, 16]))],
            "trunk: `n`, a batch norm behind the activation, reads it",
        ),
        (
            vec![("cat < r1, ar", Op::Concat { axis: 0 }), ("f", Op::Flatten), ("fc", linear("fc", [3, 40]))],
            "trunk: `cat` joins it with another path",
        ),
        (
            vec![("g", grouped("g", [4, 1, 1, 0], 4)), ("f", Op::Flatten), ("fc", linear("fc", [3, 16]))],
            "trunk: read by `g`, a convolution of 4 groups",
        ),
        (vec![("f", Op::Flatten)], "trunk: its units are outputs of the network"),
    ];
    for (last, reason) in cases {
        let (blocks, declined) = coupled(&trunk(last));
        assert_eq!(blocks, Vec::<String>::new());
        let of = |node: &str| declined.iter().any(|line| line.starts_with(&format!("{node}: {reason}")));
        assert!(of("stem") && of("b"), "{reason}: {declined:?}");
    }
    // A sum with the input of the network ties channels to it.
    let tied = network(
        &[3, 4, 4],
        vec![
            ("a", conv("a", [3, 3, 3, 1])),
            ("add < a, input", Op::Add),
            ("r", Op::Relu),
            ("f", Op::Flatten),
            ("fc", linear("fc", [3, 48])),
        ],
    );
    assert_eq!(coupled(&tied).1, ["a: trunk: it is tied to the input of the network"]);
}

#[test]
fn units_that_two_layers_read_are_one_block() {
    let network = network(
        &[1, 3, 3],
        vec![
            ("c", conv("c", [2, 1, 2, 0])),
            ("p", pool()),
            ("r", Op::Relu),
            ("x", conv("x", [3, 2, 1, 0])),
            ("y < r", conv("y", [3, 2, 1, 0])),
            ("sum < x, y", Op::Add),
            ("out", linear("out", [2, 3])),
        ],
    );
    assert_eq!(sketch(&network), ["c>r[p]: x*1 blocks, y*1 blocks"]);
}

#[test]
fn what_cannot_be_pruned_is_declined_with_its_reason() {
    let lrn = || Op::Carried { op: "lrn".to_owned(), tensors: Vec::new(), attributes: toml::Table::new() };
    let carried =
        Op::Carried { op: "lstm".to_owned(), tensors: vec![tensor("w", &[2])], attributes: toml::Table::new() };
    let tail = |inputs: usize| [("f", Op::Flatten), ("fc", linear("fc", [2, inputs]))];
    let c1 = || ("c1", conv("c1", [2, 1, 1, 0]));
    let relu = || ("r1", Op::Relu);
    let branch = || ("c2 < r1", conv("c2", [2, 2, 1, 0]));
    let cases: Vec<(Vec<(&str, Op)>, &str)> = vec![
        (vec![c1(), ("a", lrn())], "c1: `a` (lrn) follows instead of ReLU"),
        (vec![c1(), ("c2", conv("c2", [2, 2, 1, 0])), relu()], "c1: `c2` reads it without ReLU between"),
        (
            vec![c1(), ("a", Op::GlobalAveragePool), ("r", Op::Relu), ("u", lrn())],
            "c1: `a` averages it before any ReLU",
        ),
        (
            vec![c1(), relu(), ("g", grouped("g", [2, 1, 1, 0], 2)), ("u", lrn())],
            "c1: read by `g`, a convolution of 2 groups",
        ),
        (vec![c1(), relu(), ("g", grouped("g", [2, 1, 1, 0], 2)), ("u", lrn())], "g: depthwise"),
        (
            vec![("c0", conv("c0", [4, 1, 1, 0])), ("g", grouped("g", [2, 2, 1, 0], 2)), ("r", Op::Relu)],
            "g: grouped convolution",
        ),
        (
            vec![c1(), relu(), branch(), ("cat < c2, r1", Op::Concat { axis: 0 })],
            "c1: `cat` joins it with another path",
        ),
        (vec![c1(), relu(), ("n", norm("n", 2))], "c1: `n`, a batch norm behind the activation, reads it"),
        (
            vec![c1(), relu(), ("t", Op::Transpose { order: vec![1, 0, 2] })],
            "c1: read by `t` (transpose), which is not affine",
        ),
        (
            vec![c1(), relu(), branch(), ("c3 < c1", conv("c3", [2, 2, 1, 0])), ("s < c2, c3", Op::Add)],
            "c1: its output is read by `r1` and by `c3` before any ReLU",
        ),
        (vec![("l", carried)], "l: carried verbatim: tropix does not compute it"),
    ];
    for (mut nodes, part) in cases {
        let inputs = nodes.last().map_or(0, |(text, _)| if text.starts_with("cat") { 4 } else { 2 });
        nodes.extend(tail(inputs));
        let found = declined(&network(&[1, 1, 1], nodes));
        assert!(found.iter().any(|line| line.starts_with(part)), "no {part:?} in {found:?}");
    }
}

#[test]
fn columns_of_units_follow_the_layout() {
    let blocks = Columns { units: 3, per_unit: 2, layout: Layout::Blocks };
    let strided = Columns { layout: Layout::Strided, ..blocks };
    assert_eq!((blocks.of(1).collect::<Vec<_>>(), strided.of(1).collect::<Vec<_>>()), (vec![2, 3], vec![1, 4]));
    assert_eq!(blocks.keeping(&[0, 2]), [0, 1, 4, 5]);
    assert_eq!(strided.keeping(&[0, 2]), [0, 2, 3, 5]);
}

#[test]
fn a_batch_norm_is_folded_into_the_rows_of_its_block() {
    let net = network(
        &[2, 1, 1],
        vec![
            ("c", conv("c", [3, 2, 1, 0])),
            ("n", norm("n", 3)),
            ("r", Op::Relu),
            ("f", Op::Flatten),
            ("l", linear("l", [2, 3])),
        ],
    );
    let blocks = Blocks::of(&net).unwrap();
    let folded = blocks.blocks[0].folded(&net).unwrap();
    let (Op::Conv { weight, bias: Some(bias), .. }, Op::BatchNorm { scale, bias: shift, mean, .. }) =
        (&net.nodes[0].op, &net.nodes[1].op)
    else {
        panic!("{net:?}");
    };
    assert_eq!(folded.fan_in, 2);
    for u in 0..3 {
        // The square root of var + epsilon is 2.
        let factor = scale.to_vec()[u] / 2.0;
        for i in 0..2 {
            assert!((folded.weight[u * 2 + i] - weight.to_vec()[u * 2 + i] * factor).abs() < 1e-6);
        }
        let expected = (bias.to_vec()[u] - mean.to_vec()[u]) * factor + shift.to_vec()[u];
        assert!((folded.bias[u] - expected).abs() < 1e-6);
    }
}
