import { systemClock } from '../../src/clock.js';
import type { CrdConsulOptions } from '../../src/consul/crd/crd-consul.js';
import { noMetrics, silentLogger } from '../../src/observe.js';

/** The options of manifests of the owner `payments` in a directory. */
export function runtimeOf(directory: string): CrdConsulOptions {
  return {
    directory,
    owner: 'payments',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    isMarked: (description) => description.startsWith('scopemesh:payments'),
  };
}
