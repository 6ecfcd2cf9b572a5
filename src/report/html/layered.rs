//! Computes the positions of boxes and lines in a picture. Tables are in layers, from children (left) to parents (right),
//! and lines bend around boxes. Equal input gives equal output. Names, colors and SVG belong to `picture`.

const GAP: f64 = 18.0;
const BETWEEN_LAYERS: f64 = 110.0;
/// The height that a line needs where it passes a layer.
const LANE: f64 = 8.0;
const ROUNDS: usize = 12;

/// One line from a child to a parent, by their positions among the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The middle of each box.
    pub(super) nodes: Vec<Point>,
    /// The points of each line, in the order of the edges. A line starts and ends at the side of a box.
    pub(super) lines: Vec<Vec<Point>>,
}

/// An item of a layer: a box, or the bend of a line that passes the layer.
struct Stop {
    layer: usize,
    width: f64,
    height: f64,
    y: f64,
    neighbours: Vec<usize>,
}

pub(super) fn draw(sizes: &[(f64, f64)], edges: &[Edge]) -> Drawing {
    let layers = layers(sizes.len(), edges);
    let mut stops: Vec<Stop> = sizes
        .iter()
        .zip(&layers)
        .map(|(&(width, height), &layer)| Stop { layer, width, height, y: 0.0, neighbours: Vec::new() })
        .collect();
    let routes: Vec<Vec<usize>> = edges.iter().map(|edge| route(&mut stops, *edge)).collect();
    let mut order = by_layer(&stops);
    for round in 0..ROUNDS {
        arrange(&mut stops, &mut order, round % 2 == 1);
    }
    finish(&stops, &order, sizes.len(), &routes)
}

/// Returns for each node the length of its longest path to a node without parents. Edges that close a cycle are ignored.
fn layers(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut back = vec![false; edges.len()];
    let mut state = vec![0_u8; count];
    for start in 0..count {
        // An explicit stack, because recursion over a chain of ten thousand tables would overflow.
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.pop() {
            if next == 0 {
                if state[node] != 0 {
                    continue;
                }
                state[node] = 1;
            }
            let mut out = edges.iter().enumerate().filter(|(_, edge)| edge.from == node).skip(next);
            match out.next() {
                None => state[node] = 2,
                Some((index, edge)) => {
                    stack.push((node, next + 1));
                    match state[edge.to] {
                        1 => back[index] = true,
                        0 => stack.push((edge.to, 0)),
                        _ => {}
                    }
                }
            }
        }
    }
    let mut layers = vec![0_usize; count];
    for _ in 0..count {
        let mut changed = false;
        for (edge, _) in edges.iter().zip(&back).filter(|(_, back)| !**back) {
            if layers[edge.from] <= layers[edge.to] {
                layers[edge.from] = layers[edge.to] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

/// Returns the stops of a line, and adds a lane to each layer that the line passes.
fn route(stops: &mut Vec<Stop>, edge: Edge) -> Vec<usize> {
    let (from, to) = (stops[edge.from].layer, stops[edge.to].layer);
    let mut route = vec![edge.from];
    let between: Vec<usize> = if from > to { (to + 1..from).rev().collect() } else { (from + 1..to).collect() };
    for layer in between {
        stops.push(Stop { layer, width: 0.0, height: LANE, y: 0.0, neighbours: Vec::new() });
        route.push(stops.len() - 1);
    }
    route.push(edge.to);
    for pair in route.windows(2) {
        if stops[pair[0]].layer == stops[pair[1]].layer {
            continue;
        }
        stops[pair[0]].neighbours.push(pair[1]);
        stops[pair[1]].neighbours.push(pair[0]);
    }
    route
}

fn by_layer(stops: &[Stop]) -> Vec<Vec<usize>> {
    let deepest = stops.iter().map(|stop| stop.layer).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); deepest + 1];
    for (index, stop) in stops.iter().enumerate() {
        layers[stop.layer].push(index);
    }
    layers
}

/// Moves every stop as near as possible to the middle of its neighbours, without overlaps.
fn arrange(stops: &mut [Stop], order: &mut [Vec<usize>], backwards: bool) {
    let count = order.len();
    for step in 0..count {
        let layer = &mut order[if backwards { count - 1 - step } else { step }];
        let wanted_height = |stops: &[Stop], index: usize| {
            let near = &stops[index].neighbours;
            if near.is_empty() {
                stops[index].y
            } else {
                near.iter().map(|&other| stops[other].y).sum::<f64>() / near.len() as f64
            }
        };
        let mut wanted_heights: Vec<(f64, usize)> =
            layer.iter().map(|&index| (wanted_height(stops, index), index)).collect();
        wanted_heights.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        *layer = wanted_heights.iter().map(|(_, index)| *index).collect();
        let mut next = f64::NEG_INFINITY;
        for &(wanted, index) in &wanted_heights {
            let half = stops[index].height / 2.0;
            stops[index].y = wanted.max(next + half);
            next = stops[index].y + half + GAP;
        }
        // The loop above moves stops downwards only. This moves the whole layer back to its wanted height.
        let drift: f64 = wanted_heights.iter().map(|&(wanted, index)| stops[index].y - wanted).sum::<f64>();
        let drift = drift / wanted_heights.len().max(1) as f64;
        wanted_heights.iter().for_each(|&(_, index)| stops[index].y -= drift);
    }
}

fn finish(stops: &[Stop], order: &[Vec<usize>], boxes: usize, routes: &[Vec<usize>]) -> Drawing {
    let widest = |layer: &Vec<usize>| layer.iter().map(|&index| stops[index].width).fold(0.0, f64::max);
    let mut middles = vec![0.0; order.len()];
    let mut x = 12.0;
    // Children left: the deepest layer comes first.
    for layer in (0..order.len()).rev() {
        let width = widest(&order[layer]);
        middles[layer] = x + width / 2.0;
        x += width + BETWEEN_LAYERS;
    }
    let top = stops.iter().map(|stop| stop.y - stop.height / 2.0).fold(f64::INFINITY, f64::min);
    let bottom = stops.iter().map(|stop| stop.y + stop.height / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let at = |index: usize| Point { x: middles[stops[index].layer], y: stops[index].y - top + 14.0 };
    let side = |index: usize, right: bool| {
        let middle = at(index);
        let half = stops[index].width / 2.0;
        Point { x: if right { middle.x + half } else { middle.x - half }, ..middle }
    };
    let lines = routes.iter().map(|route| {
        let (first, last) = (route[0], route[route.len() - 1]);
        let leads_right = stops[first].layer > stops[last].layer;
        let is_beside = stops[first].layer == stops[last].layer;
        let mut points = vec![side(first, leads_right || is_beside)];
        points.extend(route[1..route.len() - 1].iter().map(|&lane| at(lane)));
        points.push(side(last, !leads_right));
        points
    });
    let lines = lines.collect();
    let (width, height) = if boxes == 0 { (0.0, 0.0) } else { (x - BETWEEN_LAYERS + 12.0, bottom - top + 28.0) };
    // Loops and lines beside a layer need space on the right.
    Drawing { width: width + 60.0, height, nodes: (0..boxes).map(at).collect(), lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaps(drawing: &Drawing, sizes: &[(f64, f64)]) -> bool {
        let boxes: Vec<_> = drawing.nodes.iter().zip(sizes).collect();
        boxes.iter().enumerate().any(|(index, (a, size))| {
            boxes[..index].iter().any(|(b, other)| {
                (a.x - b.x).abs() < (size.0 + other.0) / 2.0 && (a.y - b.y).abs() < (size.1 + other.1) / 2.0
            })
        })
    }

    #[test]
    fn child_is_left_of_its_parent() {
        let sizes = [(80.0, 30.0); 4];
        let edges =
            [Edge { from: 0, to: 1 }, Edge { from: 1, to: 2 }, Edge { from: 0, to: 2 }, Edge { from: 3, to: 2 }];
        let drawing = draw(&sizes, &edges);
        for (edge, line) in edges.iter().zip(&drawing.lines) {
            assert!(drawing.nodes[edge.from].x < drawing.nodes[edge.to].x);
            assert!(line[0].x > drawing.nodes[edge.from].x && line[line.len() - 1].x < drawing.nodes[edge.to].x);
        }
        assert_eq!(drawing.lines[2].len(), 3, "a long line has a lane");
        assert!(!overlaps(&drawing, &sizes));
    }

    #[test]
    fn random_graph_fits_its_frame() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [0_usize, 1, 2, 5, 40, 120] {
            let sizes: Vec<(f64, f64)> = (0..count).map(|_| (random.f64() * 200.0 + 20.0, 30.0)).collect();
            let edges: Vec<Edge> =
                (0..count * 2).map(|_| Edge { from: random.usize(..count), to: random.usize(..count) }).collect();
            let drawing = draw(&sizes, &edges);
            assert!(!overlaps(&drawing, &sizes), "{count}");
            for (node, (width, height)) in drawing.nodes.iter().zip(&sizes) {
                assert!(node.x - width / 2.0 >= 0.0 && node.x + width / 2.0 <= drawing.width);
                assert!(node.y - height / 2.0 >= 0.0 && node.y + height / 2.0 <= drawing.height);
            }
        }
    }
}
