//! Assigns boxes to layers. A parent has a lower layer than its children, and no layer is much higher than the picture
//! should be.

use crate::report::html::layered::Bundle;

/// The wanted width of a picture, as a multiple of its height.
pub(super) const ASPECT: f64 = 1.7;
/// The free height between two boxes and the free width between two layers, as rough means.
const GAP_Y: f64 = 14.0;
const GAP_X: f64 = 110.0;
/// A layer of this height needs no second column.
const LOW: f64 = 320.0;

/// True for each bundle that closes a cycle. Without these the graph has no cycle.
pub(super) fn back(count: usize, bundles: &[Bundle]) -> Vec<bool> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, bundle) in bundles.iter().enumerate() {
        out[bundle.from].push(index);
    }
    let mut back = vec![false; bundles.len()];
    let mut state = vec![State::New; count];
    for start in 0..count {
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Open;
        // An explicit stack, because recursion over a chain of ten thousand tables would overflow.
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.pop() {
            let Some(&index) = out[node].get(next) else {
                state[node] = State::Done;
                continue;
            };
            stack.push((node, next + 1));
            let parent = bundles[index].to;
            match state[parent] {
                State::Open => back[index] = true,
                State::Done => {}
                State::New => {
                    state[parent] = State::Open;
                    stack.push((parent, 0));
                }
            }
        }
    }
    back
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// Returns the layer of each box, counted from the right.
pub(super) fn layers(sizes: &[(f64, f64)], heights: &[f64], bundles: &[Bundle], is_back: &[bool]) -> Vec<usize> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
    for (bundle, _) in bundles.iter().zip(is_back).filter(|(_, is_back)| !**is_back) {
        children[bundle.to].push(bundle.from);
        parents[bundle.from].push(bundle.to);
    }
    let order = parents_first(&children, &parents);
    let mut depth = vec![0; sizes.len()];
    for &node in &order {
        depth[node] = parents[node].iter().map(|&parent| depth[parent] + 1).max().unwrap_or(0);
    }
    let mut by_depth = order;
    by_depth.sort_by_key(|&node| (depth[node], node));
    let mut columns = Filled { heights, most: wanted_height(sizes, heights), filled: Vec::new() };
    let mut layers = vec![0_usize; sizes.len()];
    for &node in &by_depth {
        let lowest = parents[node].iter().map(|&parent| layers[parent] + 1).max().unwrap_or(0);
        layers[node] = columns.put(node, lowest);
    }
    // A parent moves to the left, beside its children, if it has more of these than parents: its lines become shorter.
    for &node in by_depth.iter().rev() {
        let highest = children[node].iter().map(|&child| layers[child]).min();
        if let Some(highest) = highest.filter(|_| children[node].len() > parents[node].len()) {
            layers[node] = columns.shift(node, layers[node], highest - 1);
        }
    }
    let mut used: Vec<usize> = layers.clone();
    used.sort_unstable();
    used.dedup();
    layers.iter().map(|layer| used.partition_point(|known| known < layer)).collect()
}

fn parents_first(children: &[Vec<usize>], parents: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..waiting.len()).filter(|&node| waiting[node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for &child in &children[node] {
            waiting[child] -= 1;
            if waiting[child] == 0 {
                order.push(child);
            }
        }
    }
    order
}

/// Returns the height at which a picture of all these boxes would have the wanted shape.
fn wanted_height(sizes: &[(f64, f64)], heights: &[f64]) -> f64 {
    let column = GAP_X + sizes.iter().map(|size| size.0).sum::<f64>() / sizes.len().max(1) as f64;
    let all: f64 = heights.iter().map(|height| height + GAP_Y).sum();
    (all * column / ASPECT).sqrt().max(LOW)
}

/// The heights of the layers so far.
struct Filled<'a> {
    heights: &'a [f64],
    most: f64,
    filled: Vec<f64>,
}

impl Filled<'_> {
    fn has_room(&self, node: usize, layer: usize) -> bool {
        let filled = self.filled.get(layer).copied().unwrap_or(0.0);
        filled == 0.0 || filled + self.heights[node] + GAP_Y <= self.most
    }

    fn add(&mut self, node: usize, layer: usize) {
        self.filled.resize(self.filled.len().max(layer + 1), 0.0);
        self.filled[layer] += self.heights[node] + GAP_Y;
    }

    /// Puts a box into the first layer with room, from the given layer on.
    fn put(&mut self, node: usize, lowest: usize) -> usize {
        let mut layer = lowest;
        while !self.has_room(node, layer) {
            layer += 1;
        }
        self.add(node, layer);
        layer
    }

    /// Moves a box to the highest layer with room, and returns that layer.
    fn shift(&mut self, node: usize, from: usize, highest: usize) -> usize {
        let found = (from + 1..=highest).rev().find(|&layer| self.has_room(node, layer));
        if let Some(layer) = found {
            self.filled[from] -= self.heights[node] + GAP_Y;
            self.add(node, layer);
        }
        found.unwrap_or(from)
    }
}
