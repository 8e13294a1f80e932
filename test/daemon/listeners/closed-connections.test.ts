import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/app/metrics.js';
import { reportClosed } from '../../../src/daemon/listeners.js';
import { silentLogger } from '../../../src/observe.js';
import { createMovableClock } from '../../support/movable-clock.js';

describe('a flood of connections', () => {
  it('is counted whole and logged once a minute, with how many were closed since the last line', async () => {
    const clock = createMovableClock();
    const metrics = createMetrics();
    const lines: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => lines.push(fields) };
    const closed = reportClosed('listen', { clock, metrics, logger });
    for (let count = 0; count < 500; count++) closed('192.0.2.1', 'evicted');
    clock.advance(60_000);
    closed('192.0.2.1', 'evicted');
    expect(lines).toEqual([
      { listener: 'http.listen', address: '192.0.2.1', reason: 'evicted', closed: 1 },
      { listener: 'http.listen', address: '192.0.2.1', reason: 'evicted', closed: 500 },
    ]);
    expect((await metrics.expose()).body).toContain(
      'scopemesh_http_connections_closed_total{listener="listen",reason="evicted"} 501',
    );
  });
});
