import { randomNumbers } from '../../support/random-numbers.js';
/** The same choices for the same seed, on every machine. */
export interface Random {
  /** From 0, below `count`. */
  below(count: number): number;
  pick<T>(from: readonly T[]): T;
  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean;
  /** One of the names, by their weights. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T;
}

export function createRandom(seed: number): Random {
  const next = randomNumbers(seed);
  const self: Random = {
    below: (count) => Math.floor(next() * count),
    pick(from) {
      const picked = from[self.below(from.length)];
      if (picked === undefined) throw new Error('nothing to pick from');
      return picked;
    },
    chance: (percent) => self.below(100) < percent,
    weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
      const names = Object.keys(weights).filter((name): name is T => name in weights);
      let left = self.below(names.reduce((sum, name) => sum + weights[name], 0));
      for (const name of names) {
        left -= weights[name];
        if (left < 0) return name;
      }
      throw new Error('no weights');
    },
  };
  return self;
}
