//! Every number below a bound, once each, in an order that neither a cache nor a prefetcher
//! foresees; then all of them again. With chance in its place some would come again while they are
//! still in a cache.

pub struct Scattered {
    below: u64,
    bits: u32,
    at: u64,
}

impl Scattered {
    pub fn below(below: u64) -> Self {
        Self { below, bits: below.next_power_of_two().trailing_zeros().max(1), at: 0 }
    }

    /// The same, for another walker.
    pub fn half_way_ahead(self) -> Self {
        Self { at: 1 << (self.bits - 1), ..self }
    }

    /// Multiplications by odd numbers and shifted sums can be undone, so no number comes twice
    /// within a power of two; those past the bound are left out.
    fn place_of(&self, number: u64) -> u64 {
        let mask = (1 << self.bits) - 1;
        let shift = self.bits.div_ceil(2);
        let mut place = number & mask;
        for odd in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            place = place.wrapping_mul(odd) & mask;
            place ^= place >> shift;
        }
        place
    }
}

impl Iterator for Scattered {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            self.at = self.at.wrapping_add(1);
            let place = self.place_of(self.at);
            if place < self.below {
                return Some(place);
            }
        }
    }
}
