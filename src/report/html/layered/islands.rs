//! Draws each connected part of a graph by itself, and arranges these islands in rows, the highest first.

use std::collections::BTreeMap;

use crate::report::html::layered::Bundle;
use crate::report::html::layered::Drawing;
use crate::report::html::layered::Point;
use crate::report::html::layered::Route;
use crate::report::html::layered::layers::ASPECT;

type DrawIsland = fn(&[(f64, f64)], &[Bundle]) -> Drawing;

pub(super) fn draw(sizes: &[(f64, f64)], bundles: &[Bundle], draw_island: DrawIsland) -> Drawing {
    let groups = groups(sizes.len(), bundles);
    let mut islands: BTreeMap<usize, Island> = BTreeMap::new();
    let mut index = vec![0; sizes.len()];
    for (node, group) in groups.iter().enumerate() {
        let island = islands.entry(*group).or_default();
        index[node] = island.nodes.len();
        island.nodes.push(node);
    }
    for (at, bundle) in bundles.iter().enumerate() {
        islands.entry(groups[bundle.from]).or_default().bundles.push(at);
    }
    let mut drawn: Vec<(Island, Drawing)> = islands
        .into_values()
        .map(|island| {
            let own: Vec<(f64, f64)> = island.nodes.iter().map(|&node| sizes[node]).collect();
            let local =
                |at: &usize| Bundle { from: index[bundles[*at].from], to: index[bundles[*at].to], ..bundles[*at] };
            let drawing = draw_island(&own, &island.bundles.iter().map(local).collect::<Vec<_>>());
            (island, drawing)
        })
        .collect();
    // The sort is stable, so islands of equal height keep the order of their first boxes.
    drawn.sort_by(|a, b| b.1.height.total_cmp(&a.1.height));
    join(sizes.len(), bundles.len(), drawn)
}

/// The positions of the boxes and bundles of an island.
#[derive(Default)]
struct Island {
    nodes: Vec<usize>,
    bundles: Vec<usize>,
}

/// Returns for each box a number that only the boxes of its island have.
fn groups(count: usize, bundles: &[Bundle]) -> Vec<usize> {
    let mut neighbours = vec![Vec::new(); count];
    for bundle in bundles {
        neighbours[bundle.from].push(bundle.to);
        neighbours[bundle.to].push(bundle.from);
    }
    let mut groups: Vec<Option<usize>> = vec![None; count];
    for start in 0..count {
        let mut waiting = vec![start];
        while let Some(node) = waiting.pop() {
            if groups[node].is_none() {
                groups[node] = Some(start);
                waiting.extend(&neighbours[node]);
            }
        }
    }
    groups.into_iter().map(Option::unwrap_or_default).collect()
}

/// Joins islands to one drawing, in rows from left to right.
fn join(boxes: usize, bundles: usize, islands: Vec<(Island, Drawing)>) -> Drawing {
    let area: f64 = islands.iter().map(|(_, drawing)| drawing.width * drawing.height).sum();
    let widest = islands.iter().map(|(_, drawing)| drawing.width).fold(0.0, f64::max);
    let wanted = widest.max((area * ASPECT).sqrt() * 1.1);
    let mut joined = Drawing { width: 0.0, height: 0.0, boxes: Vec::new(), routes: vec![Vec::new(); bundles] };
    let mut frames = vec![None; boxes];
    let (mut x, mut y, mut row_height) = (0.0, 0.0, 0.0_f64);
    for (island, drawing) in islands {
        if x > 0.0 && x + drawing.width > wanted {
            (x, y, row_height) = (0.0, y + row_height, 0.0);
        }
        for (&node, mut frame) in island.nodes.iter().zip(drawing.boxes) {
            (frame.left, frame.top) = (frame.left + x, frame.top + y);
            frames[node] = Some(frame);
        }
        for (&bundle, routes) in island.bundles.iter().zip(drawing.routes) {
            joined.routes[bundle] = routes.into_iter().map(|route| moved(route, x, y)).collect();
        }
        x += drawing.width;
        row_height = row_height.max(drawing.height);
        joined.width = joined.width.max(x);
        joined.height = joined.height.max(y + row_height);
    }
    joined.boxes = frames.into_iter().flatten().collect();
    joined
}

fn moved(route: Route, x: f64, y: f64) -> Route {
    let shift = |point: Point| Point { x: point.x + x, y: point.y + y };
    match route {
        Route::Curves { start, curves } => {
            Route::Curves { start: shift(start), curves: curves.into_iter().map(|curve| curve.map(shift)).collect() }
        }
        Route::Loop { from, to, height } => Route::Loop { from: shift(from), to: shift(to), height },
    }
}
