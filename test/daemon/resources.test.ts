import { expect, it } from 'vitest';
import { Resources } from '../../src/daemon/resources.js';
import { silentLogger } from '../../src/observe.js';

function rig() {
  const events: string[] = [];
  const resources = new Resources();
  const closable = (name: string, fault?: Error) => ({
    async close() {
      events.push(`close ${name}`);
      if (fault !== undefined) throw fault;
    },
  });
  const warn = (fields: object) => void events.push(JSON.stringify(fields));
  return { events, resources, closable, logger: { ...silentLogger, warn } };
}

it('closes in reverse order, and says what it could not close', async () => {
  const { events, resources, closable, logger } = rig();
  resources.add(closable('store'));
  resources.add(closable('consul', new Error('no')));
  resources.add(closable('listeners'));
  await resources.close(logger);
  await resources.close(logger);
  expect(events).toEqual(['close listeners', 'close consul', '{"error":"no"}', 'close store']);
});

it('closes what was opened at its first use, once, and nothing that was not opened', async () => {
  const { events, resources, closable, logger } = rig();
  const log = resources.openOnce(async () => closable('log'));
  resources.openOnce(async () => closable('trail'));
  expect(await log()).toBe(await log());
  await resources.close(logger);
  expect(events).toEqual(['close log']);
});
