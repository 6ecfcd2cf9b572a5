//! Orders the boxes and lanes within the layers, and computes their heights. Each one moves near to the middle of its
//! neighbours, which avoids most crossings.

use crate::report::html::layered::Stop;

const ROUNDS: usize = 24;

pub(super) fn arrange(stops: &mut [Stop]) {
    let mut layers = by_layer(stops);
    let count = layers.len();
    for round in 0..ROUNDS {
        for step in 0..count {
            let layer = if round % 2 == 0 { step } else { count - 1 - step };
            arrange_layer(stops, &mut layers[layer]);
        }
    }
}

fn by_layer(stops: &[Stop]) -> Vec<Vec<usize>> {
    let deepest = stops.iter().map(|stop| stop.layer).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); deepest + 1];
    for (index, stop) in stops.iter().enumerate() {
        layers[stop.layer].push(index);
    }
    layers
}

/// Moves every stop of a layer as near as possible to the middle of its neighbours, without overlaps.
fn arrange_layer(stops: &mut [Stop], layer: &mut Vec<usize>) {
    let wanted = |stops: &[Stop], index: usize| {
        let near = &stops[index].neighbours;
        match near.len() {
            0 => stops[index].y,
            count => near.iter().map(|&other| stops[other].y).sum::<f64>() / count as f64,
        }
    };
    let mut wishes: Vec<(f64, usize)> = layer.iter().map(|&index| (wanted(stops, index), index)).collect();
    wishes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    *layer = wishes.iter().map(|(_, index)| *index).collect();
    place(stops, &wishes);
}

/// Places the stops of a layer from top to bottom, without overlaps, so that the squares of the distances to their wishes
/// have the least sum. Stops that would overlap become a block, which lies at the mean of its wishes.
fn place(stops: &mut [Stop], wishes: &[(f64, usize)]) {
    let mut offsets = Vec::with_capacity(wishes.len());
    let mut offset = 0.0;
    for (at, &(_, index)) in wishes.iter().enumerate() {
        if let Some(&(_, above)) = at.checked_sub(1).and_then(|before| wishes.get(before)) {
            offset += (stops[above].height + stops[index].height) / 2.0 + gap(&stops[above], &stops[index]);
        }
        offsets.push(offset);
    }
    // Each block has the sum of its wishes, without the offsets, and the number of its stops.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (&(wish, _), offset) in wishes.iter().zip(&offsets) {
        let mut block = (wish - offset, 1);
        while let Some(above) = blocks.pop_if(|above| above.0 / above.1 as f64 > block.0 / block.1 as f64) {
            block = (above.0 + block.0, above.1 + block.1);
        }
        blocks.push(block);
    }
    let starts = blocks.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    for ((&(_, index), offset), start) in wishes.iter().zip(&offsets).zip(starts) {
        stops[index].y = start + offset;
    }
}

/// Returns the free height between two stops. Lanes lie closer to each other than boxes.
fn gap(above: &Stop, below: &Stop) -> f64 {
    match (above.is_lane, below.is_lane) {
        (true, true) => 4.0,
        (false, false) => 14.0,
        _ => 8.0,
    }
}
