import fc from '../../node_modules/fast-check/lib/fast-check.js';

/**
 * Stands for fast-check in mutation tests, which run each property hundreds of times: few runs, always the same, and
 * no search for a smaller example.
 */
const assert = <T>(property: fc.IRawProperty<T>, params?: fc.Parameters<T>) =>
  fc.assert(property, {
    ...params,
    numRuns: Math.max(10, Math.ceil((params?.numRuns ?? 100) / 10)),
    seed: 1,
    endOnFailure: true,
  });

export default { ...fc, assert };
