//! Who imports whom, of files or of rooms: what can be reached, circles and floors.

use std::collections::{BTreeMap, BTreeSet};

/// Each name with those that it imports, and for each of them one import that does.
#[derive(Debug)]
pub(super) struct Graph<K, I>(pub(super) BTreeMap<K, BTreeMap<K, I>>);

impl<K: Copy + Ord, I: Copy> Graph<K, I> {
    /// The members of the circle that each name is in; those in none are left out.
    pub(super) fn circles(&self) -> BTreeMap<K, BTreeSet<K>> {
        let reached: BTreeMap<K, BTreeSet<K>> =
            self.0.keys().map(|name| (*name, self.reachable(*name))).collect();
        let mut circles = BTreeMap::new();
        for (name, others) in &reached {
            let comes_back = |other: &&K| reached.get(*other).is_some_and(|back| back.contains(name));
            let circle: BTreeSet<K> = others.iter().filter(comes_back).copied().collect();
            if !circle.is_empty() {
                circles.insert(*name, circle);
            }
        }
        circles
    }

    /// What can be reached in one step or more.
    fn reachable(&self, start: K) -> BTreeSet<K> {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(name) = open.pop() {
            for next in self.0.get(&name).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        seen
    }

    /// How many stand below each name, one on the other. Those of a circle share a floor.
    pub(super) fn floors(&self) -> BTreeMap<K, usize> {
        let circles = self.circles();
        let mut floors = BTreeMap::new();
        for name in self.0.keys() {
            self.floor(*name, &circles, &mut floors);
        }
        floors
    }

    fn floor(&self, name: K, circles: &BTreeMap<K, BTreeSet<K>>, known: &mut BTreeMap<K, usize>) -> usize {
        if let Some(floor) = known.get(&name) {
            return *floor;
        }
        let alone = BTreeSet::from([name]);
        let circle = circles.get(&name).unwrap_or(&alone);
        let imported = circle.iter().filter_map(|member| self.0.get(member)).flat_map(BTreeMap::keys);
        let outside: BTreeSet<K> = imported.filter(|next| !circle.contains(*next)).copied().collect();
        let height = outside.iter().map(|next| self.floor(*next, circles, known) + 1).max().unwrap_or(0);
        known.insert(name, height);
        height
    }

    /// The imports of the shortest way from a name back to itself.
    pub(super) fn way_around(&self, start: K) -> Vec<I> {
        let mut ways: Vec<(K, Vec<I>)> = vec![(start, Vec::new())];
        let mut seen = BTreeSet::new();
        let mut at = 0;
        while let Some((name, way)) = ways.get(at).cloned() {
            at += 1;
            for (next, import) in self.0.get(&name).into_iter().flatten() {
                let way = [way.as_slice(), &[*import]].concat();
                if *next == start {
                    return way;
                }
                if seen.insert(*next) {
                    ways.push((*next, way));
                }
            }
        }
        Vec::new()
    }
}
