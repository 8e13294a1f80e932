/**
 * Counts what a piece of work looks at: every access to a map or a set, every element that an iteration or an array
 * method visits, and every text that is made of an object. The numbers are the same on every machine. The process is
 * slower until it ends, even after the work, so it should be one that ends soon.
 */
export function countOperations(work: () => void): number {
  let count = 0;
  const undo: (() => void)[] = [];
  const wrap = (prototype: object, name: PropertyKey, cost: (it: { length: number }) => number) => {
    const old = Object.getOwnPropertyDescriptor(prototype, name);
    if (old === undefined || typeof old.value !== 'function')
      throw new Error(`nothing to count: ${String(name)}`);
    const original: (...args: unknown[]) => unknown = old.value;
    Object.defineProperty(prototype, name, {
      ...old,
      value(this: { length: number }, ...args: unknown[]) {
        count += cost(this);
        return original.apply(this, args);
      },
    });
    undo.push(() => Object.defineProperty(prototype, name, old));
  };
  const one = () => 1;
  const size = (it: object) => ('size' in it && typeof it.size === 'number' ? it.size : 1);
  for (const name of ['get', 'set', 'has', 'delete']) wrap(Map.prototype, name, one);
  for (const name of ['add', 'has', 'delete']) wrap(Set.prototype, name, one);
  const next = (prototype: object) => wrap(prototype, 'next', one);
  next(Object.getPrototypeOf(new Map().entries()));
  next(Object.getPrototypeOf(new Set().values()));
  wrap(Map.prototype, 'forEach', size);
  wrap(Set.prototype, 'forEach', size);
  for (const name of [
    'map',
    'filter',
    'flatMap',
    'find',
    'some',
    'every',
    'reduce',
    'forEach',
    'toSorted',
    'includes',
  ])
    wrap(Array.prototype, name, (it) => it.length);
  wrap(JSON, 'stringify', one);
  try {
    work();
  } finally {
    for (const each of undo) each();
  }
  return count;
}
