import { describe, expect, it } from 'vitest';
import { keptNote } from '../../src/app/kept-note.js';
import { SyncError } from '../../src/errors.js';

function world(code: 'ERR_CONSUL_DENIED' | 'ERR_CONSUL_UNREACHABLE') {
  const said: string[] = [];
  const log = (_fields: object, message: string) => void said.push(message);
  const logger = { debug() {}, info: log, warn: log, error: log };
  const metrics = { count: (name: string) => void said.push(name), gauge() {}, time() {} };
  const refuse = () => Promise.reject(new SyncError(code, 'refused', { retriable: true }));
  const open = (mode: 'enforce' | 'observe') =>
    keptNote(
      {
        mode,
        owner: 'payments',
        state: { directory: '/none' },
        decisions: { kind: 'embedded', keepMs: 1, webhooks: [] },
      },
      { read: refuse, write: refuse },
      { logger, metrics },
    );
  return { open, said };
}

describe('the note of the log in Consul', () => {
  it('holds up no decision where the token may not use its key, which is logged once', async () => {
    const { open, said } = world('ERR_CONSUL_DENIED');
    const kept = open('enforce');
    expect(await kept?.read()).toBeUndefined();
    await kept?.write('note');
    expect(said).toEqual([
      'scopemesh_checkpoint_failures_total',
      expect.stringContaining('lacks key_prefix "scopemesh/payments/" with policy write'),
      'scopemesh_checkpoint_failures_total',
    ]);
  });

  it('is tried again after any other failure', async () => {
    const kept = world('ERR_CONSUL_UNREACHABLE').open('enforce');
    await expect(kept?.read()).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    await expect(kept?.write('note')).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
  });

  it('is not used in observe', () => {
    expect(world('ERR_CONSUL_DENIED').open('observe')).toBeUndefined();
  });
});
