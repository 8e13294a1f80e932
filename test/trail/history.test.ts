import { it } from 'vitest';
import { expectTrailOfHistory } from '../support/trail-history.js';

it('who-can-call answers for the instants of a random history as Consul had it then', () =>
  expectTrailOfHistory(12, 20_261_127));
