//! Computes the positions of boxes and lines in a picture. Tables are in layers, from children (left) to parents (right),
//! and lines bend around boxes. Equal input gives equal output. Names, colors and SVG belong to `picture`.
//!
//! Lines between the same two boxes are a bundle: they run side by side, [`PITCH`] apart, from end to end.

mod islands;
mod layers;
mod order;

/// The distance between two lines of a bundle.
pub(super) const PITCH: f64 = 14.0;
/// The free height above the first line and below the last line of a box.
const MARGIN: f64 = 7.0;
/// The number of incoming lines for which a box grows. More lines share the height.
const MOST_INCOMING: usize = 8;
const LOOP_HEIGHT: f64 = 18.0;
/// The height of a lane with one line.
const LANE: f64 = 3.0;
/// The width of a gap between two layers, without labels.
const BETWEEN_LAYERS: f64 = 64.0;
/// The free width beside a label.
pub(super) const LABEL_MARGIN: f64 = 8.0;
const EDGE: f64 = 12.0;

/// All lines from one child to one parent, by their positions among the boxes. `from` and `to` are equal for the lines
/// from a table to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bundle {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) lines: usize,
    /// The width of the widest label of its lines, or 0 if no line has a label.
    pub(super) label: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn middle(&self) -> Point {
        Point { x: self.left + self.width / 2.0, y: self.top + self.height / 2.0 }
    }
}

/// The way of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route {
    /// Curves, each from its first to its second point. A straight line leads from the start to the first curve, below
    /// the label, and from each curve to the next one.
    Curves { start: Point, curves: Vec<[Point; 2]> },
    /// A loop on top of a box, from the first to the second point, with its height.
    Loop { from: Point, to: Point, height: f64 },
}

#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) boxes: Vec<Frame>,
    /// The routes of each bundle, in the order of the bundles.
    pub(super) routes: Vec<Vec<Route>>,
}

/// An item of a layer: a box, or the lane of a bundle that passes the layer.
struct Stop {
    layer: usize,
    height: f64,
    /// The middle.
    y: f64,
    neighbours: Vec<usize>,
    is_lane: bool,
}

/// The space that a box needs for its lines.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    left: usize,
    right: usize,
    loops: usize,
    /// The number of lines of the largest bundle.
    largest: usize,
}

impl Need {
    fn loop_height(self) -> f64 {
        if self.loops == 0 { 0.0 } else { LOOP_HEIGHT + PITCH * (self.loops - 1) as f64 }
    }

    fn box_height(self, least: f64) -> f64 {
        let lines = self.right.max(self.left.min(MOST_INCOMING)).max(self.largest);
        least.max(PITCH * lines.saturating_sub(1) as f64 + 2.0 * MARGIN)
    }
}

/// Draws boxes of at least these sizes, and bundles between them.
pub(super) fn draw(sizes: &[(f64, f64)], bundles: &[Bundle]) -> Drawing {
    islands::draw(sizes, bundles, draw_island)
}

/// Draws boxes that bundles connect.
fn draw_island(sizes: &[(f64, f64)], bundles: &[Bundle]) -> Drawing {
    let straight: Vec<Bundle> = bundles.iter().copied().filter(|bundle| bundle.from != bundle.to).collect();
    let is_back = layers::back(sizes.len(), &straight);
    let needs = needs(sizes.len(), bundles, &straight, &is_back);
    let heights: Vec<f64> = sizes.iter().zip(&needs).map(|(size, need)| need.box_height(size.1)).collect();
    let stop_heights: Vec<f64> = heights.iter().zip(&needs).map(|(height, need)| height + need.loop_height()).collect();
    let layers = layers::layers(sizes, &stop_heights, &straight, &is_back);
    let mut stops: Vec<Stop> = layers
        .iter()
        .zip(&stop_heights)
        .map(|(&layer, &height)| Stop { layer, height, y: 0.0, neighbours: Vec::new(), is_lane: false })
        .collect();
    let ways: Vec<Vec<usize>> = straight.iter().map(|bundle| way(&mut stops, bundle)).collect();
    order::arrange(&mut stops);
    let columns = Columns::of(sizes, &layers, &straight, &ways, &stops);
    let top = stops.iter().map(|stop| stop.y - stop.height / 2.0).fold(f64::INFINITY, f64::min);
    let bottom = stops.iter().map(|stop| stop.y + stop.height / 2.0).fold(f64::NEG_INFINITY, f64::max);
    stops.iter_mut().for_each(|stop| stop.y += EDGE - top);
    let boxes: Vec<Frame> = (0..sizes.len())
        .map(|index| {
            let stop = &stops[index];
            let (left, width) = columns.spans[stop.layer];
            Frame { left, top: stop.y + stop.height / 2.0 - heights[index], width, height: heights[index] }
        })
        .collect();
    let sketch = Sketch { boxes: &boxes, stops: &stops, columns: &columns, bundles: &straight, ways: &ways };
    let mut straight_routes = sketch.routes().into_iter();
    let routes = bundles.iter().map(|bundle| {
        if bundle.from == bundle.to {
            loops(&boxes[bundle.from], bundle.lines)
        } else {
            straight_routes.next().unwrap_or_default()
        }
    });
    let routes = routes.collect();
    let height = if sizes.is_empty() { 0.0 } else { bottom - top + 2.0 * EDGE };
    Drawing { width: columns.width, height, boxes, routes }
}

fn needs(count: usize, bundles: &[Bundle], straight: &[Bundle], is_back: &[bool]) -> Vec<Need> {
    let mut needs = vec![Need::default(); count];
    for (bundle, &is_back) in straight.iter().zip(is_back) {
        // Lines leave at the right and enter at the left, except those that lead back.
        let (right, left) = if is_back { (bundle.to, bundle.from) } else { (bundle.from, bundle.to) };
        needs[right].right += bundle.lines;
        needs[left].left += bundle.lines;
        needs[left].largest = needs[left].largest.max(bundle.lines);
    }
    for bundle in bundles.iter().filter(|bundle| bundle.from == bundle.to) {
        needs[bundle.from].loops += bundle.lines;
    }
    needs
}

/// Returns the stops of a bundle, and adds a lane to each layer that the bundle passes.
fn way(stops: &mut Vec<Stop>, bundle: &Bundle) -> Vec<usize> {
    let (from, to) = (stops[bundle.from].layer, stops[bundle.to].layer);
    let mut way = vec![bundle.from];
    let between: Vec<usize> = if from > to { (to + 1..from).rev().collect() } else { (from + 1..to).collect() };
    for layer in between {
        let height = PITCH * (bundle.lines - 1) as f64 + LANE;
        stops.push(Stop { layer, height, y: 0.0, neighbours: Vec::new(), is_lane: true });
        way.push(stops.len() - 1);
    }
    way.push(bundle.to);
    for pair in way.windows(2) {
        stops[pair[0]].neighbours.push(pair[1]);
        stops[pair[1]].neighbours.push(pair[0]);
    }
    way
}

/// The horizontal positions of the layers.
struct Columns {
    /// The left side and the width of each layer. The deepest layer is at the left.
    spans: Vec<(f64, f64)>,
    width: f64,
}

impl Columns {
    fn of(sizes: &[(f64, f64)], layers: &[usize], bundles: &[Bundle], ways: &[Vec<usize>], stops: &[Stop]) -> Columns {
        let count = layers.iter().max().map_or(0, |deepest| deepest + 1);
        let mut widths = vec![0.0_f64; count];
        for (size, &layer) in sizes.iter().zip(layers) {
            widths[layer] = widths[layer].max(size.0);
        }
        // A label is beside the box where its line starts.
        let mut gaps = vec![BETWEEN_LAYERS; count];
        for (bundle, way) in bundles.iter().zip(ways) {
            let gap = stops[way[0]].layer.max(stops[way[1]].layer);
            gaps[gap] = gaps[gap].max(BETWEEN_LAYERS + bundle.label);
        }
        let mut spans = vec![(0.0, 0.0); count];
        let mut x = EDGE;
        for layer in (0..count).rev() {
            spans[layer] = (x, widths[layer]);
            x += widths[layer] + if layer > 0 { gaps[layer] } else { EDGE };
        }
        Columns { spans, width: if count == 0 { 0.0 } else { x } }
    }
}

struct Sketch<'a> {
    boxes: &'a [Frame],
    stops: &'a [Stop],
    columns: &'a Columns,
    bundles: &'a [Bundle],
    ways: &'a [Vec<usize>],
}

impl Sketch<'_> {
    /// Returns the routes of every bundle.
    fn routes(&self) -> Vec<Vec<Route>> {
        let (starts, ends) = self.ports();
        let bundles = self.bundles.iter().zip(self.ways).enumerate();
        bundles
            .map(|(index, (bundle, way))| {
                let line = |line: usize| {
                    let shift = PITCH * (line as f64 - (bundle.lines - 1) as f64 / 2.0);
                    let leads_right = self.leads_right(way);
                    let (first, last) = (&self.boxes[bundle.from], &self.boxes[bundle.to]);
                    let start =
                        Point { x: if leads_right { first.right() } else { first.left }, y: starts[index] + shift };
                    let end = Point { x: if leads_right { last.left } else { last.right() }, y: ends[index] + shift };
                    let mut curves = Vec::new();
                    let below_label = if bundle.label > 0.0 { bundle.label + LABEL_MARGIN } else { 0.0 };
                    let x = if leads_right { start.x + below_label } else { start.x - below_label };
                    let mut from = Point { x, ..start };
                    for &lane in &way[1..way.len() - 1] {
                        let (left, width) = self.columns.spans[self.stops[lane].layer];
                        let y = self.stops[lane].y + shift;
                        let (enter, leave) = if leads_right { (left, left + width) } else { (left + width, left) };
                        curves.push([from, Point { x: enter, y }]);
                        from = Point { x: leave, y };
                    }
                    curves.push([from, end]);
                    Route::Curves { start, curves }
                };
                (0..bundle.lines).map(line).collect()
            })
            .collect()
    }

    fn leads_right(&self, way: &[usize]) -> bool {
        self.stops[way[0]].layer > self.stops[way[1]].layer
    }

    /// Returns the height of the middle line of each bundle where it starts and where it ends.
    fn ports(&self) -> (Vec<f64>, Vec<f64>) {
        let mut sides: Vec<[Vec<(usize, bool)>; 2]> = vec![[Vec::new(), Vec::new()]; self.boxes.len()];
        for (index, (bundle, way)) in self.bundles.iter().zip(self.ways).enumerate() {
            let start_side = usize::from(self.leads_right(way));
            sides[bundle.from][start_side].push((index, true));
            sides[bundle.to][1 - start_side].push((index, false));
        }
        let mut starts = vec![0.0; self.bundles.len()];
        let mut ends = vec![0.0; self.bundles.len()];
        for (table, side) in sides.into_iter().enumerate().flat_map(|(table, sides)| sides.map(|side| (table, side))) {
            for (index, is_start, y) in self.side_ports(&self.boxes[table], side) {
                if is_start {
                    starts[index] = y;
                } else {
                    ends[index] = y;
                }
            }
        }
        (starts, ends)
    }

    /// Returns the heights at which bundles touch a side of a box, in the order of their next stops.
    fn side_ports(&self, frame: &Frame, mut side: Vec<(usize, bool)>) -> Vec<(usize, bool, f64)> {
        let next = |&(index, is_start): &(usize, bool)| {
            let way = &self.ways[index];
            self.stops[if is_start { way[1] } else { way[way.len() - 2] }].y
        };
        side.sort_by(|a, b| next(a).total_cmp(&next(b)).then(a.0.cmp(&b.0)));
        let lines: usize = side.iter().map(|(index, _)| self.bundles[*index].lines).sum();
        let free = frame.height - 2.0 * MARGIN;
        let pitch = if lines > 1 { PITCH.min(free / (lines - 1) as f64) } else { 0.0 };
        let mut before = 0;
        let ports = side.into_iter().map(|(index, is_start)| {
            let own = self.bundles[index].lines;
            let middle = before as f64 + (own - 1) as f64 / 2.0;
            before += own;
            let wanted = frame.middle().y + pitch * (middle - (lines - 1) as f64 / 2.0);
            // The lines of a bundle stay apart, also where the box has too little height for all lines.
            let half = PITCH * (own - 1) as f64 / 2.0;
            let (top, bottom) = (frame.top + MARGIN + half, frame.top + frame.height - MARGIN - half);
            (index, is_start, wanted.max(top).min(bottom))
        });
        ports.collect()
    }
}

/// Returns loops on top of a box, one around the other.
fn loops(frame: &Frame, lines: usize) -> Vec<Route> {
    let middle = frame.left + 12.0 + 6.0 * lines as f64;
    (0..lines)
        .map(|line| {
            let half = 8.0 + 6.0 * line as f64;
            Route::Loop {
                from: Point { x: middle - half, y: frame.top },
                to: Point { x: middle + half, y: frame.top },
                height: LOOP_HEIGHT - 5.0 + PITCH * line as f64,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(from: usize, to: usize, lines: usize) -> Bundle {
        Bundle { from, to, lines, label: 0.0 }
    }

    fn overlaps(drawing: &Drawing) -> bool {
        let boxes = &drawing.boxes;
        boxes.iter().enumerate().any(|(index, a)| {
            boxes[..index].iter().any(|b| {
                a.left < b.right() && b.left < a.right() && a.top < b.top + b.height && b.top < a.top + a.height
            })
        })
    }

    fn ends(route: &Route) -> (Point, Point) {
        match route {
            Route::Curves { start, curves } => (*start, curves[curves.len() - 1][1]),
            Route::Loop { from, to, .. } => (*from, *to),
        }
    }

    #[test]
    fn child_is_left_of_its_parent() {
        let bundles = [bundle(0, 1, 1), bundle(1, 2, 1), bundle(0, 2, 1), bundle(3, 2, 1)];
        let drawing = draw(&[(80.0, 30.0); 4], &bundles);
        for (bundle, routes) in bundles.iter().zip(&drawing.routes) {
            let (child, parent) = (drawing.boxes[bundle.from], drawing.boxes[bundle.to]);
            assert!(child.right() < parent.left);
            let (start, end) = ends(&routes[0]);
            assert_eq!((start.x, end.x), (child.right(), parent.left));
        }
        let Route::Curves { curves, .. } = &drawing.routes[2][0] else { panic!("no table refers to itself") };
        assert_eq!(curves.len(), 2, "a long line has a lane");
        assert!(!overlaps(&drawing));
    }

    /// Parallel lines keep their distance at both ends and in every lane, also at a box with very many lines.
    #[test]
    fn parallel_lines_are_a_pitch_apart_everywhere() {
        let mut bundles = vec![bundle(0, 1, 2), bundle(1, 2, 1), bundle(0, 2, 12)];
        bundles.extend((3..40).map(|child| bundle(child, 2, 1)));
        let drawing = draw(&[(80.0, 30.0); 40], &bundles);
        for routes in &drawing.routes {
            for pair in routes.windows(2) {
                let [Route::Curves { curves: upper, .. }, Route::Curves { curves: lower, .. }] = pair else {
                    panic!("no table refers to itself")
                };
                assert_eq!(upper.len(), lower.len());
                for (above, below) in upper.iter().flatten().zip(lower.iter().flatten()) {
                    assert!((below.y - above.y - PITCH).abs() < 0.001 && above.x == below.x, "{above:?} {below:?}");
                }
            }
        }
        assert!(!overlaps(&drawing));
    }

    #[test]
    fn loops_of_a_table_are_nested_above_it() {
        let drawing = draw(&[(120.0, 30.0), (80.0, 30.0)], &[bundle(0, 0, 2), bundle(1, 0, 1)]);
        let [Route::Loop { from, to, height }, Route::Loop { from: outer, height: higher, .. }] =
            &drawing.routes[0][..]
        else {
            panic!("two loops")
        };
        let frame = drawing.boxes[0];
        assert!(outer.x < from.x && from.x < to.x && to.x < frame.right() && from.y == frame.top);
        assert!(*higher >= height + PITCH && frame.top - higher > 0.0);
    }

    #[test]
    fn tables_that_refer_to_each_other_are_joined_by_a_line_back() {
        let drawing = draw(&[(80.0, 30.0); 2], &[bundle(0, 1, 1), bundle(1, 0, 1)]);
        let (start, end) = ends(&drawing.routes[1][0]);
        assert_eq!((start.x, end.x), (drawing.boxes[1].left, drawing.boxes[0].right()));
        assert_ne!(ends(&drawing.routes[0][0]).0.y, end.y, "the two lines do not lie on each other");
    }

    /// Many children of one parent do not make a picture that is much higher than wide.
    #[test]
    fn many_children_are_in_several_columns() {
        let bundles: Vec<Bundle> = (1..60).map(|child| bundle(child, 0, 1)).collect();
        let drawing = draw(&[(100.0, 28.0); 60], &bundles);
        assert!(drawing.height < 1.5 * drawing.width, "{} x {}", drawing.width, drawing.height);
        assert!(!overlaps(&drawing));
    }

    #[test]
    fn random_graph_fits_its_frame() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [0_usize, 1, 2, 5, 40, 120] {
            let sizes: Vec<(f64, f64)> = (0..count).map(|_| (random.f64() * 200.0 + 20.0, 30.0)).collect();
            let bundles: Vec<Bundle> = (0..count * 2)
                .map(|_| bundle(random.usize(..count), random.usize(..count), random.usize(1..4)))
                .collect();
            let drawing = draw(&sizes, &bundles);
            assert!(!overlaps(&drawing), "{count}");
            for (frame, size) in drawing.boxes.iter().zip(&sizes) {
                assert!(frame.left >= 0.0 && frame.right() <= drawing.width && frame.width >= size.0);
                assert!(frame.top >= 0.0 && frame.top + frame.height <= drawing.height && frame.height >= size.1);
            }
            for point in drawing.routes.iter().flatten().map(ends).flat_map(|(start, end)| [start, end]) {
                assert!(point.y >= 0.0 && point.y <= drawing.height);
            }
        }
    }
}
